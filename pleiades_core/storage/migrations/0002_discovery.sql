-- Every source to videos: what following a channel costs and yields, what waits to be described, what each request brought.

-- Followed channels are bounded by the program (PLEIADES_FOLLOWED_CHANNELS). Only columns without an index change, so that an
-- update stays in its page.
alter table channels
    add column videos        integer,                        -- its videoCount when it was last checked; null: never
    add column checked_at    timestamptz,                    -- when that was
    add column moved         integer not null default 0,     -- uploads that the count announced and no list has shown yet
    add column feed_at       timestamptz,                    -- when its Atom feed was last read, or failed
    add column feed_failures smallint not null default 0,    -- in a row
    add column uploads_a_day real not null default 0.5,      -- estimate; a channel that nobody looked at yet is an average one
    add column push_until    timestamptz,                    -- the hub confirmed its subscription until then
    add column push_asked_at timestamptz,                    -- when the hub was last asked
    add column push_refusals smallint not null default 0;    -- in a row
alter table channels set (fillfactor = 60);

-- One bit for each source that came upon the video: discover/sources/base.py names them. For the overlap between sources.
-- found_by: where a claimed video was found, until it is in the registry; a claim outlives the hunt that made it.
alter table videos add column sources smallint not null default 0, add column found_by text;

-- What came in from outside between two hunts: notices of the hub, and what people added.
create table inbox (
    source         text not null check (source in ('push', 'added')),
    id8          bigint not null,
    channel_id   text,
    published_at timestamptz,
    received_at  timestamptz not null,
    primary key (source, id8)
);

-- requests and reward are discounted sums, as of scored_at (discover/bandit.py); mentions fade too.
alter table search_queue
    alter column mentions type real,
    add column added_at      timestamptz,
    add column mentioned_at  timestamptz,
    add column requests         real not null default 0,
    add column reward        real not null default 0,
    add column scored_at     timestamptz,
    add column prior_mean    real;                           -- reward a call that is expected of a new term; null: the usual

-- What each question of each source cost and brought. Kept until its day is in the vault and a week has passed.
create table discovery_requests (
    request       bigint generated always as identity primary key,
    requested_at  timestamptz not null,
    source       text not null,
    target        text not null,              -- of the source: a term, a chart, a month; empty where the source is one target
    bucket     text,                       -- that the units were taken from; null: it cost none
    units      integer not null,
    candidates integer not null,
    new        integer not null,           -- of the candidates, those that no source had come upon before
    error      text
);

-- The archeologist's way through the past: the cell (month, category) that is being read, and the page in it.
create table campaigns (
    name        text primary key,
    first_month date not null,
    last_month  date not null,
    categories  smallint[] not null,
    month       date not null,
    category    smallint not null,
    pages       smallint not null default 0,    -- of the cell, read so far
    page_token  text,
    token_at    timestamptz,
    searches    integer not null default 0,
    found       integer not null default 0,
    finished_at timestamptz
);

-- Keys that YouTube refused for good, by fingerprint; `pleiades doctor --call` tries them again.
create table retired_keys (
    fingerprint text primary key,
    project     text not null,
    reason      text not null,
    retired_at  timestamptz not null
);

-- Who spent what, and what of each pool's share has lapsed: pools share a project's bucket without starving one another
-- (youtube/shares.py).
alter table quota_ledger
    add column hunting    integer not null default 0 check (hunting >= 0),
    add column tracking   integer not null default 0 check (tracking >= 0),
    add column archeology integer not null default 0 check (archeology >= 0),
    add column hunting_lapsed    integer not null default 0,
    add column tracking_lapsed   integer not null default 0,
    add column archeology_lapsed integer not null default 0;
