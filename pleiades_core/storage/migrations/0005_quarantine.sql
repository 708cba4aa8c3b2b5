-- The quarantine is bounded by number of rows, whatever their instants: the 100,000 rows of one hostile reply had the same one.

-- entry: the order in which rows were written. rows: of the reply, that the entry stands for; more than one where only their number
-- is kept.
alter table quarantine
    add column entry bigint generated always as identity primary key,
    add column rows  integer not null default 1;
