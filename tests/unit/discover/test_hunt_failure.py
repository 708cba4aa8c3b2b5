"""When a hunt as a whole has failed, and as what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pleiades_core.discover.hunt_report import Progress
from pleiades_core.errors import BackendError, KeyInvalid, PleiadesError, QuotaExhausted

SPENT = QuotaExhausted("p", "search", datetime(2026, 3, 2, 8, tzinfo=UTC))
DOWN, NO_KEY = BackendError("503"), KeyInvalid("no key")


@pytest.mark.parametrize(
    ("errors", "answered", "ends"),
    [
        ({}, set(), None),
        ({"search": SPENT}, set(), None),
        ({"search": SPENT, "uploads": SPENT, "details": SPENT}, {"feeds"}, None),
        ({"search": SPENT, "uploads": DOWN}, set(), DOWN),
        ({"search": SPENT, "details": DOWN}, {"feeds"}, DOWN),
        ({"search": SPENT, "charts": NO_KEY}, {"inbox"}, NO_KEY),
        ({"search": SPENT, "uploads": DOWN}, {"charts"}, None),
        ({"search": SPENT, "uploads": SPENT, "feeds": DOWN}, set(), None),
        ({"uploads": DOWN}, {"feeds"}, DOWN),
        ({"feeds": DOWN}, {"push"}, None),
        ({"feeds": DOWN}, set(), DOWN),
    ],
)  # fmt: skip
def test_spent_quota_hides_no_outage(errors: dict[str, PleiadesError], answered: set[str], ends: PleiadesError | None) -> None:
    """42 tells systemd not to start it again: it is for hunts in which every source of the API that asked heard "spent"."""
    hunt = Progress(errors=errors, answered=answered)
    assert hunt.failure is ends
    hunt.admitted = 1
    assert hunt.failure is None
