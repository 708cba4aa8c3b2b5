-- What YouTube did not say once is asked again: when, and how often it has not been there.

-- absences: replies in a row that did not have it. retry_at: of a claim, not to be described before; of what was given up, not
-- to be claimed again before, though a source comes upon it. null: at once.
alter table videos add column absences smallint not null default 0, add column retry_at timestamptz;
-- What waits to be described is looked for in every portion of a hunt, among millions of rows that are described. The price:
-- admitting a row is no update within its page any more (9.1 MB of indexes become 10.6 MB for 100,000 rows).
create index videos_waiting on videos (claimed_at) where state = 0;
-- And what was claimed of late is counted in every portion. Rows are claimed in the order in which they lie: 24 kB say which blocks
-- hold the last day, where a b-tree would take 20 MB for 1 M rows.
create index videos_claimed on videos using brin (claimed_at) with (autosummarize = on);

-- feed_failed_at: when its feed last failed; feed_at is when it was last read. pinned: a person named it, so it is not forgotten.
alter table channels add column feed_failed_at timestamptz, add column pinned boolean not null default false;
-- Until now a failure was noted as a reading.
update channels set feed_failed_at = feed_at where feed_failures > 0;
-- list_failed_at, list_failures: when its uploads list last showed nothing or broke off though its count had moved, and how often
-- in a row.
alter table channels add column list_failed_at timestamptz, add column list_failures smallint not null default 0;
-- check_failed_at: since its last count, when a check last said nothing of it; checked_at is when it was last counted. check_failures:
-- how often in a row that was its own doing, as far as one can see: others were answered for.
alter table channels add column check_failed_at timestamptz, add column check_failures smallint not null default 0;

-- cut: cells that were left before their last page, because the token of the next one had died, or because they failed for ever.
-- failures: hunts in a row in which the cell failed while others were answered.
alter table campaigns add column cut integer not null default 0, add column failures smallint not null default 0;
