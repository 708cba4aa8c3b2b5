"""What tables print: titles as they are, ids whole, in terminals of any width and streams of any encoding."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pleiades_core.cli import output

ID, OTHER_ID = "dQw4w9WgXcQ", "-abcdhfgXi0"
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
HEART = "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}"
HOSTILE = [
    ":fire: up 10 %", r"a \[bold] and \\ backslashes", "[bold]not bold[/bold]", "[/]", "[link=https://x.test]x[/link]",
    ":warning:", r"\[x", r"\[ y", "{title}", "%s", "\\",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _whole() -> Iterator[None]:
    output.print_whole_tables(False)
    yield
    output.repeat_home(None)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], title: str) -> None:
    """In cells, in the head of a table, in sentences, in hints."""
    output.print_rows(title, ["title", title], [[title, 1]])
    assert shown(capsys).count(title) == 3
    output.print_facts(title, {"title": title, title: 5})
    assert shown(capsys).count(title) == 3
    output.say(title)
    assert shown(capsys) == f"{title}\n"
    output.hint(title)
    assert capsys.readouterr().err == f"{title}\n"


@pytest.mark.parametrize("title", [FAMILY, HEART, "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"])
def test_joined_emoji_stay_joined(capsys: pytest.CaptureFixture[str], title: str) -> None:
    output.print_rows("", ["title"], [[title]])
    assert title in shown(capsys)


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert output.text("a\x1b[31mb\u202ec\x00d\ne") == "a\ufffd[31mb\ufffdc\ufffdd e"


def test_what_is_empty_has_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    """0 and False are values."""
    output.print_facts("hunt", {"new": 0, "full": "", "resets_at": None, "unknown": [], "units_left": {}, "live": False})
    said = shown(capsys)
    assert [word for word in ("new", "full", "resets at", "unknown", "units left", "live") if word in said] == ["new", "live"]


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_an_id_is_never_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [[1, ID, "A title that is much too long for this terminal", 12_345, 0.5], [2, OTHER_ID, "T", 1, 2.0]]
    output.print_rows(
        "rising", ["#", "video", "title", "views", "views per hour"], rows, expendable=["title", "views", "views per hour", "#"]
    )
    said = capsys.readouterr()
    assert (ID in said.out, OTHER_ID in said.out) == (True, True)
    assert all(len(line) <= columns for line in said.out.splitlines())
    assert ("--wide" in said.err) == (columns < 60)


def test_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_rows("", ["video", "views"], [[ID, 1_234_567], [OTHER_ID, 8]])
    assert [line[-4:-2] for line in shown(capsys).splitlines()[3:5]] == ["67", " 8"]


def test_wide_prints_everything(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    title = "A title that is much too long for this terminal"
    output.print_whole_tables(True)
    output.print_rows("rising", ["video", "title", "channel"], [[ID, title, "UC" + "x" * 22]])
    said = capsys.readouterr()
    assert title in said.out
    assert "UC" + "x" * 22 in said.out
    assert said.err == ""


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    output.print_rows("", ["video", "a", "b", "c"], [[ID, "x" * 60, "y" * 60, "z" * 60]])
    assert [len(line) for line in shown(capsys).splitlines()] == [204] * 5


def test_ids_stay_whole_among_facts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    output.print_facts("added", {"channel_ids": ["UC" + "x" * 22, "UC" + "y" * 22], "description": "word " * 40})
    lines = shown(capsys).splitlines()
    assert {len(line) for line in lines[1:]} == {44}
    assert sum("UC" + letter * 22 in line for letter in "xy" for line in lines) == 2


@pytest.mark.parametrize("columns", [20, 40, 60, 100])
def test_a_sentence_is_never_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Without room for a column it stands in a list; each of its words is whole."""
    monkeypatch.setenv("COLUMNS", str(columns))
    found, cure = "3 files differ from their SHA-256", "restore the named files from a copy"
    names = ["state", "part", "found", "what to do"]
    output.print_rows("doctor", names, [["WRONG", "vault", found, cure], ["ok", "disk", "much room", ""]], prose=names[2:])
    said = shown(capsys)
    words = said.split()
    assert all(word in words for word in [*found.split(), *cure.split(), "WRONG", "vault"])
    assert all(len(line) <= columns for line in said.splitlines()) or columns == 20


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_stream_of_any_encoding_is_written_to(encoding: str, tmp_path: Path) -> None:
    """What it cannot hold becomes a question mark; never a traceback."""
    (tmp_path / "vault").mkdir()
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0", "PLEIADES_HOME": str(tmp_path)}
    for arguments, code in ((["sql", "select chr(26085) || chr(26412) title"], 0), (["show", "日本"], 2), (["-h"], 0)):
        done = subprocess.run(
            [sys.executable, "-m", "pleiades_dagster", *arguments],
            env=environment, cwd=tmp_path, capture_output=True, encoding=encoding, check=False, timeout=120,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        if arguments[0] == "sql" and encoding != "utf-8":
            # A question mark for each cell: an edge of the table that moves is a table that cannot be read.
            assert len({len(line) for line in done.stdout.splitlines()}) == 1, done.stdout
        if arguments[0] == "sql":
            assert ("日本" in done.stdout, "??" in done.stdout) == (encoding == "utf-8", encoding != "utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("`pleiades quota` shows what is left", "`pleiades --home 'my home' quota` shows what is left"),
        ("close it first: pleiades close-day 2026-03-01", "close it first: pleiades --home 'my home' close-day 2026-03-01"),
        (
            "`pleiades hunt` finds, `pleiades track` polls",
            "`pleiades --home 'my home' hunt` finds, `pleiades --home 'my home' track` polls",
        ),
        ("it runs while `pleiades --home x ui` is open", None),
        ("`pleiades --help` shows what may be asked", None),
        ("`pleiades demo` needs none; `pleiades simulator` serves", None),
        ("see /srv/pleiades data and Pleiades itself", None),
    ],
)
def test_commands_of_a_hint_repeat_the_home(words: str, told: str | None) -> None:
    assert output.next_step(words) == words
    output.repeat_home(Path("my home"))
    assert output.next_step(words) == (told or words)


def test_a_sentence_that_is_said_elsewhere_may_be_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    output.print_rows("", ["day", "why"], [["2026-03-01", "tracking lacks much"]] * 3, expendable=["why"], prose=["why"])
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if "2026" in line] == ["│ 2026-03-01 │"] * 3
    assert "why" in said.err
