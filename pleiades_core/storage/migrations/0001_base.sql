-- The first schema. Everything here is small by promise (< 0.5 GB whatever the number of videos): texts and time series live in
-- the vault. Times are timestamptz; leases alone use the database's clock, everything else the clock of the program.

-- One row: who this database is. `epoch` changes when it is restored, so that workers of the old one are refused.
create table installation (
    only_row boolean primary key default true check (only_row),
    epoch    uuid not null default gen_random_uuid(),
    demo     boolean not null default false
);
insert into installation default values;

-- 30-day-old rows leave for the registry in the vault; vid never comes back, so it is a sequence and not max() + 1.
create sequence vid as integer;

create table channels (
    channel      integer generated always as identity primary key,
    channel_id   text not null unique,
    listed_at    timestamptz            -- when its uploads list was last read; null: never
);

-- id8: the 64 bits that the 11-character id spells. state: 0 claimed, 1 admitted, 2 gone before its details were read.
create table videos (
    id8          bigint primary key,
    vid          integer not null,
    state        smallint not null default 0 check (state in (0, 1, 2)),
    channel      integer,
    published_at timestamptz,
    claimed_at   timestamptz not null,
    attempts     smallint not null default 0,   -- how often it could not be described while others could
    lease_id     uuid
) with (fillfactor = 80);
create unique index videos_vid on videos (vid);

create table leases (
    lease_id   uuid primary key,
    kind       text not null check (kind in ('track', 'hunt')),
    epoch      uuid not null,
    expires_at timestamptz not null,    -- database clock
    taken_at   timestamptz not null     -- program clock: what day its files may belong to
);

-- The hot overlay: a row here means "polled hot". No due column and no index on it: 35 ms to scan 200,000 rows, and every
-- update stays in its page (storage measurements: a btree on due made none of them do so).
create table watchlist (
    vid          integer primary key,
    id8          bigint not null,
    published_at timestamptz not null,
    polled_at    timestamptz,           -- null: not yet
    misses       smallint not null default 0,
    lease_id     uuid
) with (fillfactor = 50);

-- A row for every file that counts: the manifest. kind 'track' files move the schedule, 'hunt' files admit videos.
create table batches (
    batch_id     uuid primary key,
    dataset      text not null check (dataset in ('samples', 'registry')),
    day          date not null,
    lease_id     uuid not null,
    sha256       text not null,
    rows         integer not null,
    bytes        integer not null,
    adopted      boolean not null default false,
    folded       boolean not null default false,   -- the day's file holds it
    committed_at timestamptz not null
);
create index batches_day on batches (dataset, day);

-- Days that were closed: one file each, of which this is the newest generation.
create table days (
    dataset    text not null,
    day        date not null,
    generation integer not null,
    sha256     text not null,
    rows       bigint not null,
    bytes      bigint not null,
    batches    integer not null,
    closed_at  timestamptz not null,
    primary key (dataset, day)
);

-- Quota belongs to (project, bucket, Pacific day), never to a key. spent includes what is reserved. quota_limit is what the
-- API itself said, null until it has.
create table quota_ledger (
    project     text not null,
    bucket      text not null,
    quota_day   date not null,
    spent       integer not null default 0 check (spent >= 0),
    quota_limit integer,
    exhausted   boolean not null default false,
    primary key (project, bucket, quota_day)
);

create table search_queue (
    term             text primary key check (length(term) between 1 and 100),
    priority         integer not null default 0,
    mentions         integer not null default 0,
    next_page_token  text,
    token_at         timestamptz,
    round_started_at timestamptz,       -- of the round that the token belongs to
    searched_until   timestamptz,       -- start of the last round that was read to its end
    last_searched_at timestamptz,
    found            integer not null default 0
);

-- Rows of replies that could not be understood. Bounded by the writer.
create table quarantine (
    noticed_at timestamptz not null,
    source     text not null,
    reason     text not null,
    content    text not null
);
