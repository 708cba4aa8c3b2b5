"""The schema, as ordered and checksummed steps; running them again does nothing.

Belongs here: which migrations exist and how they are applied. Does not belong here: the steps (migrations/NNNN_title.sql).
A step that has been released is never edited; a change is a new step.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

import psycopg

from pleiades_core.errors import NoInstallation, SchemaMismatch
from pleiades_core.storage.database_errors import reason_of
from pleiades_core.storage.locks import MIGRATING, hold

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    title: str
    text: str

    @property
    def sha256(self) -> str:
        """Checksum of the text, kept in the database beside the version."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Every step this program knows, in order."""
    folder = resources.files("pleiades_core.storage.migrations")
    named = ((match, file) for file in folder.iterdir() if (match := _NAME.fullmatch(file.name)))
    found = (Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")) for match, file in named)
    return tuple(sorted(found, key=lambda m: m.version))


def migrate(connection: psycopg.Connection, steps: tuple[Migration, ...] | None = None) -> list[str]:
    """Apply the missing migrations, in one transaction.

    Args:
        connection: to the database, outside a transaction.
        steps: every migration, in order; None: those of this program.

    Returns:
        The titles of the migrations that were applied; empty if there was nothing to do.

    Raises:
        SchemaMismatch: the database is newer than this program, a migration was changed after it ran, or the schema was changed
            by hand so that a migration does not fit.
    """
    known = migrations() if steps is None else steps
    with connection.transaction():
        hold(connection, MIGRATING)
        connection.execute(
            "create table if not exists schema_migrations"
            " (version integer primary key, title text not null, sha256 text not null, applied_at timestamptz default now())"
        )
        applied = _check(connection, known)
        missing = [step for step in known if step.version not in applied]
        for step in missing:
            _apply(connection, step)
            connection.execute(
                "insert into schema_migrations (version, title, sha256) values (%s, %s, %s)",
                [step.version, step.title, step.sha256],
            )
    return [f"{step.version:04} {step.title}" for step in missing]


def has_schema(connection: psycopg.Connection) -> bool:
    """True for a database in which a migration of ours ran, whatever its version. Changes nothing."""
    with connection.transaction():
        found = connection.execute("select to_regclass('schema_migrations') is not null").fetchone()
    return bool(found and found[0])


def check_schema(connection: psycopg.Connection) -> None:
    """Refuse a database that this program does not fit. Changes nothing.

    Raises:
        NoInstallation: the database has no schema of ours.
        SchemaMismatch: the schema is older or newer than this program.
    """
    if not has_schema(connection):
        raise NoInstallation(
            f"no installation in the database {connection.info.dbname!r} that DATABASE_URL names",
            cure="correct DATABASE_URL; or `pleiades init-db` makes a new installation in this database",
        )
    with connection.transaction():
        known = migrations()
        applied = _check(connection, known)
    if missing := [f"{step.version:04} {step.title}" for step in known if step.version not in applied]:
        raise SchemaMismatch(f"the database lacks {', '.join(missing)}", cure="run `pleiades init-db`")


def _apply(connection: psycopg.Connection, step: Migration) -> None:
    """Run a migration. Raises SchemaMismatch if it meets tables or rows that no earlier migration made."""
    try:
        connection.execute(step.text)
    except psycopg.errors.InsufficientPrivilege:
        raise
    except (psycopg.ProgrammingError, psycopg.IntegrityError) as error:
        raise SchemaMismatch(
            f"migration {step.version:04} {step.title} does not fit the database: {reason_of(error)}",
            cure="somebody changed the schema by hand, and nothing was migrated: take that change back, or restore the database"
            " from a copy; then run `pleiades init-db`",
        ) from error


def _check(connection: psycopg.Connection, known: tuple[Migration, ...]) -> set[int]:
    by_version = {step.version: step for step in known}
    applied: dict[int, str] = dict(connection.execute("select version, sha256 from schema_migrations").fetchall())
    if newer := sorted(set(applied) - set(by_version)):
        raise SchemaMismatch(
            f"the database's schema is at version {newer[-1]:04}, this program knows {max(by_version, default=0):04}",
            cure="install the newer Pleiades that wrote it, or point DATABASE_URL at another database",
        )
    for version, sha256 in applied.items():
        if by_version[version].sha256 != sha256:
            raise SchemaMismatch(
                f"migration {version:04} is not the one that was applied to the database",
                cure="restore the released text of the migration; changes go into a new one",
            )
    return set(applied)
