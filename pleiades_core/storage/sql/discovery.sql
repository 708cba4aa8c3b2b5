-- seen: which of these ids are known already
select id8 from videos where id8 = any(%(id8s)s) and state <> 0

-- claim: new ids get their vid, once and for ever; ids that somebody else claimed meanwhile are theirs
insert into videos (id8, vid, state, claimed_at, lease_id, found_by)
select fresh.id8, nextval('vid'), 0, %(now)s, %(lease_id)s, fresh.found_by
from (select * from unnest(%(id8s)s::bigint[], %(found_by)s::text[]) as given (id8, found_by) order by id8) as fresh
where not exists (select 1 from videos v where v.id8 = fresh.id8)
on conflict (id8) do nothing
returning id8, vid, attempts, found_by

-- reclaim: claims whose owner is dead keep their vid and get a new owner; those that failed least go first
with dead as (
    select id8 from videos v
    where state = 0 and attempts < %(most_attempts)s
      and not exists (select 1 from leases l where l.lease_id = v.lease_id)
    order by attempts, id8 limit %(limit)s for update skip locked
)
update videos v set lease_id = %(lease_id)s, claimed_at = %(now)s from dead where v.id8 = dead.id8
returning v.id8, v.vid, v.attempts, v.found_by

-- failed: could not be described although others could
update videos set attempts = attempts + 1 where vid = any(%(vids)s) and state = 0

-- park: given up after that many attempts, remembered like what is gone
update videos set state = 2, lease_id = null, found_by = null where state = 0 and attempts >= %(most_attempts)s

-- gone: asked for and not there; remembered, so that the same search does not find it new every day
update videos set state = 2, lease_id = null, found_by = null where vid = any(%(vids)s) and state = 0

-- mark_roads: which roads came upon these videos, also upon those that were known
update videos v set roads = v.roads | given.bits
from (select id8, bit_or(bit) as bits from unnest(%(id8s)s::bigint[], %(bits)s::smallint[]) as one (id8, bit) group by id8) as given
where v.id8 = given.id8 and v.roads | given.bits <> v.roads

-- record_pulls: what each question cost and brought
insert into pulls (pulled_at, road, arm, bucket, units, candidates, new, error)
select %(now)s, given.* from unnest(
    %(roads)s::text[], %(arms)s::text[], %(buckets)s::text[], %(units)s::int[], %(candidates)s::int[], %(new)s::int[], %(errors)s::text[]
) as given

-- last_pulls: when each arm of a road was last asked
select arm, max(pulled_at) from pulls where road = %(road)s and pulled_at > %(since)s group by arm

-- waiting: what came in by a road and was not taken yet, the oldest first
select id8, channel_id, published_at from inbox where road = %(road)s order by received_at, id8 limit %(limit)s

-- taken: these are claimed or were known
delete from inbox where road = %(road)s and id8 = any(%(id8s)s)

-- post: what a person wants watched
insert into inbox (road, id8, received_at) select 'manual', id8, %(now)s from unnest(%(id8s)s::bigint[]) as given (id8)
on conflict do nothing

-- young_since: videos that were admitted since an instant and were less than a day old then
select count(*) from videos where state = 1 and claimed_at > %(since)s and published_at > claimed_at - interval '1 day'

-- reopen: what a person wants watched although it waits, was given up, gone, or beyond the room that quota left, is described
-- again; a claim that lives stays its owner's
update videos v
set state = 0, attempts = 0, found_by = 'manual', lease_id = case when state = 0 then lease_id end
where id8 = any(%(id8s)s)
  and (state in (0, 2) or (state = 1 and not exists (select 1 from watchlist w where w.vid = v.vid)))

-- outcome: what became of these ids
select count(*) filter (where v.state = 0), count(*) filter (where v.state = 1), count(*) filter (where v.state = 2),
       count(*) filter (where exists (select 1 from watchlist w where w.vid = v.vid))
from videos v where v.id8 = any(%(id8s)s)

-- waiting_since: how many came in before an instant and wait
select count(*) from inbox where received_at <= %(before)s
