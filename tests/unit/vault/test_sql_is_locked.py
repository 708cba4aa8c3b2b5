"""What a person asks in SQL reads the vault's views and nothing else: no file, network, extension, variable or setting."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pleiades_core.insights.publish import ask
from pleiades_core.storage import parquet
from pleiades_core.vault.footers import DayFooter
from pleiades_core.vault.layout import SAMPLES
from pleiades_core.vault.query import QueryLimits, query
from pleiades_core.vault.vault import Vault, open_vault

DAY = date(2026, 9, 1)
_LIMITS = QueryLimits(memory_mb=200, threads=2)

#: {day}: the file of a closed day; {secret}: a file beside the vault; {out}: a file that is not there; {folder}: of all.
ATTACKS = {
    # Reading.
    "read_text": "select * from read_text('{secret}')",
    "read_text of the vault": "select * from read_text('{day}')",
    "read_blob": "select * from read_blob('{secret}')",
    "read_csv": "select * from read_csv('{secret}')",
    "read_json": "select * from read_json('{secret}')",
    "read_parquet of the vault": "select * from read_parquet('{day}')",
    "parquet_metadata": "select * from parquet_metadata('{day}')",
    "read_duckdb": "select * from read_duckdb('{secret}')",
    "sniff_csv": "select * from sniff_csv('{secret}')",
    "a file as a table": "select * from '{day}'",
    "a file in a subquery": "select 1 from samples where vid in (select vid from '{day}')",
    "a file through query()": "select * from query('select * from read_text(''{secret}'')')",
    "a file through a macro": "create macro f() as table select * from read_text('{secret}'); from f()",
    "a file through serialized SQL": (
        "select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''{secret}'')'))"
    ),
    "a file into a table": "create table t as select * from read_text('{secret}')",
    "glob": "select * from glob('{folder}/*')",
    "password file": "select * from read_text('/etc/passwd')",
    "environment": "select * from read_blob('/proc/self/environ')",
    "getenv": "select getenv('HOME')",
    "network": "select * from 'http://127.0.0.1:1/x.parquet'",
    "stdin": "select * from read_csv('/dev/stdin')",
    "COPY FROM": "create table t (x varchar); copy t from '{secret}'",
    "IMPORT": "import database '{folder}'",
    # Writing.
    "COPY TO": "copy (select 1) to '{out}'",
    "COPY TO over a closed day": "copy (from samples limit 0) to '{day}' (format parquet)",
    "COPY TO over a closed day, in place": "copy (from samples limit 0) to '{day}' (format parquet, use_tmp_file false)",
    "COPY TO explained": "explain analyze copy (select 1) to '{out}'",
    "COPY TO prepared": "prepare p as copy (select 1) to '{out}'; execute p",
    "COPY TO after another statement": "select 1; copy (select 1) to '{out}'; select 2",
    "COPY TO beside a comment": "/* select */ copy (select 1) to '{out}'",
    "COPY TO stdout": "copy (select 1) to '/dev/stdout'",
    "EXPORT": "export database '{out}'",
    "ATTACH": "attach '{out}' as other",
    "profile": "select * from enable_profiling(save_location = '{out}'); select 1",
    "log": "call enable_logging(storage = 'file', storage_path = '{out}'); select 1",
    # Extensions and what they bring.
    "INSTALL": "install httpfs",
    "LOAD": "load httpfs",
    "LOAD a file": "load '{secret}'",
    "sqlite": "select * from sqlite_scan('{secret}', 't')",
    "secret": "create persistent secret s (type s3)",
    # Settings, which are locked.
    "SET": "set enable_external_access = true",
    "SET memory": "set memory_limit = '1TB'",
    "RESET": "reset enable_external_access",
    "PRAGMA": "pragma threads = 64",
    "unlock": "set lock_configuration = false",
    "allowed folder": "set allowed_directories = ['/']",
    "temporary folder": "set temp_directory = '{folder}'",
    # Variables of this program, and pointers into it.
    "a module": "select * from os",
    "a variable": "select * from relations",
    "a pointer": "select * from arrow_scan(1, 2, 3)",
    "another pointer": "select * from python_arrow_scan(1)",
    # Memory.
    "a table that is too large": "select count(*) from (select range % 100000000 as x from range(200000000) group by 1)",
    "an answer that is too large": "select range, range + 1 from range(10000000000)",
}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """One closed day with one sample, a secret beside it, and nothing else."""
    (tmp_path / "secret.csv").write_text("word\ncanary\n")
    vault = open_vault(tmp_path / "vault")
    row = {"vid": 7, "polled_at": datetime(2026, 9, 1, 9, tzinfo=UTC), "status": 0, "definition": 3, "views": 100}
    footer = DayFooter(
        installation=uuid.UUID(int=2), dataset="samples", day=DAY, generation=1, batches=frozenset({uuid.UUID(int=1)})
    ).encode()
    table = pa.Table.from_pylist([row], SAMPLES.schema).replace_schema_metadata(footer)
    vault.archive.replace(SAMPLES.day_key(DAY), parquet.encode(table), expected=None)
    return vault


def _content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_a_view_is_neither_read_nor_written(vault: Vault, tmp_path: Path, attack: str) -> None:
    words = {
        "day": vault.archive.uri(SAMPLES.day_key(DAY)), "secret": tmp_path / "secret.csv", "out": tmp_path / "out.csv",
        "folder": tmp_path,
    }  # fmt: skip
    before = _content(tmp_path)
    with pytest.raises(duckdb.Error) as raised:
        ask(vault, ATTACKS[attack].format(**words), _LIMITS)
    assert "canary" not in str(raised.value)
    assert _content(tmp_path) == before


@pytest.mark.parametrize(
    "question",
    [
        "select count(*) from samples",
        "explain select * from samples",
        "explain analyze select * from samples",
        "describe samples",
        "describe metrics",
        "show tables",
        "summarize samples",
        "from videos limit 1",
        "select 1 as x; select 2 as y",
        "create temp table mine as from samples; insert into mine from mine; select count(*) from mine",
        "pivot samples on status using count(*)",
        "select * from velocity(1788300000, 24)",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select sum(n) from t",
        "set variable d = date '2026-09-01'; select * from metrics where day >= getvariable('d')",
    ],
)
def test_what_one_asks_of_the_views_is_answered(vault: Vault, question: str) -> None:
    assert ask(vault, question, _LIMITS).column_names


def test_the_queries_of_the_program_are_locked_too_but_for_memory(vault: Vault, tmp_path: Path) -> None:
    for attack in ("read_text", "COPY TO", "SET", "a module", "LOAD"):
        words = {"secret": tmp_path / "secret.csv", "out": tmp_path / "out.csv"}
        with pytest.raises(duckdb.Error):
            query(vault, ATTACKS[attack].format(**words))


def test_no_secret_of_the_persons_own_duckdb_is_known(vault: Vault) -> None:
    assert ask(vault, "select * from duckdb_secrets()", _LIMITS).num_rows == 0
    asked = "select current_setting('allow_persistent_secrets') as x, current_setting('enable_external_access') as y"
    assert ask(vault, asked, _LIMITS).to_pylist() == [{"x": False, "y": False}]


def test_memory_and_threads_are_those_of_the_limits(vault: Vault) -> None:
    asked = "select current_setting('threads') as threads, current_setting('temp_directory') as disk"
    assert ask(vault, asked, QueryLimits(memory_mb=300, threads=3)).to_pylist() == [{"threads": 3, "disk": ""}]
    with pytest.raises(duckdb.OutOfMemoryException, match="the answer is larger than 100 MB"):
        ask(vault, "select range, range + 1 from range(1000000000)", QueryLimits(memory_mb=100, threads=2))
