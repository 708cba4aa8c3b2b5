"""What people read in Dagster's catalogue: lineage, descriptions, columns, and the metadata of a real run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from pleiades_core.clock import ManualClock
from pleiades_core.installation import Installation
from pleiades_core.reports.capture import Estimate
from pleiades_core.vault.codes import CODES, COLUMNS
from pleiades_dagster import tables
from pleiades_dagster.definitions import build_defs
from pleiades_dagster.metadata import metadata_of, table_of
from pleiades_dagster.tables import Table

#: Groups in the order that data takes.
GROUPS = ("discover", "track", "vault", "insights", "upkeep")
TABLES = {
    "daily_metrics": tables.METRICS, "discovered_videos": tables.VIDEOS, "discovery_requests": tables.DISCOVERY_REQUESTS,
    "watchlist": tables.COHORTS, "daily_velocity": tables.VELOCITY, "rankings": tables.RANKINGS,
}  # fmt: skip
#: How Python prints an object: `Estimate(total=8716.0, …)`, `<Tier.HOURLY: 'HOURLY'>`, `datetime.date(2026, 3, 1)`, `{'a': 1}`.
REPR = re.compile(r"\b[A-Z]\w*\(\w+=|<\w+\.\w+: |\bdatetime\.\w+\(|\bUUID\('|\bDecimal\('|^[\[{(]['\"\d].*[\]})]$")


@pytest.fixture
def graph(tmp_path: Path) -> Any:
    """The asset graph of definitions alone."""
    return build_defs(home=str(tmp_path), first_day=date(2026, 3, 1)).get_repository_def().asset_graph


def test_no_arrow_goes_back_between_groups(graph: Any) -> None:
    """Collapsed groups are drawn in one order, and each of them is used."""
    group = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert set(group.values()) == set(GROUPS)
    arrows = [(parent, key) for key in group for parent in graph.get(key).parent_keys]
    assert len(arrows) > len(GROUPS)
    assert [(a, b) for a, b in arrows if GROUPS.index(group[a]) > GROUPS.index(group[b])] == []


def test_everything_that_has_a_name_has_a_description(tmp_path: Path) -> None:
    repository = build_defs(home=str(tmp_path), first_day=date(2026, 3, 1)).get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    named: list[Any] = [*jobs, *repository.schedule_defs, *repository.sensor_defs]
    assert [one.name for one in named if not one.description] == []
    keys = repository.asset_graph.asset_check_keys
    assert [key.name for key in keys if not repository.asset_graph.get_check_spec(key).description] == []


def test_tables_have_columns_an_address_a_version_and_a_freshness_policy(graph: Any, tmp_path: Path) -> None:
    for name, table in TABLES.items():
        node = graph.get(dg.AssetKey(name))
        schema = node.metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == table.schema.names, name
        uri = node.metadata["dagster/uri"]
        assert getattr(uri, "value", uri) == (tmp_path / "vault" / table.folder).as_uri()
        assert node.code_version
        assert node.freshness_policy_or_from_metadata is not None
    assert graph.get(dg.AssetKey("tracking")).freshness_policy_or_from_metadata is not None


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_catalogue_says_of_a_column_what_the_files_and_the_docs_say(table: Table) -> None:
    """And of a code, what each of its values means."""
    said = {column.name: column.description for column in table.columns()}
    assert said.keys() == COLUMNS[table.dataset].keys()
    for name, words in COLUMNS[table.dataset].items():
        assert said[name] == "; ".join([words, *(f"{code}: {word}" for code, word in CODES.get(name, {}).items())])


def _is_declared(table: Table, path: Path) -> None:
    """The columns of a file are those of the catalogue, in order, name by name and type by type."""
    schema = pq.read_schema(path)
    # Parquet calls the element of a list so, Arrow calls it an item.
    found = [(field.name, str(field.type).replace("<element: ", "<item: ")) for field in schema]
    assert found == [(one.name, one.type) for one in table.columns()], path


def _texts(value: Any) -> Iterator[str]:
    """Every text in a metadata value, the cells and the column names of tables included."""
    if isinstance(value, dg.TableMetadataValue):
        for record in value.records:
            yield from (str(cell) for cell in record.data.values() if isinstance(cell, str))
            yield from record.data
    elif isinstance(getattr(value, "value", value), str):
        yield getattr(value, "value", value)


def test_a_real_day_leaves_numbers_and_tables_as_declared(run: Any, pleiades: Installation) -> None:
    """Every job of two days, and every value of metadata that assets and checks left."""
    clock = pleiades.clock
    assert isinstance(clock, ManualClock)
    day = clock.now().date()
    results = []
    for _ in range(6):
        results.append(run("hunt", day))
        clock.advance(timedelta(hours=1))
    results.append(run("track", "HOURLY"))
    clock.advance(timedelta(days=1))
    results += [run(job, day) for job in ("fold_registry", "close_day", "derive_day", "upkeep")]
    results += [run("rank_now"), run("maintain"), run("verify", tags={"dagster/partition": str(day)})]
    assert all(result.success for result in results)

    made = {
        event.asset_key: event.step_materialization_data
        for result in results
        for event in result.get_asset_materialization_events()
    }
    assert len(made) == 13, "every asset was materialised"
    values = [
        (f"{result.job_def.name}.{name}", value)
        for result in results
        for metadata in [
            *(event.materialization.metadata for event in result.get_asset_materialization_events()),
            *(check.metadata for check in result.get_asset_check_evaluations()),
        ]
        for name, value in metadata.items()
    ]
    assert [(name, text) for name, value in values for text in _texts(value) if REPR.search(text)] == []
    numbers = [value for _, value in values if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)]
    assert len(numbers) > 100
    names = {name for name, _ in values}
    assert {"upkeep.by_group_total", "upkeep.by_group_low", "upkeep.by_group_high"} <= names
    pairs = next(value for name, value in values if name == "upkeep.pairs")
    assert {"first", "second", "both", "estimate_total", "estimate_low"} <= set(pairs.records[0].data)

    for table in TABLES.values():
        (path,) = (pleiades.settings.vault_root / table.folder / f"date={day}").glob("*.parquet")
        _is_declared(table, path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Row:
    name: str
    estimate: Estimate | None
    nothing: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Report:
    best: Estimate | None
    rows: tuple[_Row, ...]
    damaged: tuple[str, ...]
    worst: Estimate | None = None


def test_what_is_nested_becomes_columns() -> None:
    """Where one row has none its cells are null; where no row has any, the column stays and is null."""
    estimate = Estimate(total=8716.01, low=8639.46, high=8800.0, seen=7914)
    rows = (_Row(name="a", estimate=None), _Row(name="b", estimate=estimate))
    found = metadata_of(_Report(best=estimate, rows=rows, damaged=("x.parquet", "y.parquet")))
    assert found["best_total"] == 8716.01
    assert found["damaged"] == "x.parquet\ny.parquet"
    assert not [name for name in found if name.startswith("worst")]
    columns = ["name", "estimate_total", "estimate_low", "estimate_high", "estimate_seen", "nothing"]
    for record in found["rows"].records:
        assert sorted(record.data) == sorted(columns)
    assert found["rows"].records[0].data["estimate_total"] is None
    assert found["rows"].records[1].data["estimate_seen"] == 7914
    types = {column.name: column.type for column in found["rows"].schema.columns}
    assert types == {
        "name": "string", "estimate_total": "float", "estimate_low": "float", "estimate_high": "float", "estimate_seen": "int",
        "nothing": "string",
    }  # fmt: skip
    assert table_of([]).records == []


def test_a_python_repr_would_be_noticed() -> None:
    for text in (
        "Estimate(total=8716.0, low=1.0)",
        "<Tier.HOURLY: 'HOURLY'>",
        "datetime.date(2026, 3, 1)",
        "{'a': 1}",
        "['a']",
    ):
        assert REPR.search(text)
    for text in (
        "search 3, stats 4",
        "metrics/date=2026-03-01/day.parquet",
        "a title (official video)",
        "a = b (c=d)",
        "[live] piano <part 3>",
    ):
        assert not REPR.search(text)
