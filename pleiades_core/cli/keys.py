"""What commands that call YouTube share: they need a key, and quota may be spent.

Does not belong here: reading the key pool (youtube/key_pool.py).
"""

from __future__ import annotations

import typer

from pleiades_core.cli.app import settings_of
from pleiades_core.cli.output import stderr
from pleiades_core.errors import QuotaExhausted


def require_key(context: typer.Context) -> None:
    """Before an installation is made: without a key it would stay empty. Raises ConfigurationError."""
    from pleiades_core.youtube.key_pool import choose_keys, keys_of

    settings = settings_of(context)
    choose_keys(keys_of(settings), settings.keys.compliance_mode)


def quota_spent(message: str, *, did_something: bool) -> None:
    """Exit code 42 when there was nothing left to do with; a word on stderr when only a part was out."""
    stderr.print(message, soft_wrap=True)
    if not did_something:
        raise typer.Exit(QuotaExhausted.exit_code)
