"""The commands of `pleiades`: one module each, which registers its command with `app` when it is imported.

Belongs here: arguments, options and how an answer is printed. Does not belong here: what a command does (the packages beside
cli/), what commands share (app.py, output.py, keys.py).

`load` finds the modules: a new command is a new file (CONTRIBUTING.md). A module does not import at its top what takes time:
settings, database, vault. A command imports these when it runs.
"""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import every module of this package, so that its command is registered."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
