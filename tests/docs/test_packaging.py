"""Locks and image: what runs is locked apart from what develops, and the image loses no file that the product opens."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]


def locked(name: str) -> dict[str, set[str]]:
    """Each pinned `package==version` of a lock, with its hashes."""
    pins: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text().strip()):
        head, *hashes = entry.split(" \\\n    --hash=")
        pins.setdefault(head.split(" ;")[0], set()).update(hashes)
    return pins


def names(requirements: list[str]) -> set[str]:
    """The packages that requirements name, as locks spell them."""
    return {re.split(r"[\[<>=;]", each)[0].strip().replace("_", "-").lower() for each in requirements}


def packages(name: str) -> set[str]:
    """The packages of a lock."""
    return {pin.split("==")[0] for pin in locked(name)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_no_lock_names_a_host(name: str) -> None:
    assert all(locked(name).values())
    assert "://" not in (ROOT / name).read_text()


def test_development_runs_the_versions_of_the_image() -> None:
    everything = locked("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-build.lock"):
        different = {pin: hashes for pin, hashes in locked(name).items() if everything.get(pin) != hashes}
        assert different == {}, name


def test_each_lock_holds_what_is_declared_for_it() -> None:
    groups = PROJECT["dependency-groups"]
    develops = names([each for each in groups["dev"] if isinstance(each, str)]) | names(groups["build"])
    extras = names(PROJECT["project"]["optional-dependencies"]["gcp"])
    runs = names(PROJECT["project"]["dependencies"])
    assert runs <= packages("requirements.lock")
    # Dagster needs it to read YAML, and tests do.
    assert packages("requirements.lock") & (develops | extras) == {"pyyaml"}
    assert runs | develops | extras <= packages("requirements-dev.lock")
    assert packages("requirements-build.lock") == names(groups["build"])


_OPENED = """
import sys
sys.path.insert(0, sys.argv[1])
import slim, sysconfig
from pathlib import Path
import pleiades_core.cli.main, pleiades_dagster.cli, pleiades_dagster.definitions
import pleiades_dagster.demo.play, pleiades_dagster.ui.processes
import dagster_postgres, dagster_webserver.app, numpy.testing, pyarrow.dataset, pyarrow.parquet
gone = list(slim.superfluous(Path(sysconfig.get_path("purelib"))))
files = [Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
lost = [str(file) for file in files if any(file.is_relative_to(path) for path in gone)]
print(len(gone), *lost)
"""


def test_the_image_keeps_every_module_that_the_product_imports() -> None:
    """On the packages that are installed here, which have the image's versions. A pattern without a match raises."""
    done = subprocess.run([sys.executable, "-c", _OPENED, ROOT / "deploy"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    gone, *lost = done.stdout.split()
    assert int(gone) > 600, "the documents of other APIs alone are 600"
    assert lost == []


def test_the_image_keeps_the_document_that_requests_are_built_from() -> None:
    sys.path.insert(0, str(ROOT / "deploy"))
    try:
        slim = importlib.import_module("slim")
    finally:
        sys.path.pop(0)
    here = Path(sysconfig.get_path("purelib"))
    gone = set(slim.superfluous(here))
    documents = here / "googleapiclient" / "discovery_cache" / "documents"
    assert set(documents.iterdir()) - gone == {documents / "youtube.v3.json"}
