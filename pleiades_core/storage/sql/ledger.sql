-- Quota: quota_ledger has one row per project, bucket and Pacific day, quota_pool_usage one per pool of it (youtube/quota.py).

-- name: lock_bucket
-- The bucket's limit of the day, with its row locked until the transaction ends. No row: nothing was written on this day yet.
-- The limit is the one that the API named on this day, or the one that the settings grant, or the newest one that the API named
-- since `since`, or the usual one. A statement of its own: `take` must see the pools' rows as they are once the lock is held.
select coalesce(quota_limit, %(granted)s, (
    select earlier.quota_limit
    from quota_ledger as earlier
    where earlier.project = %(project)s and earlier.bucket = %(bucket)s and earlier.quota_limit is not null
      and earlier.quota_day >= %(since)s and earlier.quota_day < %(day)s
    order by earlier.quota_day desc
    limit 1
), %(usual)s)::bigint as quota
from quota_ledger
where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s
for update

-- name: take
-- Take for one pool as many units as are free for it, between `least` and `most`, and note what has lapsed of each pool's share.
-- Needs the lock of `lock_bucket`. No row: fewer than `least` units are free.
with account as (
    select share.pool, share.units as share, coalesce(usage.spent, 0) as spent,
           pool_lapsed(%(quota)s, share.units, %(shares)s, coalesce(usage.spent, 0), coalesce(usage.lapsed, 0),
                       %(elapsed)s, %(of)s)::integer as lapsed
    from unnest(%(pools)s::text[], %(pool_shares)s::bigint[]) as share (pool, units)
    left join quota_pool_usage as usage
      on usage.project = %(project)s and usage.bucket = %(bucket)s and usage.quota_day = %(day)s and usage.pool = share.pool
), free as (
    select case when ledger.exhausted then 0 else least(%(most)s, greatest(0, %(quota)s - ledger.spent - (
        select coalesce(sum(pool_set_aside(%(quota)s, share, %(shares)s, spent, lapsed)), 0) from account where pool <> %(pool)s
    ))) end::integer as units
    from quota_ledger as ledger
    where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s
), taken as (
    update quota_ledger as ledger
    set spent = spent + free.units
    from free
    where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s and free.units >= %(least)s
    returning free.units
), noted as (
    insert into quota_pool_usage as usage (project, bucket, quota_day, pool, spent, lapsed)
    select %(project)s, %(bucket)s, %(day)s, pool, case when pool = %(pool)s then taken.units else 0 end, lapsed
    from (
        select pool, lapsed from account
        union all
        select %(pool)s, 0 where %(pool)s <> all (%(pools)s::text[])
    ) as pools, taken
    on conflict (project, bucket, quota_day, pool) do update
        set spent = usage.spent + excluded.spent, lapsed = greatest(usage.lapsed, excluded.lapsed)
        where excluded.spent > 0 or excluded.lapsed > usage.lapsed
)
select units from taken

-- name: ensure
-- A row to lock.
insert into quota_ledger (project, bucket, quota_day) values (%(project)s, %(bucket)s, %(day)s)
on conflict do nothing

-- name: give_back
-- Return units that no call used: reserved units, or the unit of a call that was never sent.
with returned as (
    update quota_ledger set spent = greatest(0, spent - %(units)s)
    where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s
    returning project, bucket, quota_day
)
update quota_pool_usage as usage set spent = greatest(0, usage.spent - %(units)s)
from returned
where usage.project = returned.project and usage.bucket = returned.bucket and usage.quota_day = returned.quota_day
  and usage.pool = %(pool)s

-- name: mark_exhausted
-- The API says that nothing is left, whatever was counted here: other programs may use the same project.
insert into quota_ledger as ledger (project, bucket, quota_day, quota_limit, exhausted)
values (%(project)s, %(bucket)s, %(day)s, %(told)s, true)
on conflict (project, bucket, quota_day) do update
    set exhausted = true, quota_limit = coalesce(excluded.quota_limit, ledger.quota_limit)

-- name: buckets_of_day
-- Every bucket of one quota day, or of one project and bucket of it, with the units and lapses of its pools.
select project, bucket, spent, exhausted,
       coalesce(jsonb_object_agg(pool, pool_spent) filter (where pool is not null), '{}') as spent_by,
       coalesce(jsonb_object_agg(pool, lapsed) filter (where pool is not null), '{}') as lapsed_by
from (
    select ledger.project, ledger.bucket, ledger.spent, ledger.exhausted, usage.pool, usage.spent as pool_spent, usage.lapsed
    from quota_ledger as ledger left join quota_pool_usage as usage using (project, bucket, quota_day)
    where ledger.quota_day = %(day)s
      and (%(project)s::text is null or ledger.project = %(project)s) and (%(bucket)s::text is null or ledger.bucket = %(bucket)s)
) as pools
group by project, bucket, spent, exhausted
order by project, bucket

-- name: told
-- The newest limit that the API named, and the day, by project and bucket.
select distinct on (project, bucket) project, bucket, quota_limit, quota_day
from quota_ledger
where project = any(%(projects)s) and quota_limit is not null and quota_day >= %(since)s and quota_day <= %(day)s
order by project, bucket, quota_day desc

-- name: prune
-- Forget the days before one.
delete from quota_ledger where quota_day < %(before)s

-- name: debited
-- Units that were ever taken, by bucket.
select bucket, sum(spent)::bigint from quota_ledger group by 1 order by 1
