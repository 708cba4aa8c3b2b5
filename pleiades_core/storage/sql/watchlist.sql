-- take_lease: the right to write one batch per day until it expires, by the database's clock
insert into leases (lease_id, kind, epoch, expires_at, taken_at)
select %(lease_id)s, %(kind)s, epoch, clock_timestamp() + %(lease)s, %(now)s from installation
returning epoch

-- hold_lease: lock the lease for the length of the transaction; no row when it has expired or is of another epoch
select lease_id from leases
where lease_id = %(lease_id)s and expires_at > clock_timestamp() and epoch = (select epoch from installation)
for update

-- in_turn: who writes channels and videos, many and in any order, does so one after the other: two hunters that noted the same
-- channels in another order each waited for the other
select pg_advisory_xact_lock(7236022)

-- end_lease: the work is done or given up; a row when it was still there
delete from leases where lease_id = %(lease_id)s returning lease_id

-- expired_leases: leases whose owner is late, locked so that two reapers do not meet
select lease_id, kind, taken_at from leases where expires_at <= clock_timestamp() for update skip locked

-- lease_due: claim up to %(limit)s due videos, the longest overdue first, skipping rows that others hold
with age as (
    select vid, polled_at,
        case when misses >= %(misses_until_weekly)s or coalesce(polled_at, %(now)s) - published_at >= %(daily_below)s then 'WEEKLY'
             when coalesce(polled_at, %(now)s) - published_at < %(hourly_below)s then 'HOURLY'
             else 'DAILY' end as tier
    from watchlist where lease_id is null
), due as (
    select vid, tier,
        polled_at + case tier when 'HOURLY' then %(hourly)s when 'DAILY' then %(daily)s else %(weekly)s end as due_at
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
returning w.vid, w.id8, w.published_at, w.polled_at, chosen.due_at

-- due_counts: how many videos of each tier are due now, and how many there are
with age as (
    select polled_at,
        case when misses >= %(misses_until_weekly)s or coalesce(polled_at, %(now)s) - published_at >= %(daily_below)s then 'WEEKLY'
             when coalesce(polled_at, %(now)s) - published_at < %(hourly_below)s then 'HOURLY'
             else 'DAILY' end as tier
    from watchlist
)
select tier, count(*) as watched,
    count(*) filter (where polled_at is null or polled_at - %(early)s::interval
        + case tier when 'HOURLY' then %(hourly)s when 'DAILY' then %(daily)s else %(weekly)s end <= %(now)s) as due
from age group by tier

-- advance: move the schedule of what was polled, unless a later poll has done so already, and let go of it in the same write:
-- a second update of the row, for the lease alone, took a third of the updates out of their page (HOT 0.61 against 0.91)
with polled as (
    select vid, to_timestamp(seconds) as at, missing
    from unnest(%(vids)s::int[], %(at)s::int[], %(missing)s::boolean[]) as given (vid, seconds, missing)
)
update watchlist w
set polled_at = polled.at, misses = case when polled.missing then least(w.misses + 1, 30000) else 0 end,
    lease_id = nullif(w.lease_id, %(lease_id)s)
from polled
where w.vid = polled.vid and (w.polled_at is null or w.polled_at < polled.at)

-- all_leases: every lease, alive or not yet reaped
select lease_id from leases

-- release: nobody holds these any longer
update watchlist set lease_id = null where lease_id = %(lease_id)s

-- entry: one video's row
select vid, published_at, polled_at, misses from watchlist where id8 = %(id8)s

-- make_channels: ordinals for channels that have none yet
insert into channels (channel_id) select distinct unnest(%(channel_ids)s::text[]) order by 1 on conflict (channel_id) do nothing

-- known_channels: ordinals of channels; a statement of its own, so that it sees what another hunter has just committed
select channel, channel_id from channels where channel_id = any(%(channel_ids)s)

-- admit: described videos are known from now on
update videos v
set state = 1, channel = given.channel, published_at = given.published_at, lease_id = null, found_by = null
from unnest(%(vids)s::int[], %(channels)s::int[], %(published)s::timestamptz[]) as given (vid, channel, published_at)
where v.vid = given.vid and v.state <> 1

-- watch: new rows of the hot overlay, due now, for those that are to be watched
insert into watchlist (vid, id8, published_at)
select vid, id8, published_at
from unnest(%(vids)s::int[], %(id8s)s::bigint[], %(published)s::timestamptz[], %(watched)s::boolean[])
    as given (vid, id8, published_at, watched)
where watched
on conflict (vid) do nothing

-- schedules: where these videos stand, but for those polled since
select vid, polled_at, misses from watchlist
where vid = any(%(vids)s) and (polled_at is null or polled_at < %(until)s)
