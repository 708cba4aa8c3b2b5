-- Table quarantine: youtube/quarantine.py.

-- name: one_writer
-- Serialise writers, so that the limit on rows holds; readers do not wait.
lock table quarantine in share row exclusive mode

-- name: keep
-- Keep rows that could not be understood.
insert into quarantine (noticed_at, method, reason, content, rows)
select %(now)s, %(method)s, given.* from unnest(%(reasons)s::text[], %(contents)s::text[], %(rows)s::int[]) as given

-- name: bound
-- Drop what is older than the newest rows.
delete from quarantine where entry <= (select entry from quarantine order by entry desc offset %(keep)s limit 1)
