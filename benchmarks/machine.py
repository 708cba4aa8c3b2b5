"""The machine that a figure was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> dict[str, object]:
    """What a reader needs to compare two runs."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError):
        memory = float("nan")
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor(),
    )
    return {"cpus": os.cpu_count(), "cpu": model, "memory_gb": round(memory, 1), "python": platform.python_version()}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
