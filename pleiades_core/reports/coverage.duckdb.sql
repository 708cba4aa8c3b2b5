-- Languages and categories of the sampled videos (`sampled`: vid, sources). A region of a language is no language of its own.
with described as (
    select r.vid, lower(split_part(coalesce(nullif(r.language, ''), 'unknown'), '-', 1)) as language,
           coalesce(cast(r.category_id as varchar), 'unknown') as category
    from raw_videos r join sampled using (vid)
    qualify is_first_description(r.vid, r.discovered_at, r.title)
)
select d.language, d.category, s.sources, count(*) as videos
from described d join sampled s using (vid)
group by all order by all
