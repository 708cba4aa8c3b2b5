"""Connections to PostgreSQL: ours or the operator's, opened late, pooled, closed with the program.

Belongs here: reaching a database and making sure it is the right one. Does not belong here: any query on our tables (they
stand in sql/*.sql and are called by the module that owns the decision).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import psycopg
import psycopg_pool
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from pleiades_core.errors import ConfigurationError, DatabaseUnreachable, NoInstallation
from pleiades_core.settings import Settings
from pleiades_core.storage.database_errors import meaning_of, reason_of
from pleiades_core.storage.embedded import embedded, embedded_url
from pleiades_core.storage.locks import lock_error
from pleiades_core.storage.migrate import check_schema, has_schema, migrate

#: The oldest server that was tested: `generated always as identity`, `gen_random_uuid()`, `unnest` of several arrays.
_OLDEST_SERVER = 150_000
#: Passwords among the parameters after the question mark of a URL.
_PASSWORD_IN_QUERY = re.compile(r"(\b(?:ssl)?password=)[^&]*")
#: Name of our database on the embedded server.
_EMBEDDED_NAME = "pleiades"
#: How long a statement waits for a lock of another session, on rows, on tables or advisory. A backup tool or a forgotten `psql`
#: may hold one for hours.
LOCK_WAIT = timedelta(seconds=30)
#: How long a transaction waits for a connection: long enough for a server that restarts.
CONNECTION_WAIT_S = 30.0


class Database:
    """A pool of connections to one database. Every use is one transaction: committed at the end, rolled back on an error.

    An error of the server or the network in a block of `transaction` or `session` is raised as a StorageError. A defect of
    Pleiades stays a psycopg.Error.
    """

    def __init__(self, url: str, *, max_connections: int = 12, lock_wait: timedelta = LOCK_WAIT) -> None:
        self.url = url
        self._lock_wait = lock_wait
        #: Titles of the migrations that opening it applied; empty when it was up to date.
        self.applied: list[str] = []
        self._pool = psycopg_pool.ConnectionPool[psycopg.Connection[TupleRow]](
            url,
            min_size=1,
            max_size=max_connections,
            open=False,
            check=_require_alive,
            kwargs={
                # Everything is UTC to the second; a server in another zone must not change what `date` means.
                "options": f"-c timezone=UTC -c lock_timeout={lock_wait // timedelta(milliseconds=1)}",
                "connect_timeout": 10, "application_name": "pleiades",
            },
        )  # fmt: skip

    def open(self) -> None:
        """Connect.

        Raises:
            DatabaseUnreachable: no server answers, or it is too old. The message does not have the password.
        """
        try:
            # A single attempt first: the pool would retry for its whole timeout, and its error says less.
            with psycopg.connect(self.url, connect_timeout=10) as probe:
                if probe.info.server_version < _OLDEST_SERVER:
                    raise DatabaseUnreachable(
                        f"PostgreSQL {probe.info.server_version // 10_000} is too old", cure="use PostgreSQL 15 or newer"
                    )
        except psycopg.OperationalError as error:
            raise DatabaseUnreachable(
                f"no connection to {without_password(self.url)}: {str(error).strip()}",
                cure="check DATABASE_URL and that the server runs; unset it to use the embedded server",
            ) from None
        try:
            with self._explained():
                self._pool.open(wait=True, timeout=CONNECTION_WAIT_S)
        except BaseException:
            self._pool.close()
            raise

    def close(self) -> None:
        """Give every connection back."""
        self._pool.close()

    @contextlib.contextmanager
    def transaction(self, *, within_s: float | None = None) -> Iterator[psycopg.Connection[TupleRow]]:
        """A connection inside one transaction.

        Args:
            within_s: seconds to wait for a free connection; None: 30.

        Yields:
            The connection.

        Raises:
            DatabaseUnreachable: there is no connection, or it broke. After a break at the commit it is unknown whether the
                commit counts.
            DatabaseBusy: a lock, a deadlock or a time limit of the server ended the transaction.
            StorageError: the server cannot do it: it is read-only, its disk is full, or a right is missing.
        """
        with (
            self._explained(),
            self._pool.connection(timeout=CONNECTION_WAIT_S if within_s is None else within_s) as connection,
        ):
            yield connection

    @contextlib.contextmanager
    def session(self) -> Iterator[psycopg.Connection[TupleRow]]:
        """A connection on which each statement is a transaction: for a lock that is held longer than a transaction may last.

        Raises:
            StorageError: as `transaction` raises it.
        """
        with self._explained(), self._pool.connection(timeout=CONNECTION_WAIT_S) as connection:
            connection.autocommit = True
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.autocommit = False

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the server and the network into our errors."""
        place = without_password(self.url)
        try:
            yield
        except psycopg_pool.PoolTimeout as error:
            raise DatabaseUnreachable(
                f"no connection to {place} in time: {self._trouble()}",
                cure="check that the PostgreSQL server runs and has connections left, then run the command again",
            ) from error
        except psycopg_pool.PoolClosed:
            raise
        except psycopg.errors.LockNotAvailable as error:
            raise lock_error(self.url, place, self._lock_wait) from error
        except psycopg.Error as error:
            known = meaning_of(error, place)
            if known is None:
                raise
            raise known from error

    def _trouble(self) -> str:
        """Why there is no connection: the message of one more attempt."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.Error as error:
            return reason_of(error)
        return "the server answers, but all connections of this program are in use"

    def has_schema(self) -> bool:
        """True when the database holds an installation, of whatever version."""
        with self.transaction() as connection:
            return has_schema(connection)

    def check(self) -> None:
        """Refuse a schema that this program does not fit.

        Raises:
            NoInstallation: there is no schema of ours.
            SchemaMismatch: the schema is older or newer than this program.
        """
        with self.transaction() as connection:
            check_schema(connection)

    def migrate(self) -> list[str]:
        """Bring the schema up to this program; the titles of what was applied."""
        with self.transaction() as connection:
            self.applied = migrate(connection)
        return self.applied


def _require_alive(connection: psycopg.Connection[TupleRow]) -> None:
    """Refuse a pooled connection that the server ended while it was idle; the pool then makes another. Raises psycopg.Error.

    A server that ends a session sends a message first. A round trip is made only if there is one, so a healthy connection costs
    none.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        psycopg_pool.ConnectionPool.check_connection(connection)


@contextlib.contextmanager
def open_database(settings: Settings, *, create: bool = False, upgrade: bool = False) -> Iterator[Database]:
    """The installation's database for the length of a block, with a schema that fits.

    Args:
        settings: name the database; without DATABASE_URL it is the embedded one.
        create: make the server, the database and its schema where they are missing.
        upgrade: bring an older schema up to date. The schema of the embedded server is always brought up to date: no other
            program uses it.

    Yields:
        The database, open.

    Raises:
        NoInstallation: something is missing, and `create` is not given.
        DatabaseUnreachable: no server answers.
        SchemaMismatch: the schema is older or newer than this program.
    """
    is_embedded = settings.database.url is None
    if is_embedded and not create and not is_initialised(settings.postgres_folder):
        raise NoInstallation(
            f"no installation at {settings.home.absolute()}: there is no database {settings.postgres_folder.absolute()}"
        )
    with database_url(settings) as url:
        if create or is_embedded:
            ensure_database(url)
        database = Database(url)
        database.open()
        try:
            if is_embedded or upgrade or (create and not database.has_schema()):
                database.migrate()
            else:
                database.check()
            yield database
        finally:
            database.close()


def is_initialised(folder: Path) -> bool:
    """True for a folder in which an embedded server keeps its data. Looks at one file; starts nothing."""
    # `initdb` writes this file. Not `Path.exists`, which raises for a folder that may not be entered.
    return os.access(folder / "PG_VERSION", os.F_OK)


@contextlib.contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of the installation's database; the embedded server, made if it is missing, runs as long as the block does."""
    if settings.database.url:
        yield _checked(settings.database.url)
        return
    with embedded(settings.postgres_folder) as server:
        yield embedded_url(server, _EMBEDDED_NAME)


def _checked(url: str, variable: str = "DATABASE_URL") -> str:
    """The URL, if every reader of it sees the same parts. Raises ConfigurationError, which does not repeat the URL.

    A password with a character that is not percent-encoded makes libpq take a part of it for a host or a port, and show that
    part in its errors.
    """
    cure = (
        f"write {variable} as postgresql://user:password@host:5432/name, with @ / ? # % in the password as %40 %2F %3F %23 %25"
    )
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(
            f"{variable} is not the URL of a PostgreSQL database", cure=f"{cure}; or unset it to use the embedded server"
        )
    try:
        parts, known = urlsplit(url), {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
        # We hide what we take for the password, so libpq must take the same part for it.
        given = unquote(parts.password) if parts.password is not None else dict(parse_qsl(parts.query)).get("password", "")
        readable = given == known.get("password", "") and "@" not in parts.path + known.get("host", "")
        readable = readable and all(not port or port.isdigit() for port in known.get("port", "").split(","))
    except (ValueError, psycopg.ProgrammingError):
        readable = False
    if not readable:
        raise ConfigurationError(f"{variable} cannot be read: a character in it is not percent-encoded", cure=cure)
    return url


class DagsterUrls(NamedTuple):
    """Dagster's database, in the forms of its two readers."""

    #: As `DATABASE_URL` is written.
    plain: str
    #: With the driver.
    sqlalchemy: str


def dagster_urls(settings: Settings, url: str) -> DagsterUrls:
    """The URLs of Dagster's database: the one that the settings name, or the one beside `url`.

    The driver is named because a bare `postgresql://` means psycopg 3 since SQLAlchemy 2.1, with which dagster-postgres fails
    (`NOTIFY` with a parameter; dagster issue 33958).

    Raises:
        ConfigurationError: the URL in the settings cannot be read.
    """
    parts = urlsplit(_checked(settings.database.dagster_url, "DAGSTER_PG_URL") if settings.database.dagster_url else url)
    path = parts.path if settings.database.dagster_url else f"{parts.path or '/postgres'}_dagster"
    schemes = ("postgresql", "postgresql+psycopg2")
    return DagsterUrls(*(urlunsplit(parts._replace(scheme=scheme, path=path)) for scheme in schemes))


def ensure_database(url: str) -> None:
    """Create the database that `url` names if its server lacks it.

    Raises:
        DatabaseUnreachable: the server cannot be reached, or refuses.
    """
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    try:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=10):
            return
        admin = urlunsplit(parts._replace(path="/postgres"))
        with psycopg.connect(admin, autocommit=True, connect_timeout=10) as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
            if known is None:
                # Another process may create it at the same moment: the server finds that by the name, or by its index.
                with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise DatabaseUnreachable(
            f"database {name!r} cannot be reached or created: {str(error).strip()}",
            cure="check DATABASE_URL and that the server runs, or create the database by hand: createdb",
        ) from None


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    query = _PASSWORD_IN_QUERY.sub(r"\1***", parts.query)
    if parts.password is None:
        return urlunsplit(parts._replace(query=query))
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}", query=query))
