"""Videos that people added with `pleiades add`. They wait in the inbox between two hunts; taking them costs no call.

Does not belong here: putting videos into the inbox (discover/add/).
"""

from __future__ import annotations

from functools import partial

from pleiades_core.discover.inbox import take
from pleiades_core.discover.sources.base import Source

SOURCE = Source(
    bit=32, order=10, find=partial(take, source="added"), calls_api=False, is_exclusive=False, group=None, admits_any_age=True
)
