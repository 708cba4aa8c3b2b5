-- name: record_batch
-- Record a batch file; repeating it changes nothing.
insert into batches (batch_id, dataset, day, lease_id, sha256, rows, bytes, adopted, committed_at)
values (%(batch_id)s, %(dataset)s, %(day)s, %(lease_id)s, %(sha256)s, %(rows)s, %(bytes)s, %(adopted)s, %(now)s)
on conflict (batch_id) do nothing
returning batch_id

-- name: known_batches
-- What is committed of one day.
select batch_id, sha256, rows, folded from batches where dataset = %(dataset)s and day = %(day)s

-- name: unfolded_days
-- Days with committed batches that no closed day holds yet.
select distinct dataset, day from batches where not folded order by day, dataset

-- name: mark_folded
-- The day's file holds these batches.
update batches set folded = true
where dataset = %(dataset)s and day = %(day)s and not folded and batch_id = any(%(batch_ids)s)

-- name: record_day
-- The newest generation of a closed day; an older one does not come back.
insert into days (dataset, day, generation, sha256, rows, bytes, batches, closed_at)
values (%(dataset)s, %(day)s, %(generation)s, %(sha256)s, %(rows)s, %(bytes)s, %(batches)s, %(now)s)
on conflict (dataset, day) do update set
    generation = excluded.generation, sha256 = excluded.sha256, rows = excluded.rows, bytes = excluded.bytes,
    batches = excluded.batches,
    closed_at = case when days.sha256 = excluded.sha256 then days.closed_at else excluded.closed_at end
where days.generation <= excluded.generation

-- name: day
-- A closed day.
select generation, sha256, rows, batches from days where dataset = %(dataset)s and day = %(day)s

-- name: sweepable_days
-- Closed days whose file has held its batches for long enough.
select dataset, day, sha256 from days where closed_at < %(before)s and sha256 <> '' order by day, dataset

-- name: forget_batches
-- Rows of batches that a closed day holds.
delete from batches where dataset = %(dataset)s and day = %(day)s and folded and batch_id = any(%(batch_ids)s)

-- name: all_batches
-- The whole manifest.
select dataset, day, batch_id, sha256, rows from batches order by dataset, day, batch_id

-- name: all_days
-- Every closed day that was not given up.
select dataset, day, sha256, rows from days where sha256 <> '' order by dataset, day

-- name: forget_batch
-- A batch that was given up.
delete from batches where batch_id = %(batch_id)s

-- name: forget_day
-- A closed day that was given up; its row stays for the generation, so that the next file is a newer one.
update days set sha256 = '', rows = 0, bytes = 0, batches = 0 where dataset = %(dataset)s and day = %(day)s

-- name: unfold_day
-- The file that held these batches was given up; those whose files are there are folded again.
update batches set folded = false where dataset = %(dataset)s and day = %(day)s
