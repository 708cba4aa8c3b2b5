-- The state of the videos discovered on one day and watched since, folded from their descriptions and samples up to an instant.
with cohort as (
    select vid, published_at from videos where cast(discovered_at at time zone 'UTC' as date) = $day and watched
), polled as (
    select s.vid, s.polled_at, s.status, s.views, s.likes, s.comments
    from raw_samples s join cohort using (vid)
    where s.polled_at < to_timestamp($until)
), answered as (
    select vid, max(polled_at) as answered_at, arg_max(views, polled_at) as views, arg_max(likes, polled_at) as likes,
           arg_max(comments, polled_at) as comments
    from polled where status = 0 group by vid
)
select c.vid, c.published_at, max(p.polled_at) as polled_at, any_value(a.answered_at) as answered_at,
       cast(count(p.vid) as integer) as polls,
       -- Misses since the last answer: all of them if there never was one.
       cast(count(p.vid) filter (a.answered_at is null or p.polled_at > a.answered_at) as smallint) as misses,
       any_value(a.views) as views, any_value(a.likes) as likes, any_value(a.comments) as comments
from cohort c left join polled p using (vid) left join answered a using (vid)
group by c.vid, c.published_at
order by c.vid
