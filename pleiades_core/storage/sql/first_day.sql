-- The day on which an installation was made: vault/first_day.py.

-- name: recorded_first_day
-- Null until the first opening.
select first_day from installation

-- name: record_first_day
-- The first opening records it; of two at once the earlier day stays. A recorded day before %(earliest)s, which a wrong clock
-- wrote, gives way.
update installation set first_day = least(case when first_day >= %(earliest)s then first_day end, %(day)s) returning first_day
