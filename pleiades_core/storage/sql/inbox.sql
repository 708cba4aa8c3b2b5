-- Table inbox: what came in between two hunts.

-- name: post
-- What a person wants watched.
insert into inbox (source, id8, received_at) select 'added', id8, %(now)s from unnest(%(id8s)s::bigint[]) as given (id8)
on conflict do nothing

-- name: keep_notices
-- What the hub announced of channels that are followed; ordered, so that two receivers cannot block each other.
insert into inbox (source, id8, channel_id, published_at, received_at)
select 'push', n.id8, n.channel_id, n.published_at, %(now)s
from unnest(%(id8s)s::bigint[], %(channel_ids)s::text[], %(published)s::timestamptz[]) as n (id8, channel_id, published_at)
where exists (select from channels c where c.channel_id = n.channel_id)
order by n.id8
on conflict (source, id8) do nothing

-- name: room
-- How many rows the inbox still takes.
select %(most)s - count(*) from (select from inbox limit %(most)s) as held

-- name: waiting
-- What came in by a source and was not taken yet, the oldest first.
select id8, channel_id, published_at from inbox where source = %(source)s order by received_at, id8 limit %(limit)s

-- name: waiting_since
-- How many came in before an instant and wait.
select count(*) from inbox where received_at <= %(before)s

-- name: taken
-- These are claimed or were known.
delete from inbox where source = %(source)s and id8 = any(%(id8s)s)
