"""The figures of the structure, and what they must say of this tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.structure import measure, trace


def test_a_claimed_video_comes_back_to_the_hunter_once_at_most() -> None:
    """The hunter is policy: sources, the admission pipeline and its steps hand the video on among themselves."""
    way = trace()
    assert "pleiades_core.discover.admission.pipeline" in way["modules"]
    assert "pleiades_core.discover.hunter" in way["modules"]
    assert way["returns_to_the_hunter"] <= 1


#: A retired word, in two pieces: the test of the vocabulary reads this file too.
_RETIRED = "tal" + "ly"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "pleiades_core/__init__.py": "",
        "pleiades_core/vault/__init__.py": "",
        "pleiades_core/vault/layout.py": f"#: A {_RETIRED}.\n"
        'def near(one: int) -> int:\n    """The number."""\n    return one\n',
        "pleiades_core/track/__init__.py": "",
        "pleiades_core/track/tracker.py": (
            "from pleiades_core.vault.layout import near\n\n\n"
            'def track(a: int, b: int, c: int) -> int:\n    """The sum."""\n    return near(a + b + c)\n'
        ),
        "tests/test_it.py": "def test_it() -> None:\n    pass\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_figures_of_a_small_tree(tree: Path) -> None:
    figures = measure(tree)
    assert figures["packages"]["pleiades_core.vault"]["imported_by"] == 1
    assert figures["packages"]["pleiades_core.track"]["imports"] == 1
    assert figures["packages"]["pleiades_core.track"]["longest"] == "track"
    assert figures["in_the_form"] == {"public_functions": 2, "in_the_form": 1, "share": 0.5}
    assert figures["retired_words"]["total"] == 1
    assert figures["empty_names"] == 1
