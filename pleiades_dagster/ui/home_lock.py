"""The lock on a home: one `demo` or `ui` at a time has it open, and the next one is refused with the reason.

The lock is the kernel's (`flock` on the folder itself), which frees it when the process ends, after SIGKILL too: a record that
a killed process left behind does not count while the lock is free. Belongs here: the lock, the record, the refusal. Does not
belong here: commands such as `hunt` and `track`, which may run beside an open `ui`; leases keep those apart
(batches/leases.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pleiades_core.errors import ConfigurationError
from pleiades_core.storage.disk import make_folder

#: In the home, while it is open: the process that holds the lock.
RECORD = "open.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that has a home open."""

    program: Literal["demo", "ui"]
    #: False: the home of a real installation.
    demo: bool = True
    #: Where the UI answers; None for a demo that is being played.
    address: str | None = None
    pid: int = field(default_factory=os.getpid)


@contextlib.contextmanager
def hold(home: Path, holder: Holder) -> Iterator[None]:
    """Have a home open for the length of a block. The folder is made if it is missing, and removed again if it stays empty.

    Raises:
        ConfigurationError: another process has it open, or there can be no such folder.
    """
    made = not home.exists()
    locked = _lock(home)
    try:
        (home / RECORD).write_text(json.dumps(asdict(holder)), encoding="utf-8")
        try:
            yield
        finally:
            (home / RECORD).unlink(missing_ok=True)
            if made:
                with contextlib.suppress(OSError):
                    home.rmdir()
    finally:
        os.close(locked)


def _lock(home: Path) -> int:
    """The open folder, locked."""
    while True:
        make_folder(home)
        try:
            opened = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ConfigurationError(
                f"{home} cannot be opened: {error.strerror}", cure="give --home a folder that you may write to"
            ) from None
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            raise _refusal(home) from None
        except OSError as error:
            os.close(opened)
            raise ConfigurationError(
                f"{home} cannot be locked: {error.strerror}", cure="give --home a folder on a file system that has locks"
            ) from None
        if _is_at(home, opened):
            return opened
        # The previous holder removed the folder after this process had opened it.
        os.close(opened)


def _is_at(home: Path, opened: int) -> bool:
    try:
        return os.path.samestat(home.stat(), os.fstat(opened))
    except FileNotFoundError:
        return False


def _refusal(home: Path) -> ConfigurationError:
    try:
        holder = Holder(**json.loads((home / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # The holder has locked the home and not written its record yet, or is just ending.
        return ConfigurationError(f"{home} is in use by another `pleiades demo` or `pleiades ui`", cure="try again in a moment")
    if holder.program == "demo":
        return ConfigurationError(
            f"process {holder.pid} plays a demo in {home}; nothing was touched",
            cure="wait for its end, stop it, or give another --home",
        )
    return ConfigurationError(
        f"this {'demo' if holder.demo else 'installation'} is open already at {holder.address}",
        cure=f"use it there, or stop process {holder.pid} first",
    )
