-- The state of the videos discovered on one day and watched since, folded from their descriptions and samples up to an instant.
with cohort as (
    select vid, published_at from videos where cast(discovered_at at time zone 'UTC' as date) = $day and watched
), polled as (
    select s.vid, s.polled_at, s.status, s.views, s.likes, s.comments
    from raw_samples s join cohort using (vid)
    where s.polled_at < to_timestamp($until)
), folded as (
    -- Counts are of the last answer: what it hides is null, whatever an earlier one said. An answer that could not be read is
    -- none, but the video was there: it ends a row of misses, as in the schedule of SQL.
    select vid, max(polled_at) as polled_at, count(*) as polls, max(polled_at) filter (status = 0) as answered_at,
           max(polled_at) filter (status <> 1) as present_at,
           arg_max_null(views, polled_at) filter (status = 0) as views,
           arg_max_null(likes, polled_at) filter (status = 0) as likes,
           arg_max_null(comments, polled_at) filter (status = 0) as comments
    from polled group by vid
), missed as (
    -- All of them if the video never was there.
    select p.vid, count(*) as misses
    from polled p join folded f using (vid)
    where p.status = 1 and (f.present_at is null or p.polled_at > f.present_at)
    group by p.vid
)
select c.vid, c.published_at, f.polled_at, f.answered_at, cast(coalesce(f.polls, 0) as integer) as polls,
       cast(coalesce(m.misses, 0) as smallint) as misses, f.views, f.likes, f.comments
from cohort c left join folded f using (vid) left join missed m using (vid)
order by c.vid
