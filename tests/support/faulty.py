"""Broken and hostile answers of a server, by name, and the error that each of them has to end in."""

from __future__ import annotations

import gzip
import select
import socket
import struct
import traceback

import orjson

from pleiades_core.errors import ApiError, BackendError, BadReply, BadRequest, ReplyTooLarge
from support.loopback import Answer, json_reply, raw, reply

CANARY = "AIzaCANARY-canary-0123456789-abcdefghij"


def reset(connection: socket.socket) -> bool:
    """Ends the connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang_up(_connection: socket.socket) -> bool:
    """Ends the connection without a word."""
    return False


def drip(head: bytes, each: bytes = b" ") -> Answer:
    """Sends `head`, then `each` every 0.1 s until the client has had enough: no single `recv` ever waits long.

    Two minutes at most, twice the timeout of a test: who has no deadline is held until the test is ended as hanging.
    """

    def send(connection: socket.socket) -> bool:
        connection.sendall(head)
        for _ in range(1_200):
            connection.sendall(each)
            if select.select([connection], [], [], 0.1)[0]:
                return False
        return False

    return send


def pour(head: bytes, each: bytes) -> Answer:
    """Sends `head`, then `each` as fast as it goes, for ever."""

    def send(connection: socket.socket) -> bool:
        connection.sendall(head)
        while True:
            connection.sendall(each)

    return send


def deadline_s(fault: str) -> float:
    """What a call may take: little where the fault holds it until then, else so much that a busy machine changes no error."""
    return 0.3 if fault in HOLD else 30


def echo_of_the_key(status: int) -> Answer:
    """A server that shows the request in its error text."""
    text = f"bad key {CANARY} in https://youtube.googleapis.com/?key={CANARY} (X-Goog-Api-Key: {CANARY})"
    return json_reply({"error": {"code": status, "message": text, "errors": [{"reason": "badRequest"}]}}, status)


EMPTY = {"kind": "youtube#videoListResponse", "items": []}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = gzip.compress(orjson.dumps(EMPTY))
BOMB = gzip.compress(b" " * 40_000_000)

#: These hold a call until its deadline; every other one answers at once.
HOLD = frozenset({"dripping body", "dripping chunks", "dripping headers", "silence", "endless 100 Continue"})
FAULTS: dict[str, tuple[Answer, type[ApiError]]] = {
    "503": (reply(503, b"busy"), BackendError),
    "500 with HTML": (reply(500, b"<html>Error 500 (Server Error)!!1</html>"), BackendError),
    "reset": (reset, BackendError),
    "closed without an answer": (hang_up, BackendError),
    "cut-off body": (reply(200, b'{"kind": "youtube#', length=500, keep=False), BackendError),
    "cut-off chunk": (raw(CHUNKED + b"10\r\n{}"), BackendError),
    "cut-off JSON": (reply(200, b'{"kind": "youtube#videoListResponse", "items": [{"id'), BadReply),
    "dripping body": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"), BackendError),
    "dripping chunks": (drip(CHUNKED, b"1\r\n \r\n"), BackendError),
    "dripping headers": (drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"), BackendError),
    "silence": (drip(b"", b""), BackendError),
    "endless 100 Continue": (pour(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), BackendError),
    "endless chunks": (pour(CHUNKED, b"8000\r\n" + b" " * 0x8000 + b"\r\n"), ReplyTooLarge),
    "endless body": (pour(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65_536), ReplyTooLarge),
    "endless header": (pour(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65_536), BadReply),
    "huge length": (reply(200, b"{}", length=10**12, keep=False), ReplyTooLarge),
    "no HTTP": (raw(b"220 smtp.example.com ESMTP\r\n"), BadReply),
    "HTML with 200": (reply(200, b"<!DOCTYPE html><title>Log in to the hotel</title>"), BadReply),
    "a list with 200": (json_reply([EMPTY]), BadReply),
    "an error with 200": (json_reply({"error": {"code": 503}}), BadReply),
    "an empty object with 200": (json_reply({}), BadReply),
    "nothing with 200": (reply(200, b""), BadReply),
    "204": (reply(204), BadReply),
    "gzip bomb": (reply(200, BOMB, headers=(("Content-Encoding", "gzip"),)), ReplyTooLarge),
    "no gzip": (reply(200, b"{}", headers=(("Content-Encoding", "gzip"),)), BadReply),
    "a gzip without its checksum": (reply(200, PACKED[:-6], headers=(("Content-Encoding", "gzip"),)), BadReply),
    "a gzip with a tail": (reply(200, PACKED + b"x", headers=(("Content-Encoding", "gzip"),)), BadReply),
    "a gzip of another checksum": (reply(200, PACKED[:-8] + bytes(8), headers=(("Content-Encoding", "gzip"),)), BadReply),
    "other compression": (reply(200, b"{}", headers=(("Content-Encoding", "br"),)), BadReply),
    "400 echoing the key": (echo_of_the_key(400), BadRequest),
    "503 echoing the key": (echo_of_the_key(503), BackendError),
    "302": (reply(302, b"", headers=(("Location", "http://127.0.0.1:9/youtube/v3/videos"),)), BadReply),
}


def everything_said(error: BaseException, *, but: str) -> str:
    """All that a log, a traceback with variables, or a pickle of an error could show; `but` the file of the test."""
    said = [str(error), repr(error), repr(error.args), repr(vars(error))]
    seen: BaseException | None = error
    while seen is not None:
        said += traceback.format_exception(seen)
        # Variables of the test's own frames hold the key on purpose.
        frames = [frame for frame, _ in traceback.walk_tb(seen.__traceback__) if frame.f_code.co_filename != but]
        said += [f"{name}={value!r}" for frame in frames for name, value in frame.f_locals.items()]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(said)
