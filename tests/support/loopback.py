"""A real HTTP server on loopback for tests of the YouTube client: scripted byte for byte, counting what arrives."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

#: Writes an answer on a connection; True when the connection may take another request.
Answer = Callable[[socket.socket], bool]


@dataclass
class Loopback:
    """Answers requests with `answers` in turn, the last one for ever, and keeps what was asked."""

    answers: list[Answer]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    base_url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: bytes) -> Answer:
        """The answer to the request that just came."""
        with self._lock:
            self.requests.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def reply(
    status: int = 200,
    body: bytes = b"",
    *,
    headers: tuple[tuple[str, str], ...] = (),
    length: int | None = None,
    keep: bool = True,
) -> Answer:
    """An answer of one piece; `length` lies about the body's length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in headers]
    content = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def send(connection: socket.socket) -> bool:
        connection.sendall(content)
        return keep

    return send


def json_reply(content: object, status: int = 200) -> Answer:
    """An answer that is `content` as JSON."""
    return reply(status, orjson.dumps(content), headers=(("Content-Type", "application/json"),))


def raw(content: bytes) -> Answer:
    """Exactly these bytes, then the end of the connection."""

    def send(connection: socket.socket) -> bool:
        connection.sendall(content)
        return False

    return send


@contextlib.contextmanager
def serve(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    """A server that answers in turn for the length of a block; every connection is closed and every thread ended after it."""
    loopback = Loopback(list(answers))
    stop = threading.Event()
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def converse(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection = tls.wrap_socket(connection, server_side=True) if tls else connection
            open_sockets.append(connection)
        with connection, contextlib.suppress(OSError):
            while request := _read_request(connection):
                if not loopback.answer(request)(connection):
                    return

    def accept(listener: socket.socket) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                loopback.connections += 1
                threads.append(threading.Thread(target=converse, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        loopback.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        acceptor = threading.Thread(target=accept, args=(listener,), daemon=True)
        acceptor.start()
        try:
            yield loopback
        finally:
            stop.set()
            # Wakes `accept`; closing alone does not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(5)
            for connection in open_sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(5)


def _read_request(connection: socket.socket) -> bytes:
    """Head and body of one request; empty at the end of the connection."""
    content = b""
    while b"\r\n\r\n" not in content:
        part = connection.recv(65_536)
        if not part:
            return b""
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
