"""Canaries, and a search for them: in bytes, files, Parquet, PostgreSQL and the list of processes.

A canary is a secret that holds `MARK` again and again, so that most fragments of it give it away, the first 8 characters too,
in any of the forms in which secrets are written down: plain, percent-encoded, base64 in each of its three alignments,
hexadecimal, UTF-16.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pyarrow.parquet as pq
from psycopg import sql

MARK = "Zq7xW9vK"


def canary(role: str) -> str:
    """A secret for `role`: letters, digits, - and _ alone, as in an API key, and 39 characters or more."""
    return f"{MARK}-{role}-{MARK}_{MARK}{MARK}"


def _forms(mark: str) -> dict[str, bytes]:
    plain = mark.encode()
    forms = {
        "plain": plain,
        "lower case": plain.lower(),
        "percent-encoded": "".join(f"%{byte:02X}" for byte in plain).encode(),
        "hexadecimal": plain.hex().encode(),
        "UTF-16": mark.encode("utf-16-le"),
        "reversed": plain[::-1],
    }
    for shift in range(3):
        # The characters that depend on nothing but the mark; those at its edges mix with what stands around it.
        text = base64.b64encode(b"\0" * shift + plain)
        first, last = -(-shift * 8 // 6), (shift + len(plain)) * 8 // 6
        forms[f"base64 at {shift}"] = text[first:last]
    return forms


FORMS = _forms(MARK)


def leaks_in(where: str, content: bytes, more: Iterable[bytes] = ()) -> list[str]:
    """Where in `content` a canary stands, in any form, with what stands around it. `more`: further secrets, as they are."""
    found = []
    for form, needle in [*FORMS.items(), *(("given", one) for one in more)]:
        at = content.find(needle)
        if at >= 0:
            found.append(f"{where}: {form}, in {content[max(0, at - 60) : at + 60]!r}")
    return found


def leaks_in_folder(root: Path, more: Iterable[bytes] = ()) -> list[str]:
    """Every file below `root`, its name included; Parquet and gzip are looked into as well."""
    found = []
    for path in sorted(root.rglob("*")):
        found += leaks_in(f"the name of {path}", str(path).encode())
        with contextlib.suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                found += leaks_in(str(path), path.read_bytes(), more)
        if path.suffix == ".parquet" and path.is_file():
            table = pq.read_table(path, partitioning=None)
            found += leaks_in(f"{path}, decoded", f"{table.to_pydict()}{table.schema.metadata}".encode(), more)
        if path.suffix == ".gz" and path.is_file():
            found += leaks_in(f"{path}, unpacked", gzip.decompress(path.read_bytes()), more)
    return found


def databases_of(url: str) -> list[str]:
    """The URL of every database on the server of `url`."""
    with psycopg.connect(url) as connection:
        names = connection.execute("select datname from pg_database where datallowconn and not datistemplate").fetchall()
    return [urlunsplit(urlsplit(url)._replace(path=f"/{name}")) for (name,) in names]


def dump_of(url: str) -> Iterator[tuple[str, bytes]]:
    """Every table of a database, and its rows as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))).fetchall()
            yield f"{urlsplit(url).path}.{table}", "\n".join(text for (text,) in rows).encode()


def leaks_in_postgres(url: str, more: Iterable[bytes] = ()) -> list[str]:
    """Every row of every table of every database on the server of `url`, and what its sessions are doing."""
    found = []
    for each in databases_of(url):
        for table, rows in dump_of(each):
            found += leaks_in(f"table {table}", rows, more)
    with psycopg.connect(url) as connection:
        sessions = connection.execute("select t::text from pg_stat_activity t").fetchall()
    return found + leaks_in("pg_stat_activity", str(sessions).encode(), more)


class Watcher:
    """Looks at the list of processes, several times a second, for the length of a block."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher")

    def look(self) -> None:
        """Take the command line of every process."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                self.seen.add(path.read_bytes())

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.look()

    def ran(self, words: str) -> bool:
        """True when a process was seen whose arguments match."""
        return any(re.search(words, line.replace(b"\0", b" ").decode("utf-8", "replace")) for line in self.seen)
