-- Table discovery_requests: what the sources asked, on its way to the vault.

-- name: record_requests
-- What each question cost and brought.
insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new, error)
select %(now)s, given.* from unnest(
    %(sources)s::text[], %(targets)s::text[], %(buckets)s::text[], %(units)s::int[], %(candidates)s::int[], %(new)s::int[], %(errors)s::text[]
) as given

-- name: last_requests
-- When each target of a source was last asked and when it last answered; a refusal of the target itself is an answer. A failure
-- that ended the whole source has no target and is no answer, as discover/usage.py counts.
select target, max(requested_at) as asked_at, max(requested_at) filter (where error is null or not exists (
        select 1 from discovery_requests o
        where o.source = p.source and o.target = '' and o.error = p.error
          and o.requested_at between p.requested_at and p.requested_at + interval '10 minutes'
    )) as answered_at
from discovery_requests p
where source = %(source)s and target <> '' and requested_at > %(since)s and requested_at <= %(latest)s
group by target

-- name: requests_of_day
-- Every request between two instants, as the vault keeps them.
select requested_at, request, source, target, bucket, units, candidates, new, error from discovery_requests
where requested_at >= %(first)s and requested_at < %(until)s
order by requested_at, request

-- name: request_days
-- UTC days that have requests before an instant.
select distinct (requested_at at time zone 'UTC')::date from discovery_requests where requested_at < %(before)s order by 1

-- name: forget_requests
-- Rows that were read back from the vault.
delete from discovery_requests where request = any(%(requests)s) and requested_at >= %(first)s and requested_at < %(until)s
