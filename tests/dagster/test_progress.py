"""What a demo says where standard error is no terminal."""

from __future__ import annotations

import itertools
import threading

from pleiades_dagster.demo.play import Step
from pleiades_dagster.demo.progress import heading, line_of, lines

_STARTING = Step(text="starting PostgreSQL", hours=None, of=74)
_PLAYING = Step(text="2026-03-02 07:00", hours=31, of=74)


def test_a_line_says_what_is_played_and_how_much_is_done() -> None:
    assert line_of(_STARTING, 3.4) == "    3 s  starting PostgreSQL"
    assert line_of(_PLAYING, 62.0) == "   62 s  2026-03-02 07:00, hour 31 of 74, 42% done"


def test_parts_and_days_have_lines_of_their_own_and_hours_have_not() -> None:
    said: list[str] = []
    with lines(said.append, every_s=3600) as show:
        show(_STARTING)
        for hour in range(48):
            show(Step(text=f"2026-03-{2 + hour // 24:02d} {hour % 24:02d}:00", hours=hour, of=50))
    assert [line[9:] for line in said] == [
        "starting PostgreSQL",
        "2026-03-02 00:00, hour 0 of 50, 0% done",
        "2026-03-03 00:00, hour 24 of 50, 48% done",
    ]
    assert heading(_PLAYING) == "2026-03-02"


def test_a_step_that_lasts_is_said_again() -> None:
    """A simulated hour may take a minute on a busy machine."""
    count, thrice = itertools.count(1), threading.Event()

    def say(line: str) -> None:
        assert "hour 31 of 74" in line
        if next(count) == 3:
            thrice.set()

    with lines(say, every_s=0.01) as show:
        show(_PLAYING)
        thrice.wait()
    assert thrice.is_set()


def test_nothing_is_said_before_there_is_something_to_say_or_after_the_end() -> None:
    said: list[str] = []
    with lines(said.append, every_s=0.001):
        pass
    assert said == []
