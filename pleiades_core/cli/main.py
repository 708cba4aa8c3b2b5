"""`pleiades`: the program. This module runs it: signals, and what an error becomes. Does not belong here: commands.

Exit codes: 0 done · 1 unexpected · 2 usage · 3 not found · 4 keys refused · 5 YouTube failed · 6 database or vault failed ·
10 configuration · 42 quota spent until the reset · 130 interrupted · 143 terminated. (docs/cli.md)
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from functools import partial
from types import FrameType
from typing import NoReturn

import typer
from rich.markup import escape

# The commands register themselves with `app` when they are imported.
from pleiades_core.cli import discovery, look, operate, output, push, repair, simulate, terms  # noqa: F401
from pleiades_core.cli.app import app
from pleiades_core.errors import PleiadesError
from pleiades_core.vault.interruptible import has_hanging_thread


class Stopped(BaseException):
    """SIGINT or SIGTERM. No KeyboardInterrupt: Typer swallows that one. Leases and servers are given up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        #: What a shell reports of a program that a signal ended: 130 after Ctrl-C, 143 after SIGTERM.
        self.exit_code = 128 + number


def run() -> NoReturn:
    """Run the program and leave with its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    code = _run()
    if has_hanging_thread():
        _leave_at_once(code)
    sys.exit(code)


def _run() -> int:
    try:
        code = typer.main.get_command(app).main(prog_name="pleiades", standalone_mode=False)
    except PleiadesError as error:
        output.stderr.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        if error.cure:
            output.stderr.print(f"[bold]cure:[/]  {escape(error.cure)}", highlight=False, soft_wrap=True)
        return error.exit_code
    except typer.TyperException as error:
        # Typer names no public base that shows itself, only the errors that do.
        getattr(error, "show", partial(output.stderr.print, str(error), markup=False))()
        return error.exit_code
    except Stopped as stopped:
        output.stderr.print("stopped; leases are given back")
        return stopped.exit_code
    except SystemExit as ended:
        # The reader had enough, as in `pleiades sql … | head`: rich and click each end with 1 for it.
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        # Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def _leave_at_once(code: int) -> NoReturn:
    """End without waiting for a thread that hangs in a read, and without a word on what it holds."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(number)
