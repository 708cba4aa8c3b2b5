"""The walk of CONTRIBUTING.md, "Add a command", followed with a toy command: one file, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_TOY = '''
"""`pleiades toy`: answers with the number that it is given."""

from typing import Annotated

import typer

from pleiades_core.cli.app import app, examples
from pleiades_core.cli.output import JsonOption, print_answer


@app.command(panel="Look", place=99, epilog=examples("pleiades toy 7"))
def toy(number: Annotated[int, typer.Argument(help="Any number.")], as_json: JsonOption = False) -> None:
    """Answer with the number that is given."""
    print_answer("toy", {"number": number}, as_json=as_json)
'''
#: The file is in a folder of its own, so that the checkout stays as it is.
_PROGRAM = """
import sys
from pleiades_core.cli import commands
commands.__path__.append(sys.argv.pop(1))
from pleiades_core.cli.main import run
run()
"""


def test_a_new_command_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(_TOY)

    def shown(*arguments: str) -> str:
        command = [sys.executable, "-c", _PROGRAM, str(tmp_path), *arguments]
        environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout

    assert shown("toy", "7", "--json") == '{"number":7}\n'
    look = shown("--help").partition("─ Look ─")[2].partition("╰")[0]
    assert "toy" in look
    assert "pleiades toy 7" in shown("toy", "--help")
