-- Like `by_target` of storage/sql/sources.sql, for the days that SQL has forgotten.
select source, target, coalesce(bucket, '') as bucket, count(*) as requests, cast(sum(units) as bigint) as units,
       cast(sum(candidates) as bigint) as candidates, cast(sum(new) as bigint) as new, max(requested_at) as last_requested_at,
       arg_max(error, requested_at) filter (where error is not null) as error,
       max(requested_at) filter (where error is not null) as failed_at
from raw_discovery_requests
where requested_at > $since and not list_contains($kept, strftime(requested_at at time zone 'UTC', '%Y-%m-%d'))
group by source, target, bucket
order by source, target, bucket
