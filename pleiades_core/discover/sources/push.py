"""Videos that YouTube's hub announced: notices of new uploads of followed channels.

They wait in the inbox between two hunts, and taking them costs no call.

Does not belong here: putting videos into the inbox (discover/push/).
"""

from __future__ import annotations

from functools import partial

from pleiades_core.discover.inbox import take
from pleiades_core.discover.sources.base import Source

SOURCE = Source(
    bit=16,
    order=20,
    find=partial(take, source="push"),
    calls_api=False,
    is_exclusive=False,
    group="followed channels",
    forgets_removed=True,
)  # fmt: skip
