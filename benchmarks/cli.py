"""What the command line costs before it does anything: CPU seconds of `pleiades --help`, and of importing what it needs.

    help_cpu_s           the whole process of `pleiades --help`
    command_help_cpu_s   the same of `pleiades top --help`
    import_cpu_s         importing the program, and nothing else
    python_cpu_s         a process that does nothing: a part of every other figure

Each is the median of several processes, run in turn with those of the rivals, so that a busy machine slows all of them alike.
The rivals: importing every module of the core, as a program does that imports at the top of its modules; `dagster --help`; and
`import pandas`, which one of those modules needs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine

_PROGRAM = ("-m", "pleiades_dagster")
#: Every module of the core, as a program without imports on use has them; the simulator is a program of its own.
_EVERYTHING = """
import importlib, pkgutil, pleiades_core
for module in pkgutil.walk_packages(pleiades_core.__path__, "pleiades_core."):
    if "simulator" not in module.name and "migrations" not in module.name:
        importlib.import_module(module.name)
"""
_FIGURES = {
    "help_cpu_s": (*_PROGRAM, "--help"),
    "command_help_cpu_s": (*_PROGRAM, "top", "--help"),
    "import_cpu_s": ("-c", "import pleiades_dagster.cli"),
    "python_cpu_s": ("-c", "pass"),
}
_RIVALS = {
    "import_of_everything_cpu_s": ("-c", _EVERYTHING),
    "dagster_help_cpu_s": ("-m", "dagster", "--help"),
    "import_pandas_cpu_s": ("-c", "import pandas"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object (the default)")
    parser.add_argument("--runs", type=int, default=7, help="processes for each figure")
    print(json.dumps(measure(parser.parse_args().runs)))


def measure(runs: int) -> dict[str, Any]:
    """Run every process `runs` times, after once for the caches."""
    commands = {**_FIGURES, **_RIVALS}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, arguments in commands.items():
            taken = _cpu_s(arguments)
            if number:
                seconds[name].append(taken)
    medians = {name: round(statistics.median(each), 3) for name, each in seconds.items()}
    rivals = {name: medians[name] for name in _RIVALS}
    return {
        "figures": {name: medians[name] for name in _FIGURES},
        "rivals": {**rivals, "ratio_to_everything": round(medians["help_cpu_s"] / medians["import_of_everything_cpu_s"], 3)},
        "workload": {
            "runs": runs,
            "commands": {name: " ".join(arguments) for name, arguments in commands.items() if arguments[1] != _EVERYTHING},
        },
        "machine": machine.describe(),
    }


def _cpu_s(arguments: tuple[str, ...]) -> float:
    """CPU seconds, user and system, of one process of Python. Raises CalledProcessError when it fails."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
