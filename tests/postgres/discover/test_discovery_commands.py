"""The commands plan, sources, coverage and quota as people type them, on a database of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.simulators import ForkedSimulator
from typer.testing import CliRunner, Result

from pleiades_core.installation import Installation
from pleiades_core.storage.postgres import Database
from pleiades_dagster.cli import app

CANARY = "canary-key-of-the-first-project"


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command on the database with two keys of two projects."""
    (tmp_path / "home" / "vault").mkdir(parents=True)
    monkeypatch.setenv("DATABASE_URL", database.url)
    pool = [{"key": CANARY, "project": "mine"}, {"key": "canary-key-of-another-project", "project": "other"}]
    monkeypatch.setenv("YOUTUBE_API_KEY_POOL_JSON", json.dumps(pool))
    monkeypatch.delenv("PLEIADES_HOME", raising=False)

    def invoke(*arguments: str) -> Result:
        done = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), *arguments])
        assert done.exception is None, done.exception
        assert "canary" not in done.output
        return done

    return invoke


@pytest.fixture
def _lived_in(database: Database) -> None:
    """Some videos, requests and channels, found an hour ago by the machine's clock."""
    now = datetime.now(UTC)
    with database.transaction() as connection:
        connection.execute(
            "insert into videos (id8, vid, state, published_at, claimed_at, sources) "
            "select n, n, 'admitted', %(at)s, %(at)s, (array[9, 1, 8])[1 + mod(n, 3)] from generate_series(1, 300) n",
            {"at": now - timedelta(hours=1)},
        )
        connection.execute("insert into watchlist (vid, id8, published_at) select vid, id8, published_at from videos")
        connection.execute("insert into channels (channel_id) values ('UCa'), ('UCb')")
        connection.execute(
            "insert into discovery_requests (requested_at, source, target, bucket, units, candidates, new, error) "
            "values (%(at)s, 'search', 'lofi [bold]', 'search', 2, 100, 60, 'half of it\nfailed')",
            {"at": now - timedelta(hours=1)},
        )


@pytest.mark.usefixtures("_lived_in")
def test_the_plan_is_a_table_and_a_verdict_for_each_bucket(run: Any) -> None:
    said = run("plan", "--days", "3").output
    for words in ("stats: fits; ", "general: fits; ", "search: fits; ", "on the busiest day (20", "assumed: "):
        assert words in said
    assert said.count("10,000") >= 6
    assert "goes without" not in said, "a column without a value"


@pytest.mark.usefixtures("_lived_in")
@pytest.mark.parametrize("more", [[], ["--found-a-day", "150000"]])
def test_a_plan_in_a_narrow_terminal_is_one_table(run: Any, monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    """It was a box for each day, six lines high."""
    monkeypatch.setenv("COLUMNS", "60")
    done = run("plan", "--days", "9", *more)
    days = [line for line in done.stdout.splitlines() if line.startswith("│ 20")]
    assert len(days) == 10
    assert all(len(line) <= 60 for line in done.stdout.splitlines())
    assert "…" not in done.stdout
    assert ("goes without" in done.stderr) == bool(more)
    assert "of search" in done.stderr


@pytest.mark.usefixtures("_lived_in")
def test_what_starves_is_said_and_the_command_still_ends_well(run: Any) -> None:
    done = run("plan", "--found-a-day", "150000")
    assert done.exit_code == 0
    flat = " ".join(done.output.split())
    assert "tracking goes without from 20" in flat
    assert "PLEIADES_DISCOVERY_WHEN_FULL=sample" in flat


@pytest.mark.usefixtures("_lived_in")
def test_a_plan_is_one_document(run: Any) -> None:
    document = json.loads(run("plan", "--days", "2", "--projects", "2", "--json").stdout)
    assert document["projects"] == ["mine", "supposed 2"]
    assert len(document["rows"]) == 3 * 3 * 2
    assert document["watched"] == 300


@pytest.mark.usefixtures("_lived_in")
def test_sources_and_targets(run: Any) -> None:
    said = run("sources", "--targets").output
    assert "search lofi [bold]" in said
    assert "half of it failed" in said
    document = json.loads(run("sources", "--json").stdout)
    assert document["sources"][0]["new_per_unit"] == 30
    assert document["channels"]["unanswered"] == 2


@pytest.mark.usefixtures("_lived_in")
def test_coverage_says_what_it_cannot_say(run: Any) -> None:
    document = json.loads(run("coverage", "--json").stdout)
    assert document["videos"] == 300
    assert document["by_group"]["total"] == pytest.approx(400, abs=5)
    said = " ".join(run("coverage").output.split())
    assert "never take silence for a video's absence" in said
    assert "search, feeds" in said
    # Cited as it stands: what was asked, for which days, how many were seen, the estimate, its interval and its method.
    sentence = next(line for line in said.split("Of the YouTube videos ")[1:])
    for words in (
        "published from 20",
        "300 were seen (sources: search, feeds)",
        "estimated at 399 or more (95 % interval 3",
        "Chao 1989",
    ):
        assert words in sentence
    assert "of 95 %" not in said


@pytest.mark.usefixtures("_lived_in")
@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_coverage_cuts_no_number(run: Any, database: Database, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """An interval is shown whole or not at all."""
    with database.transaction() as connection:
        connection.execute(
            "insert into videos (id8, vid, state, published_at, claimed_at, sources) "
            "select n, n, 'admitted', now() - interval '1 hour', now(), (array[9, 1, 8])[1 + mod(n, 3)] "
            "from generate_series(1001, 40000) n"
        )
    monkeypatch.setenv("COLUMNS", columns)
    said = run("coverage").stdout
    assert "…" not in said
    assert "52,399" in said, "the estimate is shown, however narrow it is"


@pytest.mark.usefixtures("_lived_in")
def test_coverage_for_a_paper(run: Any) -> None:
    paper = run("coverage", "--markdown").stdout
    assert paper.startswith("## Coverage of YouTube videos published from 20")
    assert "| search, feeds | 100 | 399 | 3" in paper
    for words in ("\nOf the YouTube videos published", "\n### Limits\n", "\n- Chao, A. (1989)", "| --- | --- |"):
        assert words in paper


def test_quota_names_keys_by_fingerprint_and_what_is_ignored_and_shared(run: Any) -> None:
    document = json.loads(run("quota", "--json").stdout)
    assert [key["state"] for key in document["keys"]] == ["live", "ignored: compliance mode"]
    assert document["shared"] == {"mine": ["hunting", "tracking", "archeology"]}
    search = next(row for row in document["ledger"] if row["bucket"] == "search")
    assert search["shares"] == {"hunting": 80, "archeology": 20}
    assert search["spent_by"] == {"hunting": 0, "archeology": 0}
    assert {row["project"] for row in document["ledger"]} == {"mine"}
    said = " ".join(run("quota").output.split())
    assert "project mine is shared by hunting, tracking, archeology" in said


@pytest.mark.parametrize("command", ["plan", "sources", "coverage", "quota"])
def test_an_empty_installation_has_an_answer(run: Any, command: str) -> None:
    assert run(command).exit_code == 0
    assert isinstance(json.loads(run(command, "--json").stdout), dict)


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        (["top"], "home hunt`"),
        (["terms", "list"], "home terms add TERM`"),
        (["quota"], "YOUTUBE_API_KEY_POOL_JSON"),
        (["plan"], "YOUTUBE_API_KEY_POOL_JSON"),
    ],
)
def test_an_empty_home_says_what_to_do_next(
    run: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], next_step: str
) -> None:
    """On stderr, and with --json too: the answer is the same."""
    monkeypatch.delenv("YOUTUBE_API_KEY_POOL_JSON")
    for more in ([], ["--json"]):
        done = run(*words, *more)
        assert (next_step in done.stderr, next_step in done.stdout) == (True, False)
    assert json.loads(done.stdout)


@pytest.fixture
def rising(pleiades: Installation, simulator: ForkedSimulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `top` on an installation that measured for some hours of a day that is not over."""
    for _ in range(3):
        pleiades.hunter().hunt()
        pleiades.tracker().track()
        pleiades.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    monkeypatch.setenv("PLEIADES_CLOCK", "simulator")
    monkeypatch.setenv("PLEIADES_YOUTUBE_URL", simulator.base_url)
    return lambda *arguments: CliRunner().invoke(app, ["--home", str(pleiades.settings.home), "top", *arguments])


def test_today_ends_now(pleiades: Installation, rising: Any) -> None:
    """It ended at the next midnight: every video was older than it is."""
    today = pleiades.clock.now().date().isoformat()
    of_day, now = (json.loads(rising(*words, "--json").stdout) for words in ([today], []))
    assert now["top"]
    assert of_day == now
    assert of_day["until"] == pleiades.clock.now().isoformat()
    assert f"the 24 hours to {pleiades.clock.now():%Y-%m-%d %H:%M} UTC" in rising(today).output


def test_top_does_not_say_that_nothing_was_measured_where_a_file_is_damaged(pleiades: Installation, rising: Any) -> None:
    for key in pleiades.vault.journal.keys("journal/samples"):
        file = Path(pleiades.vault.journal.uri(key))
        file.write_bytes(file.read_bytes()[:-40])
    for words in ([], [pleiades.clock.now().date().isoformat()]):
        done = rising(*words, "--json")
        assert (getattr(done.exception, "exit_code", None), json.loads(done.stdout)["top"]) == (6, [])
        assert "nothing was measured" not in done.stderr
