"""Resources: the core's objects for assets. Loading a resource opens nothing; `open()` does, for the length of a block.

Belongs here: thin wrappers whose only configuration is the home of the installation. Keys and passwords stay in the
environment, `.env` or pleiades.toml and never become resource configuration, because the UI shows that. Does not belong here:
any work.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import dagster as dg

from pleiades_core.clock import Clock
from pleiades_core.installation import Installation, clock_of, open_installation, vault_of
from pleiades_core.settings import Settings, load_settings
from pleiades_core.vault.vault import Vault
from pleiades_core.youtube.keyring import KeyRing

# No `from __future__ import annotations`: Dagster tells a resource from a value by the annotation itself. No resource inside
# another: Dagster 1.13 calls its own deprecated API for those.


def settings_at(home: str) -> Settings:
    """The settings of the installation at `home`, read now. An empty home: the one that the environment names.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    return load_settings(Path(home) if home else None)


class Opener(Protocol):
    """The resource of assets that need an installation: anything that opens one."""

    def open(self) -> contextlib.AbstractContextManager[Installation]:
        """The installation, open for the length of a block."""
        ...


class InstallationResource(dg.ConfigurableResource[None]):
    """The whole installation: settings, clock, database, vault, and access to YouTube.

    It is opened, never made: a sensor in a wrong folder fails with NoInstallation. `pleiades ui` and `init-db` make one.
    """

    #: Empty: PLEIADES_HOME, else the default of the settings.
    home: str = ""

    @contextlib.contextmanager
    def open(self) -> Iterator[Installation]:
        """The installation, open for the length of a block."""
        with open_installation(settings_at(self.home)) as opened:
            yield opened
            # Results without the rows of damaged files are kept, but the run names these files and fails.
            opened.vault.require_whole_answers()


class SharedInstallation:
    """An installation that the caller opened and will close: hundreds of runs in one process share its connections."""

    def __init__(self, opened: Installation) -> None:
        self._opened = opened

    @contextlib.contextmanager
    def open(self) -> Iterator[Installation]:
        """The given installation."""
        self._opened.vault.damaged.clear()
        yield self._opened
        self._opened.vault.require_whole_answers()


class ClockResource(dg.ConfigurableResource[None]):
    """The clock of the data: the machine's, or the simulator's."""

    #: Empty: PLEIADES_HOME, else the default of the settings.
    home: str = ""

    def clock(self) -> Clock:
        """The installation's clock."""
        return clock_of(settings_at(self.home))


class VaultResource(dg.ConfigurableResource[None]):
    """The vault alone, for assets that need neither keys nor SQL: velocities and rankings."""

    #: Empty: PLEIADES_HOME, else the default of the settings.
    home: str = ""

    def open(self) -> Vault:
        """The vault; a folder or a bucket needs no closing."""
        return vault_of(settings_at(self.home))


class KeyRingResource(dg.ConfigurableResource[None]):
    """The projects and their remaining quota. The keys themselves never leave the core."""

    #: Empty: PLEIADES_HOME, else the default of the settings.
    home: str = ""

    @contextlib.contextmanager
    def open(self) -> Iterator[KeyRing]:
        """The key ring with its ledger, for the length of a block."""
        with open_installation(settings_at(self.home)) as opened:
            yield opened.key_ring()


def home_of_environment() -> str:
    """The home that the environment names, or empty: read when definitions are built, never at import."""
    return os.environ.get("PLEIADES_HOME", "")
