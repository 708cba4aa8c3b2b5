-- Table watchlist, the hot overlay: modules of watchlist/.

-- name: lease_due
-- Claim up to %(limit)s due videos, the longest overdue first, skipping rows that others hold. A poll in the future, which a
-- wrong clock wrote, counts as none.
with known as (
    select vid, published_at, misses, counted_poll(polled_at, %(now)s, %(ahead)s) as polled_at
    from watchlist where lease_id is null
), age as (
    select vid, polled_at,
        tier_of(published_at, polled_at, misses, %(now)s, %(hourly_below)s, %(daily_below)s, %(misses_until_weekly)s) as tier
    from known
), due as (
    select vid, tier,
        next_poll_at(polled_at, tier, %(hourly)s, %(daily)s, %(weekly)s) as due_at
    from age where %(tier)s::text is null or tier = %(tier)s
), chosen as (
    select w.vid, due.due_at
    from watchlist w join due using (vid)
    where w.lease_id is null and (due.due_at is null or due.due_at - %(early)s::interval <= %(now)s)
    order by due.due_at nulls first, w.vid
    limit %(limit)s
    for update of w skip locked
)
update watchlist w set lease_id = %(lease_id)s
from chosen where w.vid = chosen.vid
returning w.vid, w.id8, chosen.due_at

-- name: due_counts
-- How many videos of each tier are due now, and how many there are.
with known as (
    select published_at, misses, counted_poll(polled_at, %(now)s, %(ahead)s) as polled_at from watchlist
), age as (
    select polled_at,
        tier_of(published_at, polled_at, misses, %(now)s, %(hourly_below)s, %(daily_below)s, %(misses_until_weekly)s) as tier
    from known
)
select tier, count(*) as watched,
    count(*) filter (where polled_at is null or next_poll_at(polled_at, tier, %(hourly)s, %(daily)s, %(weekly)s) - %(early)s::interval <= %(now)s) as due
from age group by tier

-- name: advance
-- Move the schedule of what was polled, unless a later poll has done so already, and let go of it in the same write. A poll
-- that lies in the future gives way to any other, and none is written there. One update: a second update of the row, for the
-- lease alone, took a third of the updates out of their page (HOT 0.61 against 0.91).
with polled as (
    select vid, least(to_timestamp(seconds), %(now)s + %(ahead)s) as at, missing
    from unnest(%(vids)s::bigint[], %(at)s::bigint[], %(missing)s::boolean[]) as given (vid, seconds, missing)
)
update watchlist w
set polled_at = polled.at, misses = case when polled.missing then least(w.misses + 1, 30000) else 0 end,
    lease_id = nullif(w.lease_id, %(lease_id)s)
from polled
where w.vid = polled.vid and (w.polled_at is null or w.polled_at < polled.at or w.polled_at > %(now)s + %(ahead)s)

-- name: release
-- Clear this lease from its videos.
update watchlist set lease_id = null where lease_id = %(lease_id)s

-- name: watch
-- New rows of the hot overlay, due now, for those that are to be watched.
insert into watchlist (vid, id8, published_at)
select vid, id8, published_at
from unnest(%(vids)s::bigint[], %(id8s)s::bigint[], %(published)s::timestamptz[], %(watched)s::boolean[])
    as given (vid, id8, published_at, watched)
where watched
on conflict (vid) do nothing

-- name: schedules
-- Schedules of these videos, except videos that were polled since.
select vid, polled_at, misses from watchlist
where vid = any(%(vids)s) and (polled_at is null or polled_at < %(until)s)

-- name: entry
-- One video's row.
select published_at, polled_at, misses from watchlist where id8 = %(id8)s

-- name: missing
-- Of the videos that were polled, how many were missing at their last poll; and how many were polled.
select count(*) filter (where misses > 0), count(*) from watchlist where polled_at is not null

-- name: future
-- How many videos were polled in the future, as a clock that was wrong had it.
select count(*) from watchlist where polled_at > %(now)s + %(ahead)s
