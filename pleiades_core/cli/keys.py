"""Shared by commands that call YouTube: they need a key, and quota may be spent.

Does not belong here: reading the key pool (youtube/key_pool.py).
"""

from __future__ import annotations

import typer

from pleiades_core.cli.app import settings_of
from pleiades_core.cli.output import stderr
from pleiades_core.errors import QuotaExhausted


def require_key(context: typer.Context) -> None:
    """Check that there is a key, before an installation is made: without a key it would stay empty.

    Raises:
        ConfigurationError: there is no key, or the pool is malformed.
    """
    from pleiades_core.youtube.key_pool import choose_keys, keys_of

    settings = settings_of(context)
    choose_keys(keys_of(settings), settings.keys.compliance_mode)


def quota_spent(message: str, *, did_something: bool) -> None:
    """Report spent quota: a message on stderr if something was done before.

    Raises:
        typer.Exit: with 42, if nothing was done.
    """
    stderr.print(message, soft_wrap=True)
    if not did_something:
        raise typer.Exit(QuotaExhausted.exit_code)
