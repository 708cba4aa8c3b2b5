-- The server: its sessions (storage/locks.py) and its clock (storage/checked_clock.py).

-- name: lock_holders
-- Sessions that hold locks on tables of ours or advisory locks, the oldest transaction first. A session that only reads blocks
-- nothing but a migration, so it is named only when no other one is there.
with held as (
    select l.pid, bool_or(l.mode <> 'AccessShareLock') as writes
    from pg_locks l left join pg_class c on l.locktype = 'relation' and c.oid = l.relation
    where l.granted and l.pid <> pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())
      and (l.locktype = 'advisory' or c.relnamespace = any (select oid from pg_namespace where nspname = any (current_schemas(false))))
    group by l.pid
)
select a.pid, coalesce(nullif(a.application_name, ''), 'no name') as application, coalesce(a.usename, '?') as role,
    coalesce(a.state, 'state unknown') as state, coalesce(a.xact_start, a.state_change) as since
from held join pg_stat_activity a using (pid)
where held.writes or not exists (select 1 from held where writes)
order by since nulls first, a.pid
limit 3

-- name: clock
-- The server's time, which goes on within a transaction.
select clock_timestamp()
