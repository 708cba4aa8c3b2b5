-- Quota: quota_ledger, one row per project, bucket and Pacific day. Its quota_limit is the one that the API named on that day.
-- A day's limit is that, or what the settings grant, or what the API named on one of the days from `since` on, or the `usual` one.

-- take: for one pool as many units as are free for it, between `least` and `most`; no row when fewer are, or none was written yet
with held as (
    select *, coalesce(quota_limit, %(granted)s, (
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
), shared as (
    select *,
        quota * %(hunting_share)s / %(shares)s as hunting_units,
        quota * %(tracking_share)s / %(shares)s as tracking_units,
        quota * %(archeology_share)s / %(shares)s as archeology_units
    from held
), lapsing as (
    select *,
        greatest(hunting_lapsed, hunting_units * %(elapsed)s / %(of)s - hunting) as hunting_gone,
        greatest(tracking_lapsed, tracking_units * %(elapsed)s / %(of)s - tracking) as tracking_gone,
        greatest(archeology_lapsed, archeology_units * %(elapsed)s / %(of)s - archeology) as archeology_gone
    from shared
), free as (
    select *,
        case when exhausted then 0 else least(%(most)s, greatest(0, quota - spent
            - case when %(pool)s = 'hunting' then 0 else greatest(0, hunting_units - hunting - hunting_gone) end
            - case when %(pool)s = 'tracking' then 0 else greatest(0, tracking_units - tracking - tracking_gone) end
            - case when %(pool)s = 'archeology' then 0 else greatest(0, archeology_units - archeology - archeology_gone) end
        )) end as granted
    from lapsing
)
update quota_ledger as ledger
set spent = free.spent + granted,
    hunting = free.hunting + case when %(pool)s = 'hunting' then granted else 0 end,
    tracking = free.tracking + case when %(pool)s = 'tracking' then granted else 0 end,
    archeology = free.archeology + case when %(pool)s = 'archeology' then granted else 0 end,
    hunting_lapsed = hunting_gone,
    tracking_lapsed = tracking_gone,
    archeology_lapsed = archeology_gone
from free
where ledger.project = free.project and ledger.bucket = free.bucket and ledger.quota_day = free.quota_day
  and granted >= %(least)s
returning granted;

-- ensure: a row to take from
insert into quota_ledger (project, bucket, quota_day) values (%(project)s, %(bucket)s, %(day)s)
on conflict do nothing;

-- give_back: units that no call used, reserved ones or of a call that was never sent
update quota_ledger
set spent = greatest(0, spent - %(units)s),
    hunting = greatest(0, hunting - case when %(pool)s = 'hunting' then %(units)s else 0 end),
    tracking = greatest(0, tracking - case when %(pool)s = 'tracking' then %(units)s else 0 end),
    archeology = greatest(0, archeology - case when %(pool)s = 'archeology' then %(units)s else 0 end)
where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s;

-- mark_exhausted: the API says that nothing is left, whatever we counted; others may use the same project
insert into quota_ledger as ledger (project, bucket, quota_day, quota_limit, exhausted)
values (%(project)s, %(bucket)s, %(day)s, %(told)s, true)
on conflict (project, bucket, quota_day) do update
    set exhausted = true, quota_limit = coalesce(excluded.quota_limit, ledger.quota_limit);

-- one: a single row of the ledger
select spent, exhausted, hunting, tracking, archeology, hunting_lapsed, tracking_lapsed, archeology_lapsed
from quota_ledger
where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s;

-- of_day: every row of one quota day
select project, bucket, spent, exhausted, hunting, tracking, archeology
from quota_ledger
where quota_day = %(day)s
order by project, bucket;

-- told: the newest limit that the API named, and the day, by project and bucket
select distinct on (project, bucket) project, bucket, quota_limit, quota_day
from quota_ledger
where project = any(%(projects)s) and quota_limit is not null and quota_day >= %(since)s and quota_day <= %(day)s
order by project, bucket, quota_day desc;

-- prune: forget the days before one
delete from quota_ledger where quota_day < %(before)s;

-- debited: units that were ever taken, by bucket
select bucket, sum(spent)::bigint from quota_ledger group by 1 order by 1;
