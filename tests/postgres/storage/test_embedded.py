"""The embedded server: started once, shared by threads and processes, stopped by the last one who leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from support.clusters import answers, copied, is_up, main_process, user_process

from pleiades_core.errors import ConfigurationError, DatabaseUnreachable
from pleiades_core.settings import DemoSettings
from pleiades_core.storage.embedded import embedded, embedded_url, require_usable, users_of
from pleiades_core.storage.postgres import dagster_urls, ensure_database


def test_four_threads_open_and_close_as_they_like(data_folder: Path) -> None:
    """Dagster's daemon evaluates four sensors at once in one process; five of its first six ticks failed."""
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(answers, [data_folder] * 20))
    assert not is_up(data_folder)
    assert users_of(data_folder) == []


def test_who_closes_first_leaves_the_other_a_server(data_folder: Path) -> None:
    first, second = embedded(data_folder), embedded(data_folder)
    server = first.__enter__()
    assert second.__enter__() is server
    first.__exit__(None, None, None)
    assert users_of(data_folder) == [os.getpid()]
    with psycopg.connect(embedded_url(server, "postgres")) as connection:
        connection.execute("select 1")
    second.__exit__(None, None, None)
    assert not is_up(data_folder)


def test_a_process_that_comes_back_while_another_one_uses_it_is_counted_again(data_folder: Path) -> None:
    """Otherwise the other one, leaving last by its own count, stops the server beneath us."""
    with user_process(data_folder) as other:
        assert answers(data_folder)
        with embedded(data_folder) as server:
            assert users_of(data_folder) == sorted([os.getpid(), other.pid])
            other.communicate()
            with psycopg.connect(embedded_url(server, "postgres")) as connection:
                connection.execute("select 1")
    assert not is_up(data_folder)


def test_after_a_start_that_failed_the_next_one_begins_anew(data_folder: Path, short_tmp: Path) -> None:
    copy = copied(data_folder, short_tmp / "pg")
    said = (copy / "postgresql.conf").read_text()
    (copy / "postgresql.conf").write_text("no_such_setting = on\n")
    with pytest.raises(DatabaseUnreachable, match="no_such_setting") as raised:
        answers(copy)
    assert str(copy / "log") in raised.value.cure
    assert users_of(copy) == []
    (copy / "postgresql.conf").write_text(said)
    assert answers(copy)


def test_every_server_has_our_limits_of_the_write_ahead_log(data_folder: Path) -> None:
    with embedded(data_folder) as server, psycopg.connect(embedded_url(server, "postgres")) as connection:
        assert connection.execute("show max_wal_size").fetchone() == ("128MB",)
        assert connection.execute("show min_wal_size").fetchone() == ("32MB",)
        assert connection.execute("show listen_addresses").fetchone() == ("",)


@pytest.mark.parametrize(
    "name",
    ["a blank", 'a "quote"', "dollar$HOME`id`$(id)", "colon:5432", "per%cent%20", "comma,?&#=", "Übung ü", "\\", "x" * 200],
)
def test_any_path_will_do(data_folder: Path, short_tmp: Path, name: str) -> None:
    """For the server's tools, which use a shell, and for both readers of the address: libpq and SQLAlchemy."""
    (short_tmp / name).mkdir()
    copy = copied(data_folder, short_tmp / name / "pg")
    with embedded(copy) as server:
        url = embedded_url(server, "postgres")
        with psycopg.connect(url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        engine = sqlalchemy.create_engine(
            dagster_urls(DemoSettings(home=short_tmp).changed(database__dagster_url=url), url).sqlalchemy
        )
        with engine.connect() as connected:
            assert connected.execute(sqlalchemy.text("select 1")).scalar() == 1
        engine.dispose()
        assert (copy / ".s.PGSQL.5432").is_socket(), "the socket lies in the closed folder of the data, whatever its path"
    assert not is_up(copy)


def test_a_new_home_may_have_any_path_and_the_environment_any_locale(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locale that the system does not know is common on servers that are reached by ssh."""
    monkeypatch.setenv("LC_ALL", "xx_YY.UTF-8")
    (short_tmp / "a $blank").mkdir()
    with (
        embedded(short_tmp / "a $blank" / "pg") as server,
        psycopg.connect(embedded_url(server, "postgres")) as connection,
    ):
        assert connection.execute("select lower('ÉA'), 'Z' < 'a'").fetchone() == ("éa", True)


def test_variables_of_postgresql_do_not_part_server_and_clients(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6000")
    with user_process(data_folder):
        monkeypatch.delenv("PGPORT")
        assert answers(data_folder)


def test_the_server_is_told_no_secret_of_ours(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment shows in lists of processes, and a superuser's `copy to program` hands it on."""
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", "canary")
    with user_process(data_folder):
        assert "canary" not in str(main_process(data_folder).environ())


def test_a_server_shows_its_folder_in_the_list_of_processes(data_folder: Path) -> None:
    with embedded(data_folder):
        assert str(data_folder) in " ".join(main_process(data_folder).cmdline())


def test_a_home_that_cannot_be_made_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError, match="/proc/nope cannot be made") as raised, embedded(Path("/proc/nope/postgres")):
        pass
    assert "--home" in raised.value.cure


def test_a_folder_of_other_files_is_not_touched(short_tmp: Path) -> None:
    (short_tmp / "pg").mkdir(mode=0o700)
    (short_tmp / "pg" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="not a whole data folder"):
        answers(short_tmp / "pg")
    assert [path.name for path in (short_tmp / "pg").iterdir()] == ["thesis.txt"]


def test_a_path_with_a_line_break_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="line break"):
        require_usable(Path("/a\nb"))


def test_a_home_may_be_removed_while_it_is_in_use(data_folder: Path, short_tmp: Path) -> None:
    """Leaving a server whose folder is gone is no error."""
    (short_tmp / "home").mkdir()
    copy = copied(data_folder, short_tmp / "home" / "pg")
    with embedded(copy):
        server = main_process(copy)
        subprocess.run(["rm", "-rf", str(short_tmp / "home")], check=True)
    server.kill()


def test_five_at_once_create_the_same_database(data_folder: Path) -> None:
    """All but one are refused by PostgreSQL, in one of two ways, and have what they wanted."""
    with embedded(data_folder) as server, ThreadPoolExecutor(5) as pool:
        for number in range(2):
            together = threading.Barrier(5)

            def create(url: str, together: threading.Barrier = together) -> bool:
                together.wait()
                ensure_database(url)
                with psycopg.connect(url) as connection:
                    return connection.execute("select 1").fetchone() == (1,)

            assert all(pool.map(create, [embedded_url(server, f"new_{number}")] * 5))


def test_five_processes_at_once_on_an_empty_home_all_succeed(short_tmp: Path) -> None:
    """Of five, four ended with 6: each wanted to create the same database."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PLEIADES", "DATABASE", "DAGSTER"))
    }
    command = [sys.executable, "-m", "pleiades_dagster.cli", "--home", str(short_tmp / "home"), "init-db"]
    started = [
        subprocess.Popen(command, cwd=short_tmp, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(5)
    ]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 5, said
    assert not is_up(short_tmp / "home" / "postgres")
