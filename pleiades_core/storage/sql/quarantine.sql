-- Table quarantine: youtube/quarantine.py.

-- keep: keep a row that could not be understood
insert into quarantine (noticed_at, source, reason, content) values (%s, %s, %s, %s)

-- bound: drop what is older than the newest rows
delete from quarantine
where noticed_at < (select noticed_at from quarantine order by noticed_at desc offset %(keep)s limit 1)
