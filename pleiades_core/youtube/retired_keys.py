"""Retired keys: refusals that outlive the program.

Belongs here: the table `retired_keys`. Does not belong here: when a key is retired or restored (keyring.py, key_check.py).
"""

from __future__ import annotations

import logging

from pleiades_core.clock import Clock
from pleiades_core.errors import StorageError
from pleiades_core.storage.postgres import Database
from pleiades_core.storage.queries import load_queries

_SQL = load_queries("keys")
log = logging.getLogger(__name__)


class RetiredKeys:
    """The table of retired keys, which holds fingerprints and no keys. Safe to share between threads."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def reasons(self) -> dict[str, str]:
        """Why each retired key is retired, by fingerprint."""
        with self._database.transaction() as connection:
            return dict(connection.execute(_SQL.retired).fetchall())

    def add(self, fingerprint: str, project: str, reason: str) -> bool:
        """Record that a key is retired.

        A table that cannot be written costs one more refused call in the next process, not this call.

        Args:
            fingerprint: of the key.
            project: of the key.
            reason: the API's reason.

        Returns:
            False if it was recorded before.
        """
        row = {"fingerprint": fingerprint, "project": project, "reason": reason, "now": self._clock.now()}
        try:
            with self._database.transaction() as connection:
                return connection.execute(_SQL.retire, row).fetchone() is not None
        except StorageError as error:
            log.warning("that key %s is retired could not be kept: %s", fingerprint, type(error).__name__)
            return True

    def remove(self, fingerprint: str) -> None:
        """Forget that a key was retired."""
        with self._database.transaction() as connection:
            connection.execute(_SQL.restore, {"fingerprint": fingerprint})
