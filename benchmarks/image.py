"""The size of the image by part, and a trial of the image: `make image-check` builds it without Docker or a registry of images.

It needs root, Debian's `buildah` and `debootstrap`, and ten minutes the first time. The base is a stand-in: Debian's own
Python 3.11 under the name `python:3.11-slim`, made once and kept in `--cache`. The official base has other paths and another
size, so the sizes of base and product are given apart. The trial runs commands through the entrypoint as the image's user. It
does not try networks, limits and capabilities: those belong to the container runtime.

The exit code is 1 when a command fails or the image is larger than `MOST_BYTES`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import machine

ROOT = Path(__file__).parents[1]
MOST_BYTES = 700_000_000
#: A package of this size stands in the answer by its name.
_LARGE_BYTES = 5_000_000
_BASE = "docker.io/library/python:3.11-slim"
_PACKAGES = "python3,python3-venv,ca-certificates"
#: Files that debootstrap leaves and the official base does not have.
_SPARE = ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*", "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*")
#: Commands that the image must be able to run, and a part of their output.
_COMMANDS = (
    (("--help",), "hunt"),
    (("init-db",), ""),
    (("doctor",), "every SHA-256"),
    (("demo", "--days", "1", "--home", "demo", "--json"), '"days_closed"'),
)
#: `doctor` reports an installation without a key as wrong. It makes no call.
_KEY = 'YOUTUBE_API_KEY_POOL_JSON=["none-that-works"]'


def main() -> None:
    """Build, run, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (the default)")
    parser.add_argument("--cache", type=Path, default=ROOT / ".pleiades" / "image", help="folder of the base and of layers")
    options = parser.parse_args()
    if missing := [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]:
        sys.exit(
            f"{' and '.join(missing)} not found: as root, apt-get install buildah crun fuse-overlayfs netavark debootstrap"
        )
    if os.geteuid() != 0:
        sys.exit("making a root file system needs root")
    result = measure(options.cache.resolve())
    print(json.dumps(result))
    sys.exit(result["figures"]["failed"] > 0 or result["figures"]["image_bytes"] > MOST_BYTES)


def measure(cache: Path) -> dict[str, Any]:
    """Build the image, run its commands in it, and weigh its parts."""
    cache.mkdir(parents=True, exist_ok=True)
    builder = _Builder(cache)
    builder.base()
    # Certificates of this machine: pip in the build must trust the same proxies as pip outside.
    builder.buildah(
        "bud", "--request-never", "--network", "host", "--isolation", "chroot", "--layers",
        "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", "-f", ROOT / "deploy/Dockerfile", "-t", "pleiades", ROOT,
    )  # fmt: skip
    with builder.container("localhost/pleiades") as (container, files):
        # First, because the commands write.
        parts = weigh(files)
        commands = {" ".join(arguments): builder.runs(container, arguments, expected) for arguments, expected in _COMMANDS}
    return {
        "figures": {
            "image_bytes": sum(parts.values()),
            "base_bytes": parts["base"],
            "product_bytes": sum(parts.values()) - parts["base"],
            "failed": sum(not well for well in commands.values()),
        },
        "rivals": {"most_bytes": MOST_BYTES},
        "workload": {"parts_bytes": parts, "commands": commands},
        "machine": machine.describe(),
    }  # fmt: skip


def weigh(files: Path) -> dict[str, int]:
    """Bytes by part, largest first: the base, compiled modules, each large package, the small packages together, the rest."""
    environment = files / "opt/pleiades"
    packages = next((environment / "lib").glob("python3*/site-packages"))
    parts: Counter[str] = Counter(
        {"base": _size(files) - _size(environment), "environment": _size(environment) - _size(packages)}
    )
    for entry in packages.iterdir():
        compiled = sum(_size(folder) for folder in [entry, *entry.rglob("*")] if folder.name == "__pycache__")
        rest = _size(entry) - compiled
        parts["compiled modules"] += compiled
        parts[entry.name if rest >= _LARGE_BYTES else "small packages"] += rest
    return dict(parts.most_common())


def _size(path: Path) -> int:
    """Bytes of a file or of the files below a folder, each once however many names it has."""
    if not path.is_dir():
        return path.lstat().st_size
    found = (Path(folder, name).lstat() for folder, _, names in os.walk(path) for name in names)
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in found}.values())


class _Builder:
    """Runs buildah with all its storage in one folder."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        # A short path: buildah puts sockets there, and a socket's name is limited to 107 bytes.
        self._run = Path(tempfile.gettempdir()) / "pleiades-buildah"

    def buildah(self, *arguments: str | Path) -> str:
        """Run one subcommand and return its output, which also goes to stderr. Raises CalledProcessError."""
        where = ("--root", self._cache / "storage", "--runroot", self._run)
        done = subprocess.run(["buildah", *where, *arguments], stdout=subprocess.PIPE, text=True, check=True)
        sys.stderr.write(done.stdout)
        return done.stdout.strip()

    def base(self) -> None:
        """Make the base image if the cache has none."""
        if self.buildah("images", "--quiet", "--filter", f"reference={_BASE}"):
            return
        files = self._cache / "rootfs"
        shutil.rmtree(files, ignore_errors=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", files], stdout=sys.stderr, check=True
        )
        (files / "usr/bin/python").symlink_to("python3")
        for pattern in _SPARE:
            for path in files.glob(pattern):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        with tempfile.TemporaryDirectory(dir=self._cache) as context:
            subprocess.run(["tar", "-C", files, "-cf", Path(context) / "base.tar", "."], check=True)
            (Path(context) / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
            self.buildah("bud", "--isolation", "chroot", "-t", _BASE, context)
        shutil.rmtree(files)

    @contextmanager
    def container(self, image: str) -> Iterator[tuple[str, Path]]:
        """A container of an image and the folder of its files, for the length of a block."""
        name = self.buildah("from", "--request-never", image)
        try:
            yield name, Path(self.buildah("mount", name))
        finally:
            self.buildah("rm", name)

    def runs(self, container: str, arguments: Sequence[str], expected: str) -> bool:
        """Run a command through the entrypoint; True if its exit code is 0 and its output has the expected words."""
        try:
            output = self.buildah(
                "run", "--isolation", "chroot", "--env", _KEY, container, "--", "pleiades-entrypoint", *arguments
            )
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{error.stdout}\n{error}\n")
            return False
        return expected in output


if __name__ == "__main__":
    main()
