"""`pleiades init-db`: make an installation, or bring an older one up to date."""

from __future__ import annotations

import typer

from pleiades_core.cli.app import app, examples, opened
from pleiades_core.cli.output import JsonOption, print_answer


@app.command("init-db", panel="Start", place=2, epilog=examples("pleiades init-db", "pleiades init-db --home /srv/pleiades"))
def init_db(context: typer.Context, as_json: JsonOption = False) -> None:
    """Make a new installation, or bring an older one up to date: database, schema, Dagster's database, vault.

    It is safe to run again.
    """
    from pleiades_core.storage.postgres import dagster_urls, ensure_database, without_password

    with opened(context, create=True, upgrade=True) as pleiades:
        dagster = dagster_urls(pleiades.settings, pleiades.database.url)
        ensure_database(dagster.plain)
        answer = {
            "database": without_password(pleiades.database.url), "dagster": without_password(dagster.sqlalchemy),
            "vault": str(pleiades.settings.vault_root), "applied": pleiades.database.applied,
        }  # fmt: skip
    print_answer("database is ready", answer, as_json=as_json)
