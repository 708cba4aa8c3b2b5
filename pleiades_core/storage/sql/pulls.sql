-- Pulls of the roads on their way to the vault: vault/pulls.py.

-- pulls_of_day: every pull between two instants, as the vault keeps them
select pulled_at, pull, road, arm, bucket, units, candidates, new, error from pulls
where pulled_at >= %(first)s and pulled_at < %(until)s
order by pulled_at, pull

-- pull_days: UTC days that have pulls before an instant
select distinct (pulled_at at time zone 'UTC')::date from pulls where pulled_at < %(before)s order by 1

-- forget_pulls: rows that were read back from the vault
delete from pulls where pull = any(%(pulls)s) and pulled_at >= %(first)s and pulled_at < %(until)s
