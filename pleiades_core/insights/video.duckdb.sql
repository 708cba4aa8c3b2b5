-- name: description
-- Of one video, found without sorting the whole registry.
select * from raw_videos where video_id = $id qualify is_first_description(vid, discovered_at, title)

-- name: history
-- Every poll of one video.
select polled_at, status_word(status) as status, views, likes, comments from raw_samples where vid = $vid order by polled_at
