"""PostgreSQL that fails in mid-run: an error of ours with a cause and a cure, never a traceback, and work goes on afterwards.

Real servers throughout: sessions that are ended, limits that are reached, locks that another session holds, a killed server.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from pleiades_core.discover.admission.pipeline import AdmissionPipeline
from pleiades_core.errors import DatabaseBusy, DatabaseUnreachable, PleiadesError, SchemaMismatch, StorageError
from pleiades_core.installation import Installation
from pleiades_core.storage import postgres
from pleiades_core.storage.database_errors import meaning_of
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_core.storage.locks import lock_discovery
from pleiades_core.storage.migrate import Migration, migrate, migrations
from pleiades_core.storage.postgres import Database, ensure_database
from pleiades_core.track.tracker import Tracker

_BACKEND = "select pg_terminate_backend(%s)"


@contextlib.contextmanager
def _psql(url: str, name: str = "backup-tool") -> Iterator[psycopg.Connection]:
    """A session of somebody else."""
    with psycopg.connect(url, application_name=name, autocommit=True) as connection:
        yield connection


def _own_session(database: Database, statement: str, *words: object) -> None:
    with database.transaction() as connection:
        connection.execute(statement, words)


def _terminated(database: Database) -> None:
    with database.transaction() as connection, _psql(database.url) as admin:
        admin.execute(_BACKEND, [connection.info.backend_pid])
        connection.execute("select count(*) from watchlist")


def _terminated_session(database: Database) -> None:
    with database.session() as connection, _psql(database.url) as admin:
        admin.execute(_BACKEND, [connection.info.backend_pid])
        connection.execute("select 1")


def _terminated_at_commit(database: Database) -> None:
    with database.transaction() as connection, _psql(database.url) as admin:
        connection.execute("insert into watchlist (vid, id8, published_at) values (1, 1, now())")
        admin.execute(_BACKEND, [connection.info.backend_pid])


def _too_slow(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("set local statement_timeout = 10")
        connection.execute("select pg_sleep(600)")


def _read_only(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("set transaction read only")
        connection.execute("insert into watchlist (vid, id8, published_at) values (1, 1, now())")


def _idle_too_long(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("set local idle_in_transaction_session_timeout = 1")
        while not _is_gone(database, connection.info.backend_pid):
            pass
        connection.execute("select 1")


def _is_gone(database: Database, pid: int) -> bool:
    with _psql(database.url) as admin:
        return not admin.execute("select 1 from pg_stat_activity where pid = %s", [pid]).fetchall()


def _no_right(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("create role stranger")
        connection.execute("set local role stranger")
        connection.execute("select * from watchlist")


def _disk_full(database: Database) -> None:
    _own_session(database, "do $$ begin raise exception using errcode = '53100', message = 'could not extend file'; end $$")


def _out_of_memory(database: Database) -> None:
    _own_session(database, "do $$ begin raise exception using errcode = '53200', message = 'out of shared memory'; end $$")


def _damaged(database: Database) -> None:
    _own_session(database, "do $$ begin raise exception using errcode = 'XX001', message = 'invalid page in block 0'; end $$")


def _deadlock(database: Database) -> None:
    """Two transactions that each wait for the other one's row."""
    with _psql(database.url) as admin:
        admin.execute("insert into watchlist (vid, id8, published_at) values (1, 1, now()), (2, 2, now())")
    update = "update watchlist set misses = misses + 1 where vid = %s"
    both = threading.Barrier(2)
    errors: list[PleiadesError] = []

    def cross(first: int, second: int) -> None:
        try:
            with database.transaction() as connection:
                connection.execute(update, [first])
                both.wait(30)
                connection.execute(update, [second])
        except StorageError as error:
            errors.append(error)

    threads = [threading.Thread(target=cross, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (error,) = errors
    raise error


#: Of an ended session libpq tells either the server's last words or that the connection broke: whichever it comes upon first.
FAILURES: dict[str, tuple[Callable[[Database], None], type[StorageError], str]] = {
    "a session that the server ends": (_terminated, DatabaseUnreachable, "ended the connection"),
    "a session for long work that the server ends": (_terminated_session, DatabaseUnreachable, "ended the connection"),
    "a session that ends before its commit": (_terminated_at_commit, DatabaseUnreachable, "ended the connection"),
    "statement_timeout": (_too_slow, DatabaseBusy, "statement timeout"),
    "read-only": (_read_only, StorageError, "read-only"),
    "idle_in_transaction_session_timeout": (_idle_too_long, DatabaseBusy, "waited for Pleiades too long|ended the connection"),
    "a missing right": (_no_right, StorageError, "permission denied"),
    "a full disk": (_disk_full, StorageError, "no room on its disk"),
    "no memory": (_out_of_memory, StorageError, "lacks a resource"),
    "damaged pages": (_damaged, StorageError, "invalid page"),
    "a deadlock": (_deadlock, DatabaseBusy, "deadlock"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_server_is_an_error_with_a_cure_and_the_next_transaction_works(database: Database, failure: str) -> None:
    fail, kind, words = FAILURES[failure]
    with pytest.raises(StorageError, match=words) as caught:
        fail(database)
    error = caught.value
    assert type(error) is kind or (kind is DatabaseBusy and type(error) is DatabaseUnreachable)
    assert error.exit_code == 6
    assert error.retry_helps is (kind is not StorageError)
    assert "again" in error.cure or "role" in error.cure or "primary" in error.cure
    _own_session(database, "select 1")


def test_a_defect_stays_a_defect(database: Database) -> None:
    """A wrong statement, a value that does not fit, a broken constraint: an error of the program, for its log."""
    for statement, kind in (
        ("selekt", psycopg.ProgrammingError),
        ("select 1/0", psycopg.DataError),
        ("insert into installation default values", psycopg.IntegrityError),
    ):
        with pytest.raises(kind):
            _own_session(database, statement)
    assert meaning_of(psycopg.InterfaceError("cursor closed"), "x") is None


def test_a_session_that_was_ended_while_it_was_idle_is_replaced_without_an_error(database: Database) -> None:
    """A restart between two transactions, or `idle_session_timeout`."""
    with database.transaction() as connection:
        pid = connection.info.backend_pid
    with _psql(database.url) as admin:
        admin.execute(_BACKEND, [pid])
    while not _is_gone(database, pid):
        pass
    with database.transaction() as connection:
        assert connection.info.backend_pid != pid


def test_connections_that_are_all_in_use_are_an_error_that_says_so(database_url: str) -> None:
    small = Database(database_url, max_connections=1)
    small.open()
    try:
        with (
            small.transaction(),
            pytest.raises(DatabaseUnreachable, match="connections of this program are in use"),
            small.transaction(within_s=0.01),
        ):
            pass
    finally:
        small.close()


def _let_in(url: str, role: str) -> None:
    """Let each user that may be `postgres` on the embedded server be this role too."""
    file = Path(str(psycopg.conninfo.conninfo_to_dict(url)["host"])) / "pg_ident.conf"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, *(line.replace(" postgres", f" {role}") for line in lines if line[0] != "#"), ""]))


def test_a_server_without_a_free_connection_is_an_error_that_says_so(database_url: str) -> None:
    """Refused at the door of one database, as `max_connections` refuses at that of the server."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    limit = psycopg.sql.SQL("alter database {} connection limit 1").format(psycopg.sql.Identifier(str(name)))
    with _psql(database_url) as admin:
        admin.execute(limit)
        admin.execute("create role clerk login")
        _let_in(database_url, "clerk")
        admin.execute("select pg_reload_conf()")
        as_clerk = database_url.replace("://postgres", "://clerk")
        assert as_clerk != database_url
        with pytest.raises(DatabaseUnreachable, match="too many connections"):
            Database(as_clerk).open()


def test_a_lock_that_somebody_else_holds_ends_the_wait_and_names_the_holder(database_url: str) -> None:
    """On a table, on a row, and advisory: each by a session that sits idle in its transaction."""
    database = Database(database_url, lock_wait=timedelta(milliseconds=50))
    database.open()
    add = "insert into watchlist (vid, id8, published_at) values (1, 1, now()) on conflict (vid) do update set misses = 1"
    _own_session(database, add)
    waits: list[tuple[str, Callable[[psycopg.Connection], object]]] = [
        ("lock table watchlist in access exclusive mode", lambda connection: connection.execute("select * from watchlist")),
        ("select * from watchlist for update", lambda connection: connection.execute(add)),
        ("select pg_advisory_lock(7236022)", lock_discovery),
    ]
    try:
        for locking, waiting in waits:
            with _psql(database_url, "night-backup") as holder, contextlib.suppress(psycopg.errors.AdminShutdown):
                holder.autocommit = False
                holder.execute(locking)
                pid = holder.info.backend_pid
                with pytest.raises(DatabaseBusy) as caught, database.transaction() as connection:
                    waiting(connection)
                assert f"held by pid {pid} (night-backup, role postgres, idle in transaction since 20" in str(caught.value)
                assert f"pg_terminate_backend({pid})" in caught.value.cure
    finally:
        database.close()


def test_a_migration_does_not_wait_for_ever_either(database_url: str) -> None:
    """It needs tables for itself, so a session that only reads one holds it up."""
    database = Database(database_url, lock_wait=timedelta(milliseconds=50))
    database.open()
    try:
        with _psql(database_url, "pg_dump") as holder:
            holder.autocommit = False
            holder.execute("select * from schema_migrations")
            with pytest.raises(DatabaseBusy, match=r"held by pid \d+ \(pg_dump"), database.transaction() as connection:
                connection.execute("alter table schema_migrations add column more int")
    finally:
        database.close()


def test_a_lock_is_waited_for_thirty_seconds_by_default(database: Database) -> None:
    with database.transaction() as connection:
        assert connection.execute("show lock_timeout").fetchone() == ("30s",)


def test_an_older_schema_that_was_changed_by_hand_is_refused_with_the_cure(database_url: str) -> None:
    """A column that a later step adds is there already; nothing is half-migrated."""
    with _psql(database_url) as admin:
        admin.execute("create database older")
        older = database_url.replace(str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]), "older")
    with psycopg.connect(older) as connection:
        first, *_ = migrations()
        connection.execute(first.text)
        connection.execute(
            "create table schema_migrations (version integer primary key, title text not null, sha256 text not null,"
            " applied_at timestamptz default now())"
        )
        connection.execute("insert into schema_migrations values (%s, %s, %s)", [first.version, first.title, first.sha256])
        connection.execute("alter table installation add column later uuid")
    database = Database(older)
    database.open()
    try:
        steps = (first, Migration(2, "later", "alter table installation add column later uuid"))
        with (
            pytest.raises(SchemaMismatch, match=r"does not fit the database: .*already exists") as caught,
            database.transaction() as connection,
        ):
            migrate(connection, steps)
        assert "by hand" in caught.value.cure
        with database.transaction() as connection:
            assert connection.execute("select max(version) from schema_migrations").fetchone() == (1,)
    finally:
        database.close()


def _work_while_it_is_killed(database: Database, postmaster: int) -> None:
    with database.transaction() as connection:
        os.kill(postmaster, signal.SIGKILL)
        while True:
            connection.execute("select 1")


def test_a_killed_postmaster_ends_a_run_with_its_cause(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In the middle of a transaction, and before the next one."""
    folder = tmp_path_factory.mktemp("pg") / "d"
    with embedded(folder) as server:
        url = embedded_url(server, "ours")
        ensure_database(url)
        database = Database(url)
        database.open()
        try:
            with pytest.raises(DatabaseUnreachable, match="ended the connection"):
                _work_while_it_is_killed(database, int((folder / "postmaster.pid").read_text().splitlines()[0]))
            with (
                pytest.raises(DatabaseUnreachable, match=r"no connection to .* in time: ") as caught,
                database.transaction(within_s=0.1),
            ):
                pass
            assert "check that the PostgreSQL server runs" in caught.value.cure
        finally:
            database.close()


@pytest.mark.parametrize("work", ["track", "hunt"])
def test_ctrl_c_while_the_database_is_away_stays_ctrl_c(
    pleiades: Installation, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """The lease cannot be ended then; that must not hide why the program ends."""
    monkeypatch.setattr(postgres, "CONNECTION_WAIT_S", 0.1)
    name = psycopg.sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(pleiades.database.url)["dbname"]))

    class Interrupted(BaseException):
        pass

    pleiades.hunter().hunt()
    pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    worker = pleiades.tracker() if work == "track" else pleiades.hunter()
    patched: tuple[type, str] = (Tracker, "_poll") if work == "track" else (AdmissionPipeline, "_describe")

    def interrupted(*_: object) -> None:
        with _psql(pleiades.database.url.replace(f"/{name.as_string().strip(chr(34))}?", "/postgres?")) as admin:
            admin.execute(psycopg.sql.SQL("alter database {} allow_connections false").format(name))
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname like 'test_%'")
        raise Interrupted

    monkeypatch.setattr(*patched, interrupted)
    with pytest.raises(Interrupted):
        getattr(worker, work)()


_WAITS = (
    "select pid from pg_stat_activity where datname = current_database() and application_name = 'pleiades'"
    " and wait_event_type = 'Lock'"
)


@contextlib.contextmanager
def _command_that_waits(tmp_path: Path, database: Database) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`pleiades terms add` while another session holds its table; and the session of the command, once it waits."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PLEIADES_", "YOUTUBE_"))}
    environment |= {"DATABASE_URL": database.url, "PLEIADES_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "pleiades_dagster.cli", "terms", "add", "chess"]
    with (
        _psql(database.url) as holder,
        holder.transaction(),
        holder.execute("lock table search_queue in access exclusive mode"),
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        ) as process,
    ):
        try:
            with _psql(database.url) as admin:
                while not (found := admin.execute(_WAITS).fetchone()):
                    assert process.poll() is None, process.communicate()
            yield process, found[0]
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_that_waits_for_a_lock_can_be_stopped(tmp_path: Path, database: Database, number: int, code: int) -> None:
    with _command_that_waits(tmp_path, database) as (process, _):
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out == ""
    assert "Traceback" not in err


def test_a_command_whose_session_is_ended_ends_with_six_a_cause_and_a_cure(tmp_path: Path, database: Database) -> None:
    with _command_that_waits(tmp_path, database) as (process, pid):
        with _psql(database.url) as admin:
            admin.execute(_BACKEND, [pid])
        _, err = process.communicate(timeout=60)
    assert process.returncode == 6, err
    assert "error: PostgreSQL at " in err
    assert "ended the connection: terminating connection due to administrator command" in err
    assert "cure:  check that the server runs" in err
    assert "Traceback" not in err
