-- Which roads came upon which videos: insights/coverage.py.

-- masks: videos published within a while, by the set of roads that came upon them
select roads, count(*) from videos
where state = 1 and roads <> 0 and published_at >= %(since)s and published_at < %(until)s
group by roads

-- sample: of these, so many, drawn by a hash
select vid, roads from videos
where state = 1 and roads <> 0 and published_at >= %(since)s and published_at < %(until)s
order by hashint8extended(id8, 7), vid limit %(limit)s
