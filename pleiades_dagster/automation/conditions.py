"""Conditions that schedules and sensors of several assets share: the tick of an instant, and whether quota is left.

Does not belong here: any schedule or sensor (assets/), what follows the closing of a day (closing.py).
"""

from datetime import UTC, datetime, timedelta

from pleiades_core.installation import Installation
from pleiades_core.models import QuotaPool


def floor(instant: datetime, tick: timedelta) -> datetime:
    """The beginning of the tick that `instant` lies in; ticks begin at midnight UTC."""
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    return instant - (instant - epoch) % tick


def spent_until(opened: Installation, buckets: tuple[str, ...], *pools: QuotaPool) -> datetime | None:
    """When quota is available again, if none of some buckets has a unit left in any project whose live keys serve one of the
    pools.

    Args:
        opened: the installation.
        buckets: the buckets.
        *pools: the pools.

    Returns:
        The reset; None if there are units left, or if no key is live: then the run itself reports the reason.
    """
    ring = opened.key_ring()
    serving = ring.serving(*pools)
    rows = [row for row in ring.ledger.rows(serving) if row.bucket in buckets and row.project in serving]
    return min(row.resets_at for row in rows) if rows and not any(row.left for row in rows) else None
