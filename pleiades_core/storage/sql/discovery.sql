-- seed_terms: terms that are not in the queue yet
insert into search_queue (term, priority) select unnest(%(terms)s::text[]), %(priority)s on conflict (term) do nothing

-- next_terms: the terms to search now, by priority, then by how long they have waited
select term, next_page_token, token_at, round_started_at, searched_until
from search_queue
order by priority desc, last_searched_at nulls first, mentions desc, term
limit %(limit)s

-- ack_term: a page of results is durable
update search_queue
set next_page_token = %(next_page_token)s, token_at = %(now)s, round_started_at = %(round_started_at)s,
    searched_until = coalesce(%(searched_until)s, searched_until), last_searched_at = %(now)s, found = found + %(found)s
where term = %(term)s

-- next_channels: channels whose uploads were not listed for a while, the longest first
select channel, channel_id from channels
where listed_at is null or listed_at <= %(before)s
order by listed_at nulls first, channel
limit %(limit)s

-- ack_channels: the uploads of these channels are durable
update channels set listed_at = %(now)s where channel = any(%(channels)s)

-- seen: which of these ids are known already
select id8 from videos where id8 = any(%(id8s)s) and state <> 0

-- claim: new ids get their vid, once and for ever; ids that somebody else claimed meanwhile are theirs
insert into videos (id8, vid, state, claimed_at, lease_id)
select fresh.id8, nextval('vid'), 0, %(now)s, %(lease_id)s
from (select unnest(%(id8s)s::bigint[]) as id8 order by id8) as fresh
where not exists (select 1 from videos v where v.id8 = fresh.id8)
on conflict (id8) do nothing
returning id8, vid, attempts

-- reclaim: claims whose owner is dead keep their vid and get a new owner; those that failed least go first
with dead as (
    select id8 from videos v
    where state = 0 and attempts < %(most_attempts)s
      and not exists (select 1 from leases l where l.lease_id = v.lease_id)
    order by attempts, id8 limit %(limit)s for update skip locked
)
update videos v set lease_id = %(lease_id)s, claimed_at = %(now)s from dead where v.id8 = dead.id8
returning v.id8, v.vid, v.attempts

-- failed: could not be described although others could
update videos set attempts = attempts + 1 where vid = any(%(vids)s) and state = 0

-- park: given up after that many attempts, remembered like what is gone
update videos set state = 2, lease_id = null where state = 0 and attempts >= %(most_attempts)s

-- gone: asked for and not there; remembered, so that the same search does not find it new every day
update videos set state = 2, lease_id = null where vid = any(%(vids)s) and state = 0
