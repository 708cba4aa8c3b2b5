"""Folders of the home: made where they are missing, or refused with a word to whoever named the home.

Belongs here: making them. Does not belong here: what is written into them (objects.py has its own durable folders).
"""

from __future__ import annotations

from pathlib import Path

from pleiades_core.errors import ConfigurationError


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it. Raises ConfigurationError when there can be no such folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be made: {error.strerror}", cure="give --home a folder that you may write to"
        ) from None
