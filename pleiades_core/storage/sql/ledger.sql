-- Quota: quota_ledger, one row per project, bucket and Pacific day. `usual` is the limit where the API itself named none.

-- debit: take units if that many are left; a row comes back exactly when they were taken
insert into quota_ledger as ledger (project, bucket, quota_day, spent)
select %(project)s, %(bucket)s, %(day)s, %(units)s::integer
where %(units)s::integer <= %(usual)s
   or exists (select from quota_ledger where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s)
on conflict (project, bucket, quota_day) do update
    set spent = ledger.spent + excluded.spent
    where not ledger.exhausted and ledger.spent + excluded.spent <= coalesce(ledger.quota_limit, %(usual)s)
returning spent;

-- ensure: a row to lock
insert into quota_ledger (project, bucket, quota_day) values (%(project)s, %(bucket)s, %(day)s)
on conflict do nothing;

-- lock: what is left, nobody else taking from it until this transaction ends
select case when exhausted then 0 else greatest(0, coalesce(quota_limit, %(usual)s) - spent) end
from quota_ledger
where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s
for update;

-- take: units that `lock` showed to be there
update quota_ledger set spent = spent + %(units)s
where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s;

-- give_back: reserved units that no call used
update quota_ledger set spent = greatest(0, spent - %(units)s)
where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s;

-- mark_exhausted: the API says that nothing is left, whatever we counted; others may use the same project
insert into quota_ledger as ledger (project, bucket, quota_day, quota_limit, exhausted)
values (%(project)s, %(bucket)s, %(day)s, %(told)s, true)
on conflict (project, bucket, quota_day) do update
    set exhausted = true, quota_limit = coalesce(excluded.quota_limit, ledger.quota_limit);

-- one: a single row of the ledger
select spent, quota_limit, exhausted from quota_ledger
where project = %(project)s and bucket = %(bucket)s and quota_day = %(day)s;

-- of_day: every row of one quota day
select project, bucket, quota_day, spent, quota_limit, exhausted from quota_ledger
where quota_day = %(day)s
order by project, bucket;

-- quarantine: keep a row that could not be understood
insert into quarantine (noticed_at, source, reason, content) values (%s, %s, %s, %s);

-- bound_quarantine: drop what is older than the newest rows
delete from quarantine
where noticed_at < (select noticed_at from quarantine order by noticed_at desc offset %(keep)s limit 1);
