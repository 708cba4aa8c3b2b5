-- Table back_catalogues: discover/channels/back_catalogues.py.

-- name: begin
-- The first pages are durable: replace the earlier cursor, and keep its unread uploads as to be read.
insert into back_catalogues as b
    (channel, source, title, newest, total, read, passed, page_token, token_at, failures, failed_at, added_at, finished_at, cut)
select channel, %(source)s, %(title)s, %(newest)s, %(total)s, %(read)s, %(passed)s, %(page_token)s, %(token_at)s, %(failures)s,
       %(failed_at)s, %(now)s, %(finished_at)s, %(cut)s
from channels where channel_id = %(channel_id)s
on conflict (channel, source) do update
set title = coalesce(nullif(excluded.title, ''), b.title), total = excluded.total, read = excluded.read, passed = excluded.passed,
    newest = excluded.newest + case when %(and_before)s and b.finished_at is null then greatest(0, b.newest - b.read) else 0 end,
    page_token = excluded.page_token, token_at = excluded.token_at, restarts = 0, failures = excluded.failures,
    failed_at = excluded.failed_at, finished_at = excluded.finished_at, cut = excluded.cut

-- name: back_catalogues
-- All of one source that people are told of, in the order in which they were added.
select channel, channel_id, source, title, newest, total, read, passed, page_token, token_at, restarts, failures, failed_at,
       finished_at, cut
from back_catalogues join channels using (channel)
where source = 'added'
order by added_at, channel

-- name: unread
-- Those that are not read to their end.
select channel, channel_id, source, title, newest, total, read, passed, page_token, token_at, restarts, failures, failed_at,
       finished_at, cut
from back_catalogues join channels using (channel)
where finished_at is null
order by added_at, channel

-- name: advance
-- A page is durable; the cursor moves only from where the page was asked for.
update back_catalogues
set total = %(total)s, read = %(read)s, passed = %(passed)s, page_token = %(page_token)s, token_at = %(token_at)s,
    restarts = %(restarts)s, failures = %(failures)s, failed_at = %(failed_at)s, finished_at = %(finished_at)s, cut = %(cut)s
where channel = %(channel)s and source = %(source)s and finished_at is null
  and passed = %(held_passed)s and page_token is not distinct from %(held_token)s
