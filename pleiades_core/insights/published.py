"""Insights as files: one a day and kind, replaced whole whenever it is computed again.

Belongs here: where they lie and how they are replaced. Does not belong here: what is computed (velocity.py, ranking.py).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from importlib import resources

import pyarrow as pa

from pleiades_core.clock import utc_midnight
from pleiades_core.storage import objects, parquet
from pleiades_core.vault import samples
from pleiades_core.vault.layout import insight_key
from pleiades_core.vault.vault import Vault

#: Macros over the vault's views, for `pleiades sql` too.
INSIGHT_VIEWS = resources.files("pleiades_core.insights").joinpath("views.sql").read_text(encoding="utf-8")
#: Velocity looks back so far.
WINDOW = timedelta(hours=24)


def publish(vault: Vault, name: str, day: date, table: pa.Table) -> int:
    """Replace the day's file; its bytes. The same table leaves the file as it is. Raises PublishConflict."""
    content = parquet.encode(table.replace_schema_metadata(None), level=parquet.ARCHIVE_LEVEL)
    objects.publish(vault.archive, insight_key(name, day), content)
    return len(content)


def compute(vault: Vault, name: str, until: datetime, *, whole: bool = False, **parameters: object) -> pa.Table:
    """The answer of `<name>.sql` for the window that ends at `until`. `whole`: as in `samples.query`."""
    folder = resources.files("pleiades_core.insights")
    return samples.query(
        vault,
        folder.joinpath(f"{name}.sql").read_text(encoding="utf-8"),
        {"until": int(until.timestamp()), "hours": int(WINDOW.total_seconds() // 3600), **parameters},
        first=(until - 2 * WINDOW).date(),
        last=until.date(),
        prelude=INSIGHT_VIEWS,
        whole=whole,
    )


def end_of(day: date) -> datetime:
    """The instant at which a day's insights look back."""
    return utc_midnight(day + timedelta(days=1))
