-- What the planner reads: planner/survey.py. Whole tables are scanned, once a plan; a few hundred thousand rows each.

-- name: watched
-- What is watched, by age, tier, the hour in which its next poll is due and, of HOURLY ones, the tick of the hour in which the
-- last one was. The tiers are those of watchlist.sql.
with known as (
    select published_at, misses, counted_poll(polled_at, %(now)s, %(ahead)s) as polled_at from watchlist
), age as (
    select published_at, polled_at, misses >= %(misses_until_weekly)s as missing,
        tier_of(published_at, polled_at, misses, %(now)s, %(hourly_below)s, %(daily_below)s, %(misses_until_weekly)s) as tier
    from known
)
select least(greatest(floor(extract(epoch from %(now)s - published_at) / 3600), 0), %(oldest_h)s)::int as age_h, tier,
    case when polled_at is null then 0 else greatest(0, floor(extract(epoch from
        next_poll_at(polled_at, tier, %(hourly)s, %(daily)s, %(weekly)s) - %(first)s) / 3600)) end::int as due_h,
    missing,
    case tier when 'HOURLY' then floor(extract(epoch from coalesce(polled_at, %(now)s)))::bigint %% 3600
        / extract(epoch from %(tick)s)::int else 0 end::int as tick,
    count(*)
from age group by 1, 2, 3, 4, 5

-- name: found
-- Videos admitted since an instant, by their age at admission: how many were described, and how many of these are watched.
-- Added videos are left out: a back catalogue is no daily find.
select least(greatest(floor(extract(epoch from v.claimed_at - v.published_at) / 3600), 0), %(oldest_h)s)::int as age_h,
    count(*), count(w.vid)
from videos v left join watchlist w using (vid)
where v.state = 'admitted' and v.claimed_at > %(since)s and v.claimed_at <= %(now)s + %(ahead)s and v.sources & %(named)s = 0
group by 1

-- name: first_found
-- When the first video that is still here was.
select min(claimed_at) from videos

-- name: spent
-- General units that the source uploads took since an instant, and the mean units of one chart.
select coalesce(sum(units) filter (where source = 'uploads'), 0)::int, (avg(units) filter (where source = 'charts' and target <> ''))::float8
from discovery_requests where source in ('uploads', 'charts') and bucket = 'general' and requested_at > %(since)s
  and requested_at <= %(now)s + %(ahead)s

-- name: terms
-- How many there are to search for, with those that the next hunt puts into the queue.
select count(*) from (select term from search_queue union select unnest(%(seeds)s::text[])) as known
