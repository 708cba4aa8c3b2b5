-- The views that people query, over `raw_samples`, `raw_videos` and `raw_pulls`: all rows of closed days and of the journal's
-- batches that no closed day holds (samples.py).

-- Of a video that was described twice the first description counts. For `qualify`.
create macro is_first_description(vid, discovered_at, title) as
    row_number() over (partition by vid order by discovered_at, title) = 1;

-- The words of a sample's status.
create macro status_word(status) as case status when 0 then 'ok' when 1 then 'missing' when 2 then 'unreadable' end;

-- One row for each video; it is watched if any of its descriptions says so.
create view videos as
select vid, video_id, channel_id, channel_title, title, description, tags, category_id, language, duration_s, live,
       published_at, discovered_at, road, bool_or(coalesce(watched, true)) over (partition by vid) as watched
from raw_videos
qualify is_first_description(vid, discovered_at, title);

-- One row for each poll of each video, misses included.
create view samples as
select v.video_id, s.vid, s.polled_at, status_word(s.status) as status, s.definition, s.views, s.likes, s.comments
from raw_samples s left join videos v using (vid);

-- One row for each video and UTC day: the counts of its last answer, a hidden one hidden, and what changed since its first.
create view metrics as
select any_value(v.video_id) as video_id, s.vid, cast(s.polled_at at time zone 'UTC' as date) as day,
       count(*) filter (s.status = 0) as polls, count(*) filter (s.status = 1) as misses,
       arg_max_null(s.views, s.polled_at) filter (s.status = 0) as views,
       arg_max_null(s.likes, s.polled_at) filter (s.status = 0) as likes,
       arg_max_null(s.comments, s.polled_at) filter (s.status = 0) as comments,
       arg_max_null(s.views, s.polled_at) filter (s.status = 0) - arg_min_null(s.views, s.polled_at) filter (s.status = 0)
           as views_gained
from raw_samples s left join videos v using (vid)
group by s.vid, day;

-- One row for each question of each road, of the days that were exported (pulls.py); the days since are in SQL alone.
create view pulls as
select pulled_at, road, arm, bucket, units, candidates, new, error from raw_pulls;
