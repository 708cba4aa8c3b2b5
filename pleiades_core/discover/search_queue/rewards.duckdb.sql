-- What searches were worth, from the vault: DuckDB over the views of vault/views.duckdb.sql. Parameters: now and since (Unix seconds);
-- requested_at, targets, errors (searches that SQL knows, beside those that the vault has); unsearched (terms that were not searched); and
-- numbers that bandit.py and rewards.py explain.
with asked as (
    select requested_at, target, error from raw_discovery_requests where source = 'search' and epoch(requested_at) between $since and $now
    union
    select * from (
        select unnest($requested_at::timestamptz[]) as requested_at, unnest($targets::varchar[]) as target, unnest($errors::varchar[]) as error
    )
    where epoch(requested_at) between $since and $now
), requested as (
    -- A term that is refused, or whose reply is none, cost its page and brought nothing. What ended the whole search of a hunt, and
    -- stands with no target for that, says nothing of the term that met it: as discover/usage.py counts.
    select distinct requested_at, target from asked a
    where target <> '' and (error is null or not exists (
        select 1 from asked o where o.target = '' and o.requested_at = a.requested_at and o.error = a.error
    ))
), searched as (
    select target, sum(discounted(1, epoch(requested_at), $now, $kept)) as requests, min(requested_at) as first_at from requested group by target
), described as (
    select vid, source, tags, published_at, discovered_at from raw_videos
    where epoch(discovered_at) between $since and $now
    qualify is_first_description(vid, discovered_at, title)
), measured as (
    -- At 48 hours of age, from the nearest sample within half a day, the earlier of two that are as near: videos are polled daily
    -- at that age, so that one is in reach, and views at other ages do not compare.
    select d.vid, arg_min(s.views, a.distance) as views, arg_min(s.definition, a.distance) as definition
    from described d join raw_samples s using (vid),
         lateral (select epoch(s.polled_at) - epoch(d.published_at) - 48 * 3600 as late) as l,
         lateral (select 2 * abs(late) + (late > 0)::integer as distance) as a
    where s.status = 0 and s.views is not null and abs(late) <= 12 * 3600 and epoch(s.polled_at) <= $now
    group by d.vid
), marks as (
    -- No mark spans a change of what YouTube counts as a view.
    select definition, quantile_cont(views, 1 - $share) as mark from measured group by definition having count(*) >= $enough
), judged as (
    select d.*, discounted(1, epoch(d.discovered_at), $now, $kept) as weight, m.views > k.mark as viral
    from described d left join measured m using (vid) left join marks k using (definition)
), terms as (
    select s.target as term, any_value(s.requests) as requests,
           coalesce(sum(j.weight) filter (j.viral is not null), 0) as judged,
           coalesce(sum(j.weight) filter (j.viral), 0) as virals,
           coalesce(sum(j.weight) filter (j.vid is not null and j.viral is null), 0) as pending
    -- Videos are described before their search is noted; older ones belong to searches of which nothing is known any more.
    from searched s left join judged j on j.source = 'search:' || s.target and j.discovered_at >= s.first_at - interval 1 hour
    group by s.target
), rewarded as (
    -- A video without an outcome is expected to be like the others of its term.
    select *, virals + pending * ($share_weight * $share + virals) / ($share_weight + judged) as reward from terms
), usual as (
    select mean_reward(
               coalesce(sum(reward / ($prior_requests + requests)), 0), coalesce(sum(requests / ($prior_requests + requests)), 0),
               $usual, $pool_terms
           ) as usual
    from rewarded
), yields as (
    select 'search:' || term as source, expected_reward(requests, reward, usual, $prior_requests) as yield from rewarded, usual
), tags as (
    select nfc_normalize(lower(trim(tag, '#@- '))) as tag, source, viral
    from (select source, viral, unnest(tags) as tag from judged where viral is not null)
), priors as (
    -- The yield of the terms that led to a tag's videos, times what the tag adds.
    select tag, avg(coalesce(y.yield, u.usual))
                * least($most_lift, greatest($least_lift,
                    ($tag_weight * $share + count(*) filter (viral)) / ($tag_weight + count(*)) / $share)) as prior
    from tags left join yields y using (source), usual u
    where tag in (select unnest($unsearched::varchar[]))
    group by tag
)
select 'term' as kind, term as name, requests, reward, null as prior, null as judged, null as virals from rewarded
union all
select 'tag', tag, null, null, prior, null, null from priors
union all
select 'mark', definition::varchar, null, mark, null, (select count(*) from judged where viral is not null),
       (select count(*) from judged where viral)
from marks
order by kind, name
