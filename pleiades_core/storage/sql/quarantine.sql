-- Table quarantine: youtube/quarantine.py.

-- one_writer: writers come one after another, so that none misses what another has just written and the bound holds for all;
-- readers are not kept waiting
lock table quarantine in share row exclusive mode

-- keep: keep rows that could not be understood
insert into quarantine (noticed_at, source, reason, content, rows)
select %(now)s, %(source)s, given.* from unnest(%(reasons)s::text[], %(contents)s::text[], %(rows)s::int[]) as given

-- bound: drop what is older than the newest rows
delete from quarantine where entry <= (select entry from quarantine order by entry desc offset %(keep)s limit 1)
