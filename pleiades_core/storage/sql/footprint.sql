-- What the databases hold: reports/footprint.py.

-- name: footprint
-- Bytes of this database, and of the one beside it that has its name with `_dagster` after it; 0: it is elsewhere.
select pg_database_size(current_database()) as pleiades_bytes,
    coalesce((select pg_database_size(oid) from pg_database where datname = current_database() || '_dagster'), 0) as dagster_bytes,
    split_part(version(), ' on ', 1) as server
