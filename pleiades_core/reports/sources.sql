-- Like `by_arm` of storage/sql/roads.sql, for the days that SQL has forgotten.
select road, arm, coalesce(bucket, '') as bucket, count(*) as pulls, cast(sum(units) as bigint) as units,
       cast(sum(candidates) as bigint) as candidates, cast(sum(new) as bigint) as new, max(pulled_at) as last_pulled_at,
       arg_max(error, pulled_at) filter (where error is not null) as error,
       max(pulled_at) filter (where error is not null) as failed_at
from raw_pulls
where pulled_at > $since and not list_contains($kept, strftime(pulled_at at time zone 'UTC', '%Y-%m-%d'))
group by road, arm, bucket
order by road, arm, bucket
