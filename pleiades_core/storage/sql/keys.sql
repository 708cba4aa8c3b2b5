-- Keys that YouTube refused for good: retired_keys, by fingerprint. Keys themselves are in no table.

-- name: retired
-- Every one of them.
select fingerprint, reason from retired_keys;

-- name: retire
-- Use a key no more; a row comes back when it was in use until now.
insert into retired_keys (fingerprint, project, reason, retired_at)
values (%(fingerprint)s, %(project)s, %(reason)s, %(now)s)
on conflict do nothing
returning fingerprint;

-- name: restore
-- A key that works again.
delete from retired_keys where fingerprint = %(fingerprint)s;
