-- The day on which an installation was made: vault/first_day.py.

-- recorded_first_day: null until the first opening
select first_day from installation

-- record_first_day: the first opening records it; of two at once the earlier day stays
update installation set first_day = least(first_day, %(day)s) returning first_day
