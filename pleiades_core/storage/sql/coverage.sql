-- Which sources came upon which videos: reports/coverage.py.

-- name: masks
-- Videos published in an interval, by the set of sources that found them.
select sources, count(*) from videos
where state = 'admitted' and sources <> 0 and published_at >= %(since)s and published_at < %(until)s
group by sources

-- name: sample
-- Of these, so many, drawn by a hash.
select vid, sources from videos
where state = 'admitted' and sources <> 0 and published_at >= %(since)s and published_at < %(until)s
order by hashint8extended(id8, 7), vid limit %(limit)s
