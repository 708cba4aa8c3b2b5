"""Every column of a file and of a view has a meaning, in docs/columns.md and in the files' own footers."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.paths import ROOT

from pleiades_core.insights.publish import SCHEMAS, ask, publish
from pleiades_core.models import SampleStatus
from pleiades_core.vault.codes import CODES, COLUMNS, VIEWS
from pleiades_core.vault.footers import DayFooter
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import DISCOVERY_REQUEST_SCHEMA, REGISTRY, SAMPLES, insight_key
from pleiades_core.vault.query import QueryLimits, query
from pleiades_core.vault.vault import Vault, open_vault

TEXT = (ROOT / "docs/dataset.md").read_text()
FILES: dict[str, pa.Schema] = {
    "samples": SAMPLES.schema,
    "registry": REGISTRY.schema,
    "discovery_requests": DISCOVERY_REQUEST_SCHEMA,
    **SCHEMAS,
}
_LIMITS = QueryLimits(memory_mb=200, threads=2)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path)


@pytest.mark.parametrize("dataset", FILES)
def test_every_column_of_a_file_has_a_meaning(dataset: str) -> None:
    assert set(COLUMNS[dataset]) == set(FILES[dataset].names)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_of_its_dataset_and_those_that_are_named(vault: Vault, view: str) -> None:
    columns = {row["column_name"] for row in ask(vault, f"describe {view}", _LIMITS).to_pylist()}
    _, dataset, added = VIEWS[view]
    assert columns - set(COLUMNS[dataset]) == set(added) - set(COLUMNS[dataset])
    assert set(added) <= columns


@pytest.mark.parametrize("name", [*CODES["status"].values(), *VIEWS, *FILES])
def test_the_guide_speaks_of_every_status_view_and_dataset(name: str) -> None:
    assert name in TEXT


def test_the_views_say_the_words_of_the_codes(vault: Vault) -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    rows = [{"vid": int(code), "polled_at": at, "status": int(code), "definition": 3} for code in SampleStatus]
    table = pa.Table.from_pylist(rows, SAMPLES.schema)
    write_batch(vault, SAMPLES, at.date(), table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    shown = query(vault, "select vid, status from samples order by vid").to_pylist()
    assert {row["vid"]: row["status"] for row in shown} == CODES["status"]


def _footer(location: str) -> dict[str, object]:
    words = pq.read_metadata(location).metadata or {}
    names = ("pleiades.codes.status", "pleiades.codes.definition", "pleiades.columns")
    return {name: json.loads(words[name.encode()]) for name in names if name.encode() in words}


def test_a_file_explains_itself(vault: Vault) -> None:
    """A reader who has the file alone knows what its numbers mean."""
    codes = {f"pleiades.codes.{column}": {str(code): word for code, word in words.items()} for column, words in CODES.items()}
    at = datetime(2026, 9, 1, tzinfo=UTC)
    row = {"vid": 7, "polled_at": at, "status": 0, "definition": 3}
    table = pa.Table.from_pylist([row], SAMPLES.schema)
    write_batch(vault, SAMPLES, at.date(), table, lease_id=uuid.uuid4(), epoch=uuid.uuid4())
    (batch,) = vault.journal.keys("journal/samples")
    assert _footer(vault.journal.uri(batch)) == codes
    for dataset in (SAMPLES, REGISTRY):
        footer = DayFooter(installation=uuid.uuid4(), dataset=dataset.name, day=at.date(), generation=1, batches=frozenset())
        words = footer.encode()
        assert json.loads(words["pleiades.columns"]) == COLUMNS[dataset.name]
        assert DayFooter.decode({key.encode(): word.encode() for key, word in words.items()}).dataset == dataset.name
    publish(vault, "rankings", date(2026, 9, 1), SCHEMAS["rankings"].empty_table())
    file = vault.archive.uri(insight_key("rankings", date(2026, 9, 1)))
    assert _footer(file) == {"pleiades.columns": COLUMNS["rankings"]}
