"""The walk of CONTRIBUTING.md, "Add a discovery source", followed with a toy source: one file, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.driving import rows

from pleiades_core.discover import sources
from pleiades_core.discover.sources import SOURCES, in_order_of_hunt
from pleiades_core.installation import Installation
from pleiades_core.models import Bucket
from pleiades_core.reports.sources import sources as report_sources

_TOY = '''
"""Toy: the uploads of the first channels that the simulator knows."""

from pleiades_core.discover.sources.base import Source, SourceContext, Find


def find(context: SourceContext):
    asking = context.youtube.part()
    page = asking.search("music")
    yield Find(source="toy", target="music", candidates=page.candidates, acknowledge=lambda *_: None, calls=asking.calls())


SOURCE = Source(bit=1024, order=5, find=find, calls_api=True, group=None)
'''


@pytest.fixture
def _toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file `toy.py` in the package of sources: in a folder of its own, so that the checkout stays as it is."""
    (tmp_path / "toy.py").write_text(_TOY)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    yield
    sys.modules.pop("pleiades_core.discover.sources.toy", None)


@pytest.mark.usefixtures("_toy")
def test_a_new_source_is_one_file(pleiades: Installation) -> None:
    assert in_order_of_hunt()[0] == "toy"
    report = pleiades.hunter().hunt(("toy",))
    assert list(report.sources) == ["toy", "details"]
    assert report.admitted > 0
    assert report.calls[Bucket.SEARCH] == 1
    requests = rows(pleiades, "select source, target, bucket, units from discovery_requests where source = 'toy'")
    assert requests == [("toy", "music", "search", 1)]
    assert rows(pleiades, "select distinct sources from videos") == [(1024,)]
    now = pleiades.clock.now()
    (toy,) = (row for row in report_sources(pleiades.database, pleiades.vault, now).sources if row.source == "toy")
    assert toy.new == report.new


def _modules() -> list[str]:
    """Names of the modules of sources, in the order of the alphabet."""
    return sorted({path.stem for path in Path(sources.__file__).parent.glob("*.py")} - {"__init__", "base"})


def test_bits_are_unique_and_single() -> None:
    bits = [source.bit for source in SOURCES.values()]
    assert len(set(bits)) == len(bits) == len(_modules())
    assert all(bit.bit_count() == 1 and bit < 2**15 for bit in bits), "videos.sources is a smallint"


def test_the_names_of_sources_cost_no_import() -> None:
    """`pleiades --help` names them, and must not wait for a database driver."""
    program = "import sys; from pleiades_core.discover.sources import SOURCES; print(*SOURCES); print('psycopg' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.splitlines()
    assert shown == [" ".join(_modules()), "False"]
