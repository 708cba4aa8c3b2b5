"""An open installation: settings, clock, database, vault, and YouTube at its first use.

Belongs here: putting the parts together, in one place, for the command line, Dagster and tests. Does not belong here: what the
parts do.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from pleiades_core.clock import Clock, SimulatorClock, SystemClock
from pleiades_core.discover.hunter import Hunter
from pleiades_core.errors import ConfigurationError, NoInstallation
from pleiades_core.settings import Settings
from pleiades_core.storage.migrate import migrations
from pleiades_core.storage.postgres import Database, open_database
from pleiades_core.track.tracker import Tracker
from pleiades_core.vault.first_day import record_first_day
from pleiades_core.vault.ownership import begin_work, require_owned
from pleiades_core.vault.vault import Vault, open_vault, require_room
from pleiades_core.youtube.api import YouTube, open_youtube
from pleiades_core.youtube.feeds import Feeds
from pleiades_core.youtube.keyring import KeyRing, open_keyring


class Installation:
    """The parts of Pleiades, wired. Closed by the block that opened it."""

    def __init__(
        self, settings: Settings, clock: Clock, database: Database, vault: Vault, exit_stack: contextlib.ExitStack,
        sleep: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.settings = settings
        self.clock = clock
        self.database = database
        self.vault = vault
        self._exit_stack = exit_stack
        self._sleep = sleep
        self._youtube: YouTube | None = None
        self._feeds: Feeds | None = None

    @property
    def is_new(self) -> bool:
        """True when this opening made the installation: the first step of the schema was applied by it."""
        first = migrations()[0]
        return f"{first.version:04} {first.title}" in self.database.applied

    def youtube(self) -> YouTube:
        """Access to YouTube, opened at first use.

        Raises:
            ConfigurationError: there are no keys.
        """
        if self._youtube is None:
            if self.settings.demo:
                _require_simulator(self.settings)
            opening = open_youtube(self.settings, self.database, self.clock, sleep=self._sleep)
            self._youtube = self._exit_stack.enter_context(opening)
        return self._youtube

    def feeds(self) -> Feeds:
        """Atom feeds, which need no key; opened at first use."""
        if self._feeds is None:
            self._feeds = Feeds(self.settings.youtube.feeds_root, self.settings.youtube.call_deadline_s)
            self._exit_stack.callback(self._feeds.close)
        return self._feeds

    def hunter(self) -> Hunter:
        """The Hunter of this installation.

        Raises:
            VaultError: the vault has no room for the videos that a hunt would find.
        """
        require_room(self.vault)
        begin_work(self.database, self.vault)
        return Hunter(self.database, self.vault, self.youtube(), self.feeds(), self.clock, self.settings)

    def tracker(self) -> Tracker:
        """The Tracker of this installation.

        Raises:
            VaultError: the vault has no room for the samples that a tick would write.
        """
        require_room(self.vault)
        begin_work(self.database, self.vault)
        return Tracker(self.database, self.vault, self.youtube(), self.clock, self.settings)

    def key_ring(self) -> KeyRing:
        """The keys in use and their ledger; without any key an empty ring. Nothing is sent."""
        return open_keyring(self.settings, self.database, self.clock)


def _require_simulator(settings: Settings) -> None:
    """Check with one request that the demo's simulator runs: it does only while the UI is open. Else calls would be retried."""
    try:
        SimulatorClock(settings.youtube.url).now()
    except ConfigurationError:
        raise ConfigurationError(
            f"the simulator of this demo does not run at {settings.youtube.url}",
            cure=f"it runs while `pleiades --home {settings.home} ui` is open; `pleiades demo` plays anew",
        ) from None


def clock_of(settings: Settings) -> Clock:
    """The machine's clock, or that of the simulator at `youtube_url`."""
    if settings.clock == "simulator":
        return SimulatorClock(settings.youtube.url, settings.simulator_stopped_at)
    return SystemClock()


def vault_of(settings: Settings, *, create: bool = False) -> Vault:
    """The vault alone, for commands that need neither keys nor SQL.

    Raises:
        NoInstallation: the vault is missing, and `create` is not given.
        VaultError: the vault cannot be used.
    """
    root = settings.vault_root.absolute()
    # `isdir` and not `Path.is_dir`, which raises below a folder that may not be entered.
    if not create and not os.path.isdir(root):  # noqa: PTH112
        raise NoInstallation(
            f"no installation at {settings.home.absolute()}: there is no vault {root}",
            cure="check --home, PLEIADES_HOME, PLEIADES_VAULT_URL and the current folder;"
            " `pleiades init-db` makes what is missing",
        )
    return open_vault(settings.vault_root, create=create)


@contextlib.contextmanager
def open_installation(
    settings: Settings,
    *,
    create: bool = False,
    upgrade: bool = False,
    clock: Clock | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Installation]:
    """Everything but YouTube, open for the length of a block.

    Args:
        settings: Where the installation is.
        create: Make the database, its schema and the vault where they are missing. Without it nothing is made.
        upgrade: Bring an older schema up to date.
        clock: The clock; None: the one that the settings name.
        sleep: How a failed call waits for its next attempt.

    Yields:
        The installation.

    Raises:
        NoInstallation: There is none, and `create` is not given.
        ForeignVault, OlderDatabase: Database and vault do not belong together.
        DatabaseUnreachable, SchemaMismatch, VaultError, ConfigurationError: A part of it cannot be used.

    """
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(open_database(settings, create=create, upgrade=upgrade))
        vault = vault_of(settings, create=create)
        require_owned(database, vault)
        time_source = clock or clock_of(settings)
        record_first_day(settings, database, time_source)
        yield Installation(settings, time_source, database, vault, stack, sleep)
