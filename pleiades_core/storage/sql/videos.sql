-- Table videos: every video id that was found, and its state.

-- name: known
-- Which of these ids have a row, and of each whether it was given up and may be claimed again: what was given up by a clock
-- that was ahead may be at once.
select id8, state = 'gone' and (claimed_at > %(latest)s or coalesce(retry_at <= %(now)s, true)) from videos where id8 = any(%(id8s)s)

-- name: claim
-- Give new ids their vid, once and for ever, and claim ids that were given up again under their old vid. Ids that another hunt
-- has claimed meanwhile are skipped. An id whose description failed alone is described alone again.
with given as (
    select * from unnest(%(id8s)s::bigint[], %(found_by)s::text[]) as listed (id8, found_by) order by id8
), again as (
    update videos v
    set state = 'claimed', claimed_at = %(now)s, lease_id = %(lease_id)s, found_by = given.found_by, absences = 0, retry_at = null
    from given where v.id8 = given.id8 and v.state = 'gone'
      and (v.claimed_at > %(latest)s or coalesce(v.retry_at <= %(now)s, true))
    returning v.id8, v.vid, v.attempts, v.absences, v.found_by
), new as (
    insert into videos (id8, vid, state, claimed_at, lease_id, found_by)
    select given.id8, nextval('vid'), 'claimed', %(now)s, %(lease_id)s, given.found_by
    from given where not exists (select 1 from videos v where v.id8 = given.id8)
    on conflict (id8) do nothing
    returning id8, vid, attempts, absences, found_by
)
select * from new union all select * from again

-- name: reclaim
-- Claims whose owner is dead keep their vid and get a new owner; what a person named goes first, or alone, and of the rest what
-- failed least. No claim waits longer than `longest`: a clock that was wrong wrote that.
with dead as (
    select id8 from videos v
    where state = 'claimed' and (retry_at is null or retry_at <= %(now)s or retry_at > %(now)s + %(longest)s)
      and not exists (select 1 from leases l where l.lease_id = v.lease_id)
      and (not %(only_added)s or found_by = 'added')
    order by found_by is distinct from 'added', attempts, id8 limit %(limit)s for update skip locked
)
update videos v set lease_id = %(lease_id)s, claimed_at = %(now)s from dead where v.id8 = dead.id8
returning v.id8, v.vid, v.attempts, v.absences, v.found_by

-- name: waiting
-- How many claims are not described yet.
select count(*) from videos where state = 'claimed'

-- name: admit
-- Described videos are known from now on.
update videos v
set state = 'admitted', channel = given.channel, published_at = given.published_at, lease_id = null, found_by = null, retry_at = null
from unnest(%(vids)s::bigint[], %(channels)s::int[], %(published)s::timestamptz[]) as given (vid, channel, published_at)
where v.vid = given.vid and v.state <> 'admitted'

-- name: put_off
-- Claims that were asked for in vain wait for their next turn, or are given up; what is given up is remembered, so that the
-- same search does not find it new every day; what a person named while it was asked for is left to the next hunt.
update videos v
set attempts = given.attempts, absences = given.absences, retry_at = given.retry_at, lease_id = null,
    state = case when given.given_up then 'gone' else 'claimed' end::video_state, found_by = case when given.given_up then null else v.found_by end
from unnest(%(vids)s::bigint[], %(attempts)s::smallint[], %(absences)s::smallint[], %(retry_at)s::timestamptz[], %(given_up)s::bool[],
            %(found_by)s::text[])
    as given (vid, attempts, absences, retry_at, given_up, found_by)
where v.vid = given.vid and v.state = 'claimed' and coalesce(v.found_by, '') = given.found_by

-- name: mark_sources
-- Which sources came upon these videos, also upon those that were known.
update videos v set sources = v.sources | given.bits
from (select id8, bit_or(bit) as bits from unnest(%(id8s)s::bigint[], %(bits)s::smallint[]) as listed (id8, bit) group by id8) as given
where v.id8 = given.id8 and v.sources | given.bits <> v.sources

-- name: shown
-- Ask at once again for absent videos that a source shows, if that source soon stops showing removed videos. Videos that this
-- hunt has just asked for are left out.
update videos set retry_at = null, absences = 1
where id8 = any(%(id8s)s) and state = 'claimed' and absences > 0 and retry_at > %(now)s
  and (claimed_at <= %(now)s - interval '30 minutes' or claimed_at > %(latest)s)

-- name: young_since
-- Videos that were admitted since an instant and were less than a day old then, but for those that a person named: they are no
-- part of what comes in a day.
select count(*) from videos
where state = 'admitted' and claimed_at > %(since)s and claimed_at <= %(latest)s and published_at > claimed_at - interval '1 day' and sources & %(named)s = 0

-- name: reopen
-- What a person wants watched although it waits, was given up, gone, or beyond the room that quota left, is described again; a
-- claim that lives stays its owner's.
update videos v
set state = 'claimed', attempts = 0, absences = 0, retry_at = null, found_by = 'added',
    lease_id = case when state = 'claimed' then lease_id end
where id8 = any(%(id8s)s)
  and (state in ('claimed', 'gone') or (state = 'admitted' and not exists (select 1 from watchlist w where w.vid = v.vid)))

-- name: outcome
-- How many of these ids are watched, how many YouTube did not show, and how many are not described yet.
select count(*) filter (where exists (select 1 from watchlist w where w.vid = v.vid)),
       count(*) filter (where v.state = 'gone' or (v.state = 'claimed' and v.absences > 0)),
       count(*) filter (where coalesce(v.state = 'claimed' and v.absences = 0, true))
from unnest(%(id8s)s::bigint[]) as given (id8) left join videos v using (id8)

-- name: described
-- How many videos were admitted.
select count(*) from videos where state = 'admitted'

-- name: admitted_between
-- Described videos that were claimed within these bounds.
select vid from videos where state = 'admitted' and claimed_at >= %(first)s and claimed_at < %(until)s

-- name: describe_again
-- The descriptions of these videos are lost.
update videos set state = 'claimed', attempts = 0, absences = 0, retry_at = null, lease_id = null
where vid = any(%(vids)s::bigint[]) and state = 'admitted'
