"""What the demo costs: three simulated days through Dagster, from an empty folder to a ranking.

`seconds` and `cpu_s` are of the whole command: Dagster, PostgreSQL and the simulator included. Sizes are of the closed days;
their rival is `pandas.to_parquet` with its defaults on the same rows, ids as text, as one would write them without a thought.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import machine

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (the default)")
    parser.add_argument("--world", help="folder of a recorded world instead of the synthetic one")
    parser.add_argument("--start", help="first day, with --world")
    parser.add_argument("--days", type=int, default=3)
    print(json.dumps(measure(parser.parse_args())))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Play the demo once in a temporary home."""
    command = [sys.executable, "-m", "pleiades_dagster.cli", "demo", "--json", "--days", str(options.days)]
    command += ["--world", options.world] if options.world else []
    command += ["--start", options.start] if options.start else []
    with tempfile.TemporaryDirectory(prefix="plb") as folder:
        home = Path(folder) / "home"
        _adopt_orphans()
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run([*command, "--home", str(home)], stdout=subprocess.PIPE, check=True)
        seconds = time.perf_counter() - start
        _reap_orphans()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        summary = json.loads(done.stdout)
        rows, bytes_of_vault, naive = _sizes(home / "vault")
    workload = {name: summary[name] for name in ("discovered", "watched", "samples", "misses", "calls", "days_closed")}
    return {
        "figures": {
            "seconds": round(seconds, 1),
            "cpu_s": round(cpu_s, 1),
            "samples_per_cpu_s": round(summary["samples"] / cpu_s, 1),
            "bytes_per_sample": round(bytes_of_vault / rows, 2),
            "sql_mb": round(summary["sql_bytes"] / 1e6, 1),
        },
        "rivals": {"pandas_to_parquet_bytes_per_sample": round(naive / rows, 2), "ratio": round(bytes_of_vault / naive, 3)},
        "workload": {**workload, "days": options.days, "world": "recorded" if options.world else "synthetic"},
        "machine": machine.describe(),
    }


def _sizes(vault: Path) -> tuple[int, int, int]:
    """Rows and bytes of the closed days, and the bytes of the same rows written by pandas."""
    days = sorted((vault / "metrics").glob("date=*/day.parquet"))
    rows = naive = 0
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for day in days:
            frame = connection.sql(
                "select v.video_id, s.polled_at, s.status, s.definition, s.views, s.likes, s.comments"
                " from read_parquet($day) s join read_parquet($registry) v using (vid) order by s.polled_at, s.vid",
                params={"day": str(day), "registry": str(vault / "videos" / "*" / "day.parquet")},
            ).df()
            rows += len(frame)
            written = vault / f"{day.parent.name}.rival.parquet"
            frame.to_parquet(written)
            naive += written.stat().st_size
    return rows, sum(day.stat().st_size for day in days), naive


def _adopt_orphans() -> None:
    """Become the parent of what the command leaves behind: PostgreSQL detaches itself, and its CPU time would be nobody's."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_orphans() -> None:
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return


if __name__ == "__main__":
    main()
