-- Table channels: whose feed to read, whose count to check, whose uploads to list. A few hundred thousand rows, which are
-- scanned; there is no index on anything that changes, so that every update stays in its page.

-- name: feeds_due
-- Channels whose feeds promise most unseen uploads, and whether an empty feed must be wrong because the channel has uploads. The
-- feed of a channel with a live subscription is read once a day at most, for the uploads that the hub loses.
select channel, channel_id, coalesce(videos > 0, uploads_a_day > %(least)s) from channels
where (feed_at is null or feed_at <= %(now)s - %(again)s::interval * case when push_until > %(now)s then 72 else 1 end)
  and (feed_failures = 0 or feed_failed_at <= %(now)s - %(again)s::interval * power(2, least(feed_failures, 6)))
order by uploads_a_day * case when push_until > %(now)s then %(lost)s else 1 end
    * extract(epoch from %(now)s - coalesce(greatest(feed_at, listed_at), %(now)s - interval '7 days')) desc, channel
limit %(limit)s

-- name: note_feeds
-- These feeds were read; one whose oldest entry is newer than the last reading may have hidden others.
update channels c
set feed_at = %(now)s, feed_failures = 0, uploads_a_day = given.rate,
    moved = case when given.oldest > c.feed_at then greatest(c.moved, given.entries + 1) else c.moved end
from unnest(%(channels)s::int[], %(rates)s::real[], %(oldest)s::timestamptz[], %(entries)s::int[])
    as given (channel, rate, oldest, entries)
where c.channel = given.channel

-- name: note_feed_failures
-- These feeds did not answer; after a while they are asked again, and the counts answer for them meanwhile.
update channels set feed_failed_at = %(now)s, feed_failures = least(feed_failures + 1, 100) where channel = any(%(channels)s)

-- name: checks_due
-- Channels that nothing else has looked at lately, the longest first, and whether their last check said nothing of them; those
-- of which checks say nothing time and again are looked at less and less, every third day in the end.
select channel, channel_id, check_failed_at is not null
from channels, lateral (
    select greatest(checked_at, check_failed_at, listed_at, case when feed_failures = 0 then feed_at end) as looked_at
) as looks
where (looked_at is null
       or looked_at <= %(now)s - case when push_until > %(now)s then interval '1 day' else %(again)s::interval end)
  and (check_failures = 0 or check_failed_at <= %(now)s - %(again)s::interval * power(2, least(check_failures - 1, 6)))
order by looked_at nulls first, uploads_a_day desc, channel
limit %(limit)s

-- name: witnesses
-- Channels that surely exist. If a reply contains some of them, a channel missing from it is absent.
select channel, channel_id from channels
where videos is not null and check_failed_at is null
order by greatest(checked_at, case when feed_failures = 0 then feed_at end) desc nulls last, channel
limit %(limit)s

-- name: note_checks
-- Write the counts of a check. A channel without an earlier count that was never listed has no difference: its whole count has
-- moved, but at most %(first)s.
update channels c
set moved = least(32000, c.moved + case
        when c.videos is not null then greatest(0, given.videos - c.videos)
        when c.listed_at is null then least(given.videos, %(first)s)
        else 0 end),
    uploads_a_day = case
        when c.videos is null or c.checked_at is null then c.uploads_a_day
        else greatest(%(least)s, (c.uploads_a_day * 7 + greatest(0, given.videos - c.videos))
             / (7 + extract(epoch from %(now)s - c.checked_at) / 86400)) end,
    videos = given.videos, checked_at = %(now)s, check_failed_at = null, check_failures = 0
from unnest(%(channels)s::int[], %(videos)s::int[]) as given (channel, videos)
where c.channel = given.channel

-- name: note_unchecked
-- Checks without a count. If other channels of the call were answered, this channel waits longer each time. A channel that was
-- absent from such a reply is not taken for removed, but is expected to upload less and less.
update channels
set check_failed_at = %(now)s,
    check_failures = case when %(answered_for_some)s then least(check_failures + 1, 100) else check_failures end,
    uploads_a_day = case when %(answered_for_some)s and %(absent)s then greatest(%(least)s, uploads_a_day / 2) else uploads_a_day end
where channel = any(%(channels)s)

-- name: lists_due
-- Channels whose count moved, the richest first, but for those whose lists failed lately.
select channel, channel_id, moved from channels
where moved > 0 and (list_failures = 0 or list_failed_at <= %(now)s - %(again)s::interval * power(2, list_failures - 1))
order by moved desc, listed_at nulls first, channel
limit %(limit)s

-- name: counts_moved
-- Of these channels, what their counts said before; those whose lists failed lately wait.
select channel, videos, moved, listed_at is not null from channels
where channel = any(%(channels)s)
  and (list_failures = 0 or list_failed_at <= %(now)s - %(again)s::interval * power(2, list_failures - 1))

-- name: note_list
-- These uploads were listed.
update channels
set listed_at = %(now)s, moved = 0, uploads_a_day = coalesce(%(rate)s, uploads_a_day), list_failures = 0
where channel = %(channel)s

-- name: note_list_failure
-- This list showed nothing, or broke off, or did not answer where others did; what moved is asked for again, later and later,
-- and in the end no more until the count moves again, unless there was no answer that could be believed.
update channels
set list_failed_at = %(now)s, moved = case when %(answered)s and list_failures + 1 >= %(most)s then 0 else moved end,
    list_failures = case when %(answered)s then (list_failures + 1) %% %(most)s else least(list_failures + 1, %(most)s - 1) end
where channel = %(channel)s

-- name: take_off
-- What was admitted need not be listed. A video that is younger than the channel's last check will be part of the next count;
-- one that the last count held, and no list has shown, is part of what moved.
with found as (
    select * from unnest(%(channel_ids)s::text[], %(published)s::timestamptz[]) as listed (channel_id, published)
), counted as (
    select c.channel, count(*) filter (where f.published > c.checked_at) as later,
           count(*) filter (where f.published <= c.checked_at and f.published > c.listed_at) as earlier
    from channels c join found f using (channel_id)
    group by c.channel
)
update channels c set videos = c.videos + later, moved = greatest(0, c.moved - earlier)
from counted where c.channel = counted.channel and later + earlier > 0

-- name: follow
-- A channel that a person named is never forgotten. Its newest uploads were read a moment ago, with their number in all: what
-- of its count they do not show is its past (table back_catalogues), unless it was announced since the channel was last
-- checked.
insert into channels as c (channel_id, videos, checked_at, listed_at, uploads_a_day, pinned)
values (%(channel_id)s, %(total)s, case when %(total)s::int is not null then %(now)s::timestamptz end, %(now)s,
        coalesce(%(rate)s, 0.5), true)
on conflict (channel_id) do update
set moved = greatest(0, c.moved + greatest(0, coalesce(excluded.videos - c.videos, 0)) - %(shown)s),
    videos = coalesce(excluded.videos, c.videos), checked_at = coalesce(excluded.checked_at, c.checked_at),
    listed_at = excluded.listed_at, uploads_a_day = coalesce(%(rate)s, c.uploads_a_day), list_failures = 0,
    check_failed_at = null, check_failures = 0, pinned = true

-- name: forget_channels
-- Delete channels beyond the limit of %(most)s, the lowest upload rates first. Added channels stay, and count in the limit.
delete from channels where channel in (
    select channel from channels where not pinned order by uploads_a_day, channel desc
    limit greatest(0, (select count(*) from channels) - %(most)s)
)

-- name: followed
-- How many there are.
select count(*) from channels

-- name: make_channels
-- Ordinals for channels that have none yet.
insert into channels (channel_id) select distinct unnest(%(channel_ids)s::text[]) order by 1 on conflict (channel_id) do nothing

-- name: known_channels
-- Ordinals of channels; a statement of its own, so that it sees what another hunter has just committed.
select channel, channel_id from channels where channel_id = any(%(channel_ids)s)
