"""The coverage report from SQL and vault together."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pleiades_core.discover.sources import SOURCES
from pleiades_core.reports.coverage import coverage
from pleiades_core.storage.postgres import Database
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import REGISTRY
from pleiades_core.vault.vault import Vault, open_vault

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIZE = 4_000


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "vault")


def seen(database: Database, vault: Vault) -> dict[str, int]:
    """4,000 videos of a day, of which search sees a quarter and feeds a half, all Hindi ones included; how many each saw."""
    draw = random.Random(7)  # noqa: S311
    published = NOW - timedelta(hours=20)
    rows, described = [], []
    counts = dict.fromkeys(("search", "feeds", "any"), 0)
    for vid in range(1, SIZE + 1):
        hindi = vid % 10 == 0
        mask = SOURCES["search"].bit * (draw.random() < 0.25) | SOURCES["feeds"].bit * (hindi or draw.random() < 0.5)
        if not mask:
            continue
        counts["search"] += bool(mask & SOURCES["search"].bit)
        counts["feeds"] += bool(mask & SOURCES["feeds"].bit)
        counts["any"] += 1
        rows.append((draw.getrandbits(63), vid, published, published, mask))
        described.append(
            {
                "vid": vid, "video_id": str(vid), "channel_id": "c", "channel_title": "", "title": "", "description": "",
                "tags": [], "category_id": 10 if vid % 3 else None, "language": "hi-Latn" if hindi else None, "duration_s": 1,
                "live": "none", "published_at": published, "discovered_at": published, "source": "search",
            }
        )  # fmt: skip
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into videos (id8, vid, state, published_at, claimed_at, sources) values (%s, %s, 'admitted', %s, %s, %s)",
            rows,
        )
        # Older than the window, and never described: neither counts.
        cursor.execute(
            "insert into videos (id8, vid, state, published_at, claimed_at, sources)"
            " values (-1, 9001, 'admitted', %(old)s, %(now)s, 1), (-2, 9002, 'claimed', null, %(now)s, 1),"
            " (-3, 9003, 'admitted', %(now)s - interval '1 hour', %(now)s, 0)",
            {"old": NOW - timedelta(days=8), "now": NOW},
        )
    table = pa.Table.from_pylist(described, REGISTRY.schema)
    write_batch(vault, REGISTRY, NOW.date(), table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    return counts


def test_a_population_is_estimated_from_what_two_sources_saw(database: Database, vault: Vault) -> None:
    counts = seen(database, vault)
    found = coverage(database, vault, NOW)
    assert found.videos == counts["any"]
    assert {one.source: one.seen for one in found.sources} == {"search": counts["search"], "feeds": counts["feeds"]}
    assert found.by_group is not None
    assert found.by_group.low < SIZE < found.by_group.high
    assert found.by_group.unseen_share == pytest.approx(1 - counts["any"] / SIZE, abs=0.05)
    assert found.described == counts["any"]


def test_bias_is_found_in_languages_and_not_in_categories(database: Database, vault: Vault) -> None:
    seen(database, vault)
    bias = {(one.by, one.kind, one.source): one for one in coverage(database, vault, NOW).bias}
    hindi = bias["language", "hi", "feeds"].odds
    assert hindi is not None
    assert hindi.low > 1.5
    music = bias["category", "10", "search"].odds
    assert music is not None
    assert music.low < 1 < music.high
    assert ("language", "unknown", "feeds") in bias
    assert ("category", "unknown", "feeds") in bias


def test_a_young_installation_has_a_report_that_says_nothing(database: Database, vault: Vault) -> None:
    found = coverage(database, vault, NOW, days=30)
    assert (found.videos, found.sources, found.by_group, found.described) == (0, (), None, 0)
