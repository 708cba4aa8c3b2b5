"""The console script `pleiades`, and `python -m pleiades_dagster`: the first line of the program.

Belongs here: what must happen before the first import that takes time. Does not belong here: anything else (cli.py).
"""

from __future__ import annotations

from pleiades_core.cli import signals

# At the import, and not in `main`: the console script imports this module first, and calls `main` later.
signals.leave_at_once()


def main() -> None:
    """The entry point of the console script. Ctrl-C prints one line, also while other modules are imported."""
    from pleiades_dagster import cli

    cli.main()


if __name__ == "__main__":
    main()
