"""A base for stand-ins of YouTube that cost nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pleiades_core.models import Bucket


class Unmetered:
    """Its parts are itself, and its calls are not counted."""

    def part(self) -> Any:
        """The stand-in."""
        return self

    def calls(self) -> Counter[Bucket]:
        """None."""
        return Counter()
