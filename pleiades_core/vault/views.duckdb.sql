-- The views that people query, over `raw_samples`, `raw_videos` and `raw_discovery_requests`: all rows of closed days and of the journal's
-- batches that no closed day holds (query.py).

-- Of a video that was described twice the first description counts. For `qualify`.
create macro is_first_description(vid, discovered_at, title) as
    row_number() over (partition by vid order by discovered_at, title) = 1;

-- The words of a sample's status.
create macro status_word(status) as case status when 0 then 'ok' when 1 then 'missing' when 2 then 'unreadable' end;

-- One row for each video; it is watched if any of its descriptions says so.
create view videos as
select vid, video_id, channel_id, channel_title, title, description, tags, category_id, language, duration_s, live,
       published_at, discovered_at, source, bool_or(coalesce(watched, true)) over (partition by vid) as watched
from raw_videos
qualify is_first_description(vid, discovered_at, title);

-- One row for each poll of each video, misses included.
create view samples as
select v.video_id, s.vid, s.polled_at, status_word(s.status) as status, s.definition, s.views, s.likes, s.comments
from raw_samples s left join videos v using (vid);

-- One row for each video and UTC day: the counts of its last answer, a hidden one hidden, and what the views gained since the
-- last sample with a count before the day, on whatever day that was. There is no gain, null and not 0, where there is no such
-- sample, where the last answer hides the views, and where the two were counted under different definitions: a jump of the
-- definition is not growth, and the row is marked.
create view metrics as
with daily as (
    select vid, cast(polled_at at time zone 'UTC' as date) as day,
           count(*) filter (status = 0) as polls, count(*) filter (status = 1) as misses,
           arg_max_null(views, polled_at) filter (status = 0) as views,
           arg_max_null(likes, polled_at) filter (status = 0) as likes,
           arg_max_null(comments, polled_at) filter (status = 0) as comments,
           arg_max({'polled_at': polled_at, 'views': views, 'definition': definition}, polled_at)
               filter (status = 0 and views is not null) as counted
    from raw_samples
    group by vid, day
), based as (
    select *, lag(counted ignore nulls) over (partition by vid order by day) as base from daily
), gained as (
    select *, views is not null and counted.definition <> base.definition as crosses from based
), named as (
    select vid, video_id from raw_videos qualify is_first_description(vid, discovered_at, title)
)
select n.video_id, g.vid, g.day, g.polls, g.misses, g.views, g.likes, g.comments,
       case when not crosses then g.views - g.base.views end as views_gained,
       g.base.polled_at as base_at, coalesce(crosses, false) as definition_changed
from gained g left join named n using (vid);

-- One row for each question of each source, of the days that were exported (discovery_requests.py); the days since are in SQL alone.
create view discovery_requests as
select requested_at, source, target, bucket, units, candidates, new, error from raw_discovery_requests;
