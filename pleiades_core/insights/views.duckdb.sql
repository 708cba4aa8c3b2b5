-- velocity(until, hours): views an hour between measured samples, for every video polled in the window that ends before `until`
-- (Unix seconds). The base is the sample nearest to the window's start and the middle the one nearest to its middle, the
-- earlier of two that are as near: only what was measured, never interpolated. Samples of another counting definition than the
-- newest one's are left out and the row is marked, because a jump of the definition is not growth. Views may fall; then
-- velocity is negative. Hidden likes and comments stay null.
create macro velocity(until, hours) as table
with seen as (
    select vid, cast(epoch(polled_at) as bigint) as polled_at, views, likes, comments, definition
    from raw_samples
    where status = 0 and views is not null
      and polled_at < to_timestamp(until) and polled_at >= to_timestamp(until - 2 * hours * 3600)
), newest as (
    select vid, max(polled_at) as last_at, arg_max(views, polled_at) as views, arg_max_null(likes, polled_at) as likes,
           arg_max_null(comments, polled_at) as comments, arg_max(definition, polled_at) as definition,
           min(definition) <> max(definition) as definition_changed
    from seen group by vid having max(polled_at) >= until - hours * 3600
), based as (
    select n.vid, min(s.polled_at) as base_at, arg_min(s.views, s.polled_at) as base_views
    from newest n join (
        select s.*, abs(polled_at - (until - hours * 3600)) as distance from seen s
    ) s on s.vid = n.vid and s.definition = n.definition and s.polled_at < n.last_at
    group by n.vid, s.distance
    qualify row_number() over (partition by n.vid order by s.distance) = 1
), middle as (
    select b.vid, min(s.polled_at) as middle_at, arg_min(s.views, s.polled_at) as middle_views
    from based b join newest n using (vid)
    join seen s on s.vid = b.vid and s.definition = n.definition and s.polled_at > b.base_at and s.polled_at < n.last_at
    group by b.vid, abs(s.polled_at - (b.base_at + n.last_at) / 2)
    qualify row_number() over (partition by b.vid order by abs(s.polled_at - (b.base_at + n.last_at) / 2)) = 1
), counted as (
    select n.vid, count(*) as samples
    from based b join newest n using (vid) join seen s on s.vid = b.vid and s.definition = n.definition and s.polled_at >= b.base_at
    group by n.vid
)
select n.vid, n.views, n.likes, n.comments,
       n.views - b.base_views as views_gained,
       round((n.last_at - b.base_at) / 3600, 3) as span_hours,
       round(cast(n.views - b.base_views as double) * 3600 / (n.last_at - b.base_at), 3) as views_per_hour,
       -- Between the centres of the two halves, which lie half the span apart.
       round(((n.views - m.middle_views) / (n.last_at - m.middle_at) - (m.middle_views - b.base_views) / (m.middle_at - b.base_at))
             / ((n.last_at - b.base_at) / 2) * 3600 * 3600, 3) as acceleration,
       c.samples, n.definition_changed, to_timestamp(n.last_at) as polled_at
from newest n join based b using (vid) join counted c using (vid) left join middle m using (vid);
