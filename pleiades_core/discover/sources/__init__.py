"""Sources of discovery: one module each. A module chooses its next requests, sends them, and says what to record once their
finds are durable.

`SOURCES` finds the modules of this package: a new source is a new file that declares `SOURCE` (CONTRIBUTING.md). The names are
those of the modules, so that `pleiades --help` knows them without importing one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pleiades_core.discover.sources.base import Source

#: The module of this package that is not a source.
_SHARED = "base"


class _Sources(Mapping[str, "Source"]):
    """Every source by its name, in alphabetical order; a module is imported when its source is looked up."""

    def __getitem__(self, name: str) -> Source:
        if name not in self:
            raise KeyError(name)
        source: Source = importlib.import_module(f"{__name__}.{name}").SOURCE
        return source

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != _SHARED))

    def __len__(self) -> int:
        return sum(1 for _ in self)


SOURCES: Mapping[str, Source] = _Sources()


def in_order_of_hunt() -> list[str]:
    """The names of all sources, in the order in which a hunt asks them."""
    return sorted(SOURCES, key=lambda name: SOURCES[name].order)
