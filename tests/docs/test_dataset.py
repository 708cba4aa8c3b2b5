"""docs/dataset.md says what the files and the views hold, column by column; so do the files' own footers."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.paths import ROOT

from pleiades_core.insights.publish import SCHEMAS, ask, publish
from pleiades_core.models import SampleStatus
from pleiades_core.vault.codes import CODES, COLUMNS
from pleiades_core.vault.footers import DayFooter
from pleiades_core.vault.journal import write_batch
from pleiades_core.vault.layout import DISCOVERY_REQUEST_SCHEMA, REGISTRY, SAMPLES, insight_key
from pleiades_core.vault.query import Limits, query
from pleiades_core.vault.vault import Vault, open_vault

TEXT = (ROOT / "docs/dataset.md").read_text()
FILES: dict[str, pa.Schema] = {
    "samples": SAMPLES.schema,
    "registry": REGISTRY.schema,
    "discovery_requests": DISCOVERY_REQUEST_SCHEMA,
    **SCHEMAS,
}
#: What a view adds to, or says otherwise than, the file that it shows.
VIEWS = {
    "videos": "registry",
    "samples": "samples",
    "discovery_requests": "discovery_requests",
    "daily_velocity": "velocity",
    "rankings": "rankings",
}
_LIMITS = Limits(memory_mb=200, threads=2)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path)


def _section(title: str) -> list[str]:
    found = re.search(rf"^### {title}\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, title
    return [line for line in found[1].splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("dataset", FILES)
def test_every_column_of_a_file_is_documented_with_its_type(dataset: str) -> None:
    assert _section(f"`{dataset}`") == [
        f"| `{field.name}` | {field.type} | {'yes' if field.nullable else 'no'} | {COLUMNS[dataset][field.name]} |"
        for field in FILES[dataset]
    ]
    assert set(COLUMNS[dataset]) == set(FILES[dataset].names)


def test_every_column_of_metrics_is_documented_with_its_type(vault: Vault) -> None:
    columns = ask(vault, "describe metrics", _LIMITS).to_pylist()
    assert _section("`metrics`") == [
        f"| `{row['column_name']}` | {row['column_type'].lower()} | {COLUMNS['metrics'][row['column_name']]} |"
        for row in columns
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_of_its_file_and_those_that_are_named(vault: Vault, view: str) -> None:
    columns = {row["column_name"] for row in ask(vault, f"describe {view}", _LIMITS).to_pylist()}
    said = re.search(rf"^\| `{view}` \| [^|]+ \| ([^|]*) \|$", TEXT, re.MULTILINE)
    assert said, view
    named = set(re.findall(r"`(\w+)`", said[1]))
    assert columns - set(FILES[VIEWS[view]].names) == {name for name in named if name not in FILES[VIEWS[view]].names}


def test_every_code_is_documented() -> None:
    for column, words in CODES.items():
        assert _section(f"Codes of `{column}`") == [f"| `{code}` | {word} |" for code, word in words.items()]


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
    assert _footer(vault.journal.location(batch)) == codes
    for dataset in (SAMPLES, REGISTRY):
        footer = DayFooter(installation=uuid.uuid4(), dataset=dataset.name, day=at.date(), generation=1, batches=frozenset())
        words = footer.encode()
        assert json.loads(words["pleiades.columns"]) == COLUMNS[dataset.name]
        assert DayFooter.decode({key.encode(): word.encode() for key, word in words.items()}).dataset == dataset.name
    publish(vault, "rankings", date(2026, 9, 1), SCHEMAS["rankings"].empty_table())
    file = vault.archive.location(insight_key("rankings", date(2026, 9, 1)))
    assert _footer(file) == {"pleiades.columns": COLUMNS["rankings"]}
