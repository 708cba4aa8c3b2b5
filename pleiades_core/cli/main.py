"""`pleiades`: the program. This module runs it: signals, streams, errors and exit codes. Does not belong here: commands.

Exit codes: 0 done · 1 unexpected · 2 usage · 3 not found · 4 keys refused · 5 YouTube failed · 6 database or vault failed ·
10 configuration · 42 quota spent until the reset · 130 interrupted · 143 terminated. (docs/cli.md)
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from functools import partial
from typing import NoReturn

import typer
from rich.text import Text

from pleiades_core.cli import commands, output, signals
from pleiades_core.cli.app import app
from pleiades_core.errors import PleiadesError
from pleiades_core.vault.interruptible import has_hanging_thread

commands.load()


def run() -> NoReturn:
    """Run the program and leave with its exit code."""
    signals.leave_at_once()
    for stream in (sys.stdout, sys.stderr):
        # A title that the terminal's encoding cannot show must not end the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = _run()
    if has_hanging_thread():
        _leave_at_once(code)
    sys.exit(code)


def _run() -> int:
    try:
        code = typer.main.get_command(app).main(prog_name="pleiades", standalone_mode=False)
    except PleiadesError as error:
        _say("error:", "bold red", str(error))
        if error.cure:
            _say("cure: ", "bold", output.next_step(error.cure))
        return error.exit_code
    except typer.TyperException as error:
        # Typer has no public base class of the errors that have `show`.
        getattr(error, "show", partial(output.stderr.print, str(error)))()
        return error.exit_code
    except signals.Stopped as stopped:
        output.stderr.print(str(stopped))
        return stopped.exit_code
    except SystemExit as ended:
        # The reader closed the pipe, as in `pleiades sql … | head`: rich and click end with 1 then.
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        # Python would raise again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def _leave_at_once(code: int) -> NoReturn:
    """End without waiting for a thread that hangs in a read, and without Python's warnings about it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _say(label: str, style: str, message: str) -> None:
    # As a Text: a title or a path in a message is never markup.
    output.stderr.print(Text.assemble((label, style), " ", message), soft_wrap=True)
