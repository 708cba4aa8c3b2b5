"""The console script `pleiades`, and `python -m pleiades_dagster`: the first line of the program.

Belongs here: what must happen before the first import that takes time. Does not belong here: anything else (cli.py).
"""

from __future__ import annotations

from pleiades_core.cli import signals


def main() -> None:
    """What the console script calls. Ctrl-C is one line from here on, also while the rest is imported."""
    signals.leave_at_once()
    from pleiades_dagster import cli

    cli.main()


if __name__ == "__main__":
    main()
