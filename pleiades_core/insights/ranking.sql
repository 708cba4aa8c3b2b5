select row_number() over (order by r.views_per_hour desc, r.vid) as rank,
       v.video_id, v.title, v.channel_title, v.channel_id,
       round(($until - epoch(v.published_at)) / 3600, 2) as age_hours,
       r.views, r.likes, r.comments, r.views_gained, r.views_per_hour, r.acceleration, r.span_hours, r.samples,
       r.definition_changed,
       -- The age-matched score has its place here; until it is computed there is none.
       cast(null as double) as viral_score
from velocity($until, $hours) r join videos v using (vid)
order by rank
limit $limit
