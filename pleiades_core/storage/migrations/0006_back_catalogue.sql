-- How far the past uploads of a channel were read. A row for each channel that a person added, and for each bulk of new uploads that
-- is too long for one list.

-- source: the source that is credited with the videos and decides whether age and quota count (discover/sources/base.py).
-- wanted: so many of the newest uploads, null: all. total: what YouTube says that the list holds. read: uploads that were read, in the
-- pass that came deepest; passed: in the present pass, which begins anew when its page token dies. restarts: passes in a row that
-- came no deeper. failures: failed pages in a row. cut: it was left before its end.
create table back_catalogues (
    channel     integer not null references channels on delete cascade,
    source      text not null check (source in ('added', 'uploads')),
    title       text not null default '',
    wanted      integer,
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
