"""The operating system's account under which the embedded PostgreSQL runs: ours, or for root an unprivileged one.

Belongs here: choosing that account and starting a program under it. Does not belong here: what PostgreSQL is told (cluster.py).

PostgreSQL refuses to run as root. Root's server runs as the owner of the data folder, and a new folder belongs to a system user
of our own. No folder is opened to that user: the server is started inside its data folder and never looks that path up. If the
programs lie in a closed folder (a .venv below /root), the server gets one capability: to read and search folders, not to write.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pleiades_core.errors import ConfigurationError

#: Not the wheel's account `pgserver`: programs of one account can read each other's files.
_SYSTEM_USER = "pleiades-postgres"
_MAKE_USER = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _SYSTEM_USER)
_OTHERWISE = "run Pleiades as an ordinary user, or set DATABASE_URL to a server of your own (15 or newer)"


@dataclass(frozen=True, slots=True)
class SystemAccount:
    """An account and how to start a program under it."""

    uid: int
    gid: int
    name: str
    #: Arguments of `subprocess` that start a program under the account; empty for our own.
    options: dict[str, Any]
    #: The program that starts the program under the account, where the options alone cannot.
    prefix: tuple[str, ...] = ()

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program under the account.

        Args:
            command: the program and its arguments.
            **options: passed on to `subprocess.run`.

        Raises:
            OSError: the program cannot be started.
        """
        return subprocess.run([*self.prefix, *command], check=False, **options, **self.options)  # noqa: S603  our own programs


def account_of(folder: Path) -> SystemAccount:
    """The account for the server of `folder`, which may be missing.

    Raises:
        ConfigurationError: the folder belongs to another user, or root has no unprivileged account to use.
    """
    owner = _owner(folder)
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise ConfigurationError(
                f"{folder} belongs to another user (number {owner})", cure="run Pleiades as that user, or give another --home"
            )
        return SystemAccount(os.geteuid(), os.getegid(), user_name(os.geteuid()), {})
    if owner == 0 and (folder / "PG_VERSION").exists():
        raise ConfigurationError(
            f"{folder} belongs to root, and PostgreSQL does not run as root",
            cure=f"give it to an ordinary user: chown -R USER {folder}; or {_OTHERWISE}",
        )
    entry = _user(owner) if owner else _system_user()
    options = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return SystemAccount(entry.pw_uid, entry.pw_gid, entry.pw_name, options)


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be looked at: {error.strerror}",
            cure="run Pleiades as the owner of the home, or give --home a folder that you may write to",
        ) from None


def user_name(uid: int) -> str:
    """The name of a user.

    Raises:
        ConfigurationError: the number has no name on this system.
    """
    return _user(uid).pw_name


def _user(uid: int) -> pwd.struct_passwd:
    """The system's entry of a user. Raises ConfigurationError when there is none: PostgreSQL knows users by their names."""
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise ConfigurationError(
            f"the user with number {uid} has no name on this system, which PostgreSQL needs",
            cure=f"add the user to /etc/passwd; or {_OTHERWISE}",
        ) from None


def reaching(account: SystemAccount, program: Path) -> SystemAccount:
    """The account, changed so that it can run a program.

    Raises:
        ConfigurationError: the program lies in a folder that the account cannot be let into.
    """
    if not account.options or _runs(account, program):
        return account
    change = (f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
    # Without the security bit, access(2), by which the programs find each other, knows nothing of capabilities.
    capability = ("--securebits=+no_setuid_fixup", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    capable = replace(account, options={}, prefix=("setpriv", *change, *capability, "--"))
    if _runs(capable, program):
        return capable
    raise ConfigurationError(
        f"{program} lies in a folder that user {account.name} cannot enter, and PostgreSQL does not run as root",
        cure=f"install Pleiades in a folder that every user can enter, such as /opt; or {_OTHERWISE}",
    )


def _runs(account: SystemAccount, program: Path) -> bool:
    """True if the account can run the program. The operating system decides: it knows modes, access lists and mounts."""
    try:
        return account.run([str(program), "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


@functools.cache
def _system_user() -> pwd.struct_passwd:
    """The system user of root's servers, made if it is missing. Raises ConfigurationError."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    try:
        done = subprocess.run(_MAKE_USER, check=False, capture_output=True, text=True)  # noqa: S603  our own words
        reason = done.stderr.strip()
    except OSError as error:
        reason = str(error)
    # Its exit code says nothing: when several processes make the user at once, all but one are refused.
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and the user {_SYSTEM_USER} for it cannot be made: {reason}",
            cure=f"make that user: useradd --system {_SYSTEM_USER}; or {_OTHERWISE}",
        ) from None
