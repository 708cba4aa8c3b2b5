-- How the roads do: insights/roads.py.

-- by_arm: what each arm of each road cost and brought since an instant
select road, arm, coalesce(bucket, ''), count(*), sum(units)::bigint, sum(candidates)::bigint, sum(new)::bigint, max(pulled_at),
    (array_agg(error order by pulled_at desc) filter (where error is not null))[1],
    max(pulled_at) filter (where error is not null)
from pulls where pulled_at > %(since)s
group by 1, 2, 3 order by 1, 2, 3

-- days_in_sql: UTC days whose pulls SQL has
select distinct (pulled_at at time zone 'UTC')::date from pulls where pulled_at > %(since)s

-- channels: how the followed channels stand. A channel is answered for when a feed was read within a day, or a hub's lease lives;
-- of the others, how many are expected to upload within a day
select count(*), count(*) filter (where push), count(*) filter (where feed_failures > 0), count(*) filter (where feed and not push),
    count(*) filter (where not feed and not push), coalesce(sum(1 - exp(-uploads_a_day)) filter (where not feed and not push), 0),
    count(*) filter (where moved > 0), coalesce(sum(least(%(most_pages)s, ceil(moved / %(page)s::numeric))), 0)::int,
    coalesce(sum(uploads_a_day), 0)
from (
    select *, coalesce(push_until > %(now)s, false) as push,
        coalesce(feed_failures = 0 and feed_at > %(now)s - interval '1 day', false) as feed
    from channels
) c
