"""The size of the databases, their server, and the size that raises an alarm.

Does not belong here: showing it (ops/doctor.py, pleiades_dagster/run_checks.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries, records

#: The promise is 0.5 GB, Dagster's own tables included; the alarm comes at 80 % of it, while there is time.
MOST_SQL_BYTES = 400_000_000

_SQL = load_queries("footprint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The databases of an installation."""

    pleiades_bytes: int
    #: Bytes of Dagster's database, if it is on this server; else 0.
    dagster_bytes: int
    #: Name and version of the server.
    server: str

    @property
    def bytes(self) -> int:
        """Bytes of both databases."""
        return self.pleiades_bytes + self.dagster_bytes


def footprint(database: Database) -> Footprint:
    """The sizes now."""
    with database.transaction() as connection:
        (found,) = records(connection, Footprint, _SQL.footprint)
    return found
