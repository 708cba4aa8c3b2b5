with fastest as (
    select row_number() over (order by views_per_hour desc, vid) as rank, * from velocity($until, $hours)
    order by rank limit $limit
), described as (
    -- Only what is shown is looked up: the registry grows for ever.
    select * from raw_videos where vid in (select vid from fastest)
    qualify is_first_description(vid, discovered_at, title)
)
select r.rank, v.video_id, v.title, v.channel_title, v.channel_id,
       round(($until - epoch(v.published_at)) / 3600, 2) as age_hours,
       r.views, r.likes, r.comments, r.views_gained, r.views_per_hour, r.acceleration, r.span_hours, r.samples,
       r.definition_changed,
       -- The age-matched score has its place here; until it is computed there is none.
       cast(null as double) as viral_score
from fastest r join described v using (vid)
order by r.rank
