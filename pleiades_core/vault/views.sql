-- The views that people query. `sample_files` and `registry_files` are set by samples.py: closed days, and the journal's batches
-- that no closed day holds; each list begins with an empty file, so a young vault answers with no rows instead of an error.

create view raw_samples as
select vid, polled_at, status, definition, views, likes, comments
from read_parquet(getvariable('sample_files'));

-- Of a video that was described twice the first description counts.
create view videos as
select vid, video_id, channel_id, channel_title, title, description, tags, category_id, language, duration_s, live,
       published_at, discovered_at, road
from read_parquet(getvariable('registry_files'))
qualify row_number() over (partition by vid order by discovered_at) = 1;

-- One row for each poll of each video, misses included.
create view samples as
select v.video_id, s.vid, s.polled_at,
       case s.status when 0 then 'ok' when 1 then 'missing' end as status,
       s.definition, s.views, s.likes, s.comments
from raw_samples s left join videos v using (vid);

-- One row for each video and UTC day: its last counts, and what changed since its first of that day.
create view metrics as
select any_value(v.video_id) as video_id, s.vid, cast(s.polled_at at time zone 'UTC' as date) as day,
       count(*) filter (s.status = 0) as polls, count(*) filter (s.status <> 0) as misses,
       arg_max(s.views, s.polled_at) as views, arg_max(s.likes, s.polled_at) as likes,
       arg_max(s.comments, s.polled_at) as comments,
       arg_max(s.views, s.polled_at) - arg_min(s.views, s.polled_at) as views_gained
from raw_samples s left join videos v using (vid)
group by s.vid, day;
