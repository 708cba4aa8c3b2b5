-- Table pulls: what the roads asked, on its way to the vault.

-- record_pulls: what each question cost and brought
insert into pulls (pulled_at, road, arm, bucket, units, candidates, new, error)
select %(now)s, given.* from unnest(
    %(roads)s::text[], %(arms)s::text[], %(buckets)s::text[], %(units)s::int[], %(candidates)s::int[], %(new)s::int[], %(errors)s::text[]
) as given

-- last_pulls: when each arm of a road was last asked, and when it last answered, if only by a refusal of its own. What ended the
-- whole road stands with no arm too, and is no answer: as discover/usage.py counts
select arm, max(pulled_at) as asked_at, max(pulled_at) filter (where error is null or not exists (
        select 1 from pulls o
        where o.road = p.road and o.arm = '' and o.error = p.error
          and o.pulled_at between p.pulled_at and p.pulled_at + interval '10 minutes'
    )) as answered_at
from pulls p
where road = %(road)s and arm <> '' and pulled_at > %(since)s and pulled_at <= %(latest)s
group by arm

-- pulls_of_day: every pull between two instants, as the vault keeps them
select pulled_at, pull, road, arm, bucket, units, candidates, new, error from pulls
where pulled_at >= %(first)s and pulled_at < %(until)s
order by pulled_at, pull

-- pull_days: UTC days that have pulls before an instant
select distinct (pulled_at at time zone 'UTC')::date from pulls where pulled_at < %(before)s order by 1

-- forget_pulls: rows that were read back from the vault
delete from pulls where pull = any(%(pulls)s) and pulled_at >= %(first)s and pulled_at < %(until)s
