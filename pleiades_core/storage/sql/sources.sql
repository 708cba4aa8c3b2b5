-- How the sources do: reports/sources.py.

-- name: by_target
-- What each target of each source cost and brought since an instant.
select source, target, coalesce(bucket, '') as bucket, count(*) as requests, sum(units)::bigint as units,
    sum(candidates)::bigint as candidates, sum(new)::bigint as new, max(requested_at) as last_requested_at,
    (array_agg(error order by requested_at desc) filter (where error is not null))[1] as error,
    max(requested_at) filter (where error is not null) as failed_at
from discovery_requests where requested_at > %(since)s and requested_at <= %(latest)s
group by 1, 2, 3 order by 1, 2, 3

-- name: days_in_sql
-- UTC days whose requests SQL has.
select distinct (requested_at at time zone 'UTC')::date from discovery_requests where requested_at > %(since)s and requested_at <= %(latest)s

-- name: channels
-- How the followed channels stand. A channel is answered for when a feed was read within a day, or a hub's lease lives; of the
-- others, how many are expected to upload within a day.
select count(*) as followed, count(*) filter (where push) as push_live, count(*) filter (where feed_failures > 0) as feeds_failing,
    count(*) filter (where feed and not push) as feeds_only, count(*) filter (where not feed and not push) as unanswered,
    coalesce(sum(1 - exp(-uploads_a_day)) filter (where not feed and not push), 0)::float8 as lists_a_day,
    count(*) filter (where moved > 0) as waiting,
    coalesce(sum(least(%(most_pages)s, ceil(moved / %(page)s::numeric))), 0)::int as waiting_pages,
    coalesce(sum(uploads_a_day), 0)::float8 as uploads_a_day
from (
    select *, coalesce(push_until > %(now)s, false) as push,
        coalesce(feed_failures = 0 and feed_at > %(now)s - interval '1 day', false) as feed
    from channels
) c
