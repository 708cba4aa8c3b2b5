-- The schema. All tables together stay below 0.5 GB whatever the number of videos: texts and time series live in the vault.
-- Times are timestamptz. Leases use the database's clock; every other time is of the program's clock.

-- Installation: which installation this database is, and how far its vault had come when the database last wrote there
-- (vault/owner.py).

-- installation_id: written into the vault at its first use; a vault of another installation is refused.
-- epoch: changes when the database is restored, so that workers of the old database are refused.
-- vault_revision: number of the newest mark in the vault; 0: this database was never used with a vault. A vault with a higher
-- number was used by a newer copy of this database.
-- first_day: the UTC day on which the installation was made, by its own clock; null until then.
create table installation (
    only_row        boolean primary key default true check (only_row),
    installation_id uuid not null default gen_random_uuid(),
    epoch           uuid not null default gen_random_uuid(),
    vault_revision  bigint not null default 0,
    first_day       date,
    demo            boolean not null default false
);
insert into installation default values;

-- Every epoch that this installation has had. A batch file of an unknown epoch is foreign.
create table epochs (
    epoch uuid primary key,
    since timestamptz not null default now()
);
insert into epochs (epoch) select epoch from installation;

-- Videos and their discovery.

-- A vid is never given again, so it is a sequence and not max() + 1. bigint: 2 billion videos are a few years of 1 M a day.
create sequence vid as bigint;

create type video_state as enum (
    'claimed',   -- its details are not read yet
    'admitted',  -- described in the registry
    'gone'       -- given up: YouTube did not show it, or admission refused it
);

-- id8: the 64 bits that the 11-character id spells.
-- attempts: failed calls for its details while other calls were answered. absences: replies in a row that did not contain it.
-- retry_at: a claim is not described before this time; a video in state gone is not claimed again before it. null: at once.
-- found_by: source and target that found it, until it is in the registry; a claim outlives the hunt that made it.
-- sources: one bit for each source that found the video (discover/sources/base.py), for the overlap between sources.
create table videos (
    id8          bigint primary key,
    vid          bigint not null,
    state        video_state not null default 'claimed',
    channel      integer,
    published_at timestamptz,
    claimed_at   timestamptz not null,
    attempts     smallint not null default 0,
    absences     smallint not null default 0,
    retry_at     timestamptz,
    lease_id     uuid,
    sources      smallint not null default 0,
    found_by     text
) with (fillfactor = 80);
create unique index videos_vid on videos (vid);
-- Every portion of a hunt looks for claims among millions of described rows. The price: admitting a row is no update within its
-- page (9.1 MB of indexes become 10.6 MB for 100,000 rows).
create index videos_state_claimed on videos (claimed_at) where state = 'claimed';
-- Every portion counts the claims of the last day. Rows lie in the order of their claims: 24 kB say which blocks hold the last
-- day, where a b-tree would take 20 MB for 1 M rows.
create index videos_claimed_at on videos using brin (claimed_at) with (autosummarize = on);

-- Followed channels. Their number is bounded by PLEIADES_DISCOVERY_FOLLOWED_CHANNELS. Only columns without an index change, so
-- that every update stays in its page.
-- moved: uploads that the channel's video count announced and no uploads list has shown yet.
-- pinned: a person added the channel, so it is never forgotten.
create table channels (
    channel         integer generated always as identity primary key,
    channel_id      text not null unique,
    pinned          boolean not null default false,
    uploads_a_day   real not null default 0.5,      -- estimate; 0.5 for a channel without any reading
    moved           integer not null default 0,
    videos          integer,                        -- its videoCount when it was last checked; null: never checked
    checked_at      timestamptz,                    -- time of that check
    check_failed_at timestamptz,                    -- since the last check that succeeded: the last check that did not
    check_failures  smallint not null default 0,    -- such checks in a row, while other channels were answered
    listed_at       timestamptz,                    -- its uploads list was last read; null: never
    list_failed_at  timestamptz,                    -- its uploads list last showed nothing, or broke off, though its count had moved
    list_failures   smallint not null default 0,    -- in a row
    feed_at         timestamptz,                    -- its Atom feed was last read
    feed_failed_at  timestamptz,                    -- its Atom feed last failed
    feed_failures   smallint not null default 0,    -- in a row
    push_until      timestamptz,                    -- the hub confirmed its subscription until then
    push_asked_at   timestamptz,                    -- the hub was last asked for a subscription
    push_refusals   smallint not null default 0     -- in a row
) with (fillfactor = 60);

-- How far the past uploads of a channel were read. One row for each channel that a person added, and for each bulk of new uploads
-- that is too long for one list.
-- source: the source of discovery that is credited with the videos, and that decides whether age and quota count.
-- newest: number of the newest uploads to read; null: all. total: length of the list, as YouTube says.
-- read: uploads read by the pass that came deepest. passed: uploads read by the present pass, which begins again when its page
-- token dies. restarts: passes in a row that came no deeper. failures: failed pages in a row. cut: reading stopped before the end.
create table back_catalogues (
    channel     integer not null references channels on delete cascade,
    source      text not null check (source in ('added', 'uploads')),
    title       text not null default '',
    newest      integer,
    total       integer,
    read        integer not null default 0,
    passed      integer not null default 0,
    page_token  text,
    token_at    timestamptz,
    restarts    smallint not null default 0,
    failures    smallint not null default 0,
    failed_at   timestamptz,
    added_at    timestamptz not null,
    finished_at timestamptz,
    cut         boolean not null default false,
    primary key (channel, source)
);

-- Videos that arrived between two hunts: notices of the WebSub hub, and videos that people added.
create table inbox (
    source       text not null check (source in ('push', 'added')),
    id8          bigint not null,
    channel_id   text,
    published_at timestamptz,
    received_at  timestamptz not null,
    primary key (source, id8)
);

-- Search terms. requests, reward and mentions are discounted sums, as of scored_at and mentioned_at
-- (discover/search_queue/bandit.py).
create table search_queue (
    term             text primary key check (length(term) between 1 and 100),
    priority         integer not null default 0,
    added_at         timestamptz,
    mentions         real not null default 0,
    mentioned_at     timestamptz,
    requests         real not null default 0,
    reward           real not null default 0,
    scored_at        timestamptz,
    prior_mean       real,              -- reward for each request that a new term is expected to bring; null: the mean of all terms
    next_page_token  text,
    token_at         timestamptz,
    round_started_at timestamptz,       -- start of the round that the token belongs to
    searched_until   timestamptz,       -- start of the last round that was read to its end
    last_searched_at timestamptz,
    found            integer not null default 0
);

-- Campaigns through the past: the cell (month, category) that is being read, and the page in it.
-- cut: cells that were left before their last page, because a page token died or because the cell failed again and again.
-- failures: hunts in a row in which the cell failed while other searches were answered.
create table campaigns (
    name        text primary key,
    first_month date not null,
    last_month  date not null,
    categories  smallint[] not null,
    month       date not null,
    category    smallint not null,
    pages       smallint not null default 0,    -- pages of the cell that were read
    page_token  text,
    token_at    timestamptz,
    searches    integer not null default 0,
    found       integer not null default 0,
    cut         integer not null default 0,
    failures    integer not null default 0,
    finished_at timestamptz
);

-- Cost and yield of each source and target in one portion of a hunt. A row stays until its day is in the vault and a week is over.
create table discovery_requests (
    request      bigint generated always as identity primary key,
    requested_at timestamptz not null,
    source       text not null,
    target       text not null,              -- what the source asked for: a term, a chart, a month; empty: it has one target only
    bucket       text,                       -- bucket that the units were taken from; null: no cost
    units        integer not null,
    candidates   integer not null,
    new          integer not null,           -- candidates that no source had found before
    error        text
);

-- Rows of YouTube's replies that could not be parsed. The writer bounds their number whatever their times: the 100,000 rows of one
-- hostile reply had the same time.
create table quarantine (
    entry      bigint generated always as identity primary key, -- order of writing
    noticed_at timestamptz not null,
    method     text not null,                -- API method, feed or notice that the row came from
    reason     text not null,
    content    text not null,
    rows       integer not null default 1    -- rows of the reply that the entry stands for; their content is not kept if it is more than 1
);

-- Watchlist, leases, batches, closed days.

-- The hot overlay: a row here means "polled hot". There is no due column and no index on one: scanning 200,000 rows takes 35 ms, and
-- every update stays in its page (a b-tree on the due time kept none of them there).
create table watchlist (
    vid          bigint primary key,
    id8          bigint not null,
    published_at timestamptz not null,
    polled_at    timestamptz,                -- null: not polled yet
    misses       smallint not null default 0,
    lease_id     uuid
) with (fillfactor = 50);

create table leases (
    lease_id   uuid primary key,
    kind       text not null check (kind in ('track', 'hunt')),
    epoch      uuid not null,
    expires_at timestamptz not null,         -- database clock
    taken_at   timestamptz not null          -- program clock: which days its files may belong to
);

-- The manifest: one row for every batch file that counts. Files of kind 'track' move the schedule, files of kind 'hunt' admit videos.
create table batches (
    batch_id     uuid primary key,
    dataset      text not null check (dataset in ('samples', 'registry')),
    day          date not null,
    lease_id     uuid not null,
    sha256       text not null,
    rows         integer not null,
    bytes        integer not null,
    adopted      boolean not null default false,
    folded       boolean not null default false,    -- the file of the closed day contains it
    committed_at timestamptz not null
);
create index batches_day on batches (dataset, day);

-- Closed days: the newest generation of the file of each.
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

-- Quota belongs to (project, bucket, Pacific day), never to a key.
-- spent: reserved units included. quota_limit: the limit that the API itself named on that day; null: it has named none.
-- exhausted: the API said that nothing is left, whatever was counted.
create table quota_ledger (
    project     text not null,
    bucket      text not null,
    quota_day   date not null,
    spent       integer not null default 0 check (spent >= 0),
    quota_limit integer,
    exhausted   boolean not null default false,
    primary key (project, bucket, quota_day)
);

-- Units that each quota pool took of a bucket, and how much of its share has lapsed (youtube/shares.py).
create table quota_pool_usage (
    project   text not null,
    bucket    text not null,
    quota_day date not null,
    pool      text not null,
    spent     integer not null default 0 check (spent >= 0),
    lapsed    integer not null default 0,
    primary key (project, bucket, quota_day, pool),
    foreign key (project, bucket, quota_day) references quota_ledger on delete cascade
);

-- Keys that YouTube refused for good, by fingerprint; `pleiades doctor --call` tries them again.
create table retired_keys (
    fingerprint text primary key,
    project     text not null,
    reason      text not null,
    retired_at  timestamptz not null
);

-- Rules that several queries share. Each has a twin in Python, and tests/postgres/storage/test_rules.py compares the two. They are
-- plain expressions, so that PostgreSQL inlines them; a rule that adds an interval to a time is stable, or it would not be inlined.

-- The last poll of a video; null: there was none, or its time lies in the future, so that a wrong clock wrote it
-- (watchlist/cadence.py, Cadence.counted).
create function counted_poll(polled_at timestamptz, now timestamptz, ahead interval) returns timestamptz
    language sql stable
    return case when polled_at <= now + ahead then polled_at end;

-- The tier of a video by its age at its last poll (Cadence.tier).
create function tier_of(
    published_at timestamptz, polled_at timestamptz, misses integer, now timestamptz,
    hourly_below interval, daily_below interval, misses_until_weekly integer
) returns text
    language sql immutable
    return case
        when misses >= misses_until_weekly or coalesce(polled_at, now) - published_at >= daily_below then 'WEEKLY'
        when coalesce(polled_at, now) - published_at < hourly_below then 'HOURLY'
        else 'DAILY' end;

-- The time of the next poll; null: the video was not polled yet and is due now (Cadence.due_at).
create function next_poll_at(polled_at timestamptz, tier text, hourly interval, daily interval, weekly interval)
    returns timestamptz
    language sql stable
    return polled_at + case tier when 'HOURLY' then hourly when 'DAILY' then daily else weekly end;

-- What is left of a sum that was written at `since`, when `kept_a_day` of it stays after each day
-- (discover/search_queue/bandit.py, discounted).
create function discounted(value double precision, since timestamptz, now timestamptz, kept_a_day double precision)
    returns double precision
    language sql immutable
    return value * power(
        kept_a_day, greatest(0, extract(epoch from now - coalesce(since, now))::double precision / 86400)
    );

-- The reward that the next request of a term is expected to bring: its evidence, and `prior` as if it had been seen
-- `prior_requests` times (discover/search_queue/bandit.py, expected_reward).
create function expected_reward(
    requests double precision, reward double precision, prior double precision, prior_requests double precision
) returns double precision
    language sql immutable
    return (prior_requests * prior + reward) / (prior_requests + requests);

-- How much more than usual a term is expected to bring because tags mention it: 1 to 2 (discover/search_queue/bandit.py, mention_lift).
create function mention_lift(mentions double precision, most_mentions double precision) returns double precision
    language sql immutable
    return 1 + ln(1 + least(most_mentions, greatest(0, mentions))) / ln(1 + most_mentions);

-- The mean yield of all terms, from the sums of their yields and weights; `usual` counts as `pool_terms` terms do
-- (discover/search_queue/bandit.py, mean_reward).
create function mean_reward(
    yields double precision, weights double precision, usual double precision, pool_terms double precision
) returns double precision
    language sql immutable
    return (pool_terms * usual + yields) / (pool_terms + weights);

-- Units of a pool's share that have lapsed after `elapsed` of the `day_s` seconds of a quota day (youtube/shares.py, lapses).
create function pool_lapsed(
    quota bigint, share bigint, shares bigint, spent bigint, lapsed bigint, elapsed bigint, day_s bigint
) returns bigint
    language sql immutable
    return greatest(lapsed, quota * share / shares * elapsed / day_s - spent);

-- Units of a pool's share that are still kept for it (youtube/shares.py, set_aside).
create function pool_set_aside(quota bigint, share bigint, shares bigint, spent bigint, lapsed bigint) returns bigint
    language sql immutable
    return greatest(0, quota * share / shares - spent - lapsed);
