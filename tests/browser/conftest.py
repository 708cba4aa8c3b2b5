"""A headless Chromium, and the UI of a demo that was played for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.playing import played_once

#: Debian's own: Playwright's download is not available everywhere.
CHROMIUM = os.environ.get("PLEIADES_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
#: What keeps it from talking to anybody but us.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser, or a skip that says what is missing. Of one module: Playwright keeps an event loop running meanwhile."""
    if CHROMIUM is None:
        pytest.skip("no Chromium found: install Debian's `chromium`, or name one in PLEIADES_TEST_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A demo played to its end: of a small world, or the one that PLEIADES_DEMO_HOME names."""
    if given := os.environ.get("PLEIADES_DEMO_HOME"):
        yield Path(given)
        return
    # A short path: the name of PostgreSQL's Unix socket is limited to 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="plb"))
    yield played_once(tmp_path_factory).copy_to(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ui(demo_home: Path) -> Iterator[str]:
    """Address of the running UI."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "pleiades_dagster.cli", "ui", "--home", str(demo_home), "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(port, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 143, said


def _wait(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(
        f"the UI did not come up: {process.communicate(timeout=5)[0] if process.poll() is not None else 'still starting'}"
    )
