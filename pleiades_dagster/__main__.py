"""The console script `pleiades`, and `python -m pleiades_dagster`: the first line of the program.

Belongs here: what must happen before the first import that takes time. Does not belong here: anything else (cli.py).
"""

from __future__ import annotations

from pleiades_core.cli import signals

# When this module is imported, and not in `main`: the console script imports it first, and calls `main` later.
signals.leave_at_once()


def main() -> None:
    """What the console script calls. Ctrl-C is one line before it, and while the rest is imported."""
    from pleiades_dagster import cli

    cli.main()


if __name__ == "__main__":
    main()
