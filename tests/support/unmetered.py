"""A base for stand-ins of YouTube that cost nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from pleiades_core.models import Bucket
from pleiades_core.youtube.api import YouTube


class Unmetered:
    """Its parts are itself, and its calls are not counted."""

    def part(self) -> Any:
        """The stand-in."""
        return self

    def as_youtube(self) -> YouTube:
        """The stand-in where the type YouTube is asked for. A stand-in has only the methods that its test needs."""
        return cast("YouTube", self)

    def calls(self) -> Counter[Bucket]:
        """None."""
        return Counter()
