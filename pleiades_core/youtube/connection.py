"""One keep-alive HTTP/1.1 connection, one request at a time: never sent twice, never longer than its deadline.

Belongs here: sockets, deadlines, body limits, decompression. Does not belong here: YouTube, keys, quota, what a status means.

It replaces httplib2 in googleapiclient, which cannot keep three of our promises. Its timeout is per `recv`, so a server that
drips bytes holds a call for ever. It sends a request again by itself when an idle connection has gone stale, which YouTube
bills and our ledger does not see. It reads bodies of any size. Only its certificate bundle is used.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import select
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httplib2.certs

from pleiades_core.errors import ApiError, BackendError, BadReply, ConfigurationError, ReplyTooLarge

_CHUNK_BYTES = 64 * 1024
#: YouTube compresses only for a User-Agent with "gzip" in it: developers.google.com/youtube/v3/getting-started#gzip
USER_AGENT = "pleiades/0.1 (gzip)"
#: Tells zlib to expect a gzip header.
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply: status, headers by lower-case name, body decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port that every request of a connection goes to."""

    scheme: str
    host: str
    port: int
    #: The variable that holds the address, for messages.
    setting: str

    @classmethod
    def of(cls, base_url: str, setting: str = "PLEIADES_YOUTUBE_URL") -> Origin:
        """The origin of an http or https address.

        Raises:
            ConfigurationError: it is not such an address.
        """
        try:
            parts = urlsplit(base_url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (ValueError, KeyError):
            parts, port = urlsplit(""), 0
        if not parts.hostname or not re.fullmatch("[!-~]+", base_url) or parts.username or parts.query or parts.fragment:
            raise ConfigurationError(
                f"{setting} is not the address of a server",
                cure="write it as https://youtube.googleapis.com or, for a simulator, http://127.0.0.1:PORT",
            )
        return cls(scheme=parts.scheme, host=parts.hostname, port=port, setting=setting)


def tls_context() -> ssl.SSLContext:
    """Certificates checked against the system's store and httplib2's bundle: slim images have only the latter."""
    context = ssl.create_default_context()
    context.load_verify_locations(httplib2.certs.where())
    return context


class _GuardedFile(io.RawIOBase):
    """The reading side of a socket. Each `recv` may take the time that is left of the whole call, no longer."""

    def __init__(self, guard: _GuardedSocket, raw: io.RawIOBase) -> None:
        self._guard = guard
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._guard.spend()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _GuardedSocket:
    """The part of a socket's interface that http.client uses, with one deadline for everything."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.deadline = 0.0

    def spend(self) -> None:
        """Give the next operation the time that is left. Raises TimeoutError if none is left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)

    def sendall(self, content: Any) -> None:
        self.spend()
        self.sock.sendall(content)

    def makefile(self, mode: Literal["rb"]) -> io.BufferedReader:
        return io.BufferedReader(_GuardedFile(self, self.sock.makefile(mode, buffering=0)), _CHUNK_BYTES)

    def close(self) -> None:
        self.sock.close()


class HttpConnection:
    """A connection to one origin, opened at the first request and again whenever it is closed. For one thread at a time."""

    def __init__(self, origin: Origin, *, deadline_s: float, max_body_bytes: int, context: ssl.SSLContext | None) -> None:
        self._origin = origin
        self._deadline_s = deadline_s
        self._max_body_bytes = max_body_bytes
        self._context = context
        # The two classes differ in the port that their Host header leaves out; this class opens the sockets of both.
        self._connection = (
            http.client.HTTPConnection(origin.host, origin.port)
            if context is None
            else http.client.HTTPSConnection(origin.host, origin.port, context=context)
        )
        self._connection.auto_open = 0
        self._guard: _GuardedSocket | None = None

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()
        self._guard = None

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, *, most_bytes: int | None = None
    ) -> Reply | ApiError:
        """Send one request once and read the whole answer, all within the deadline.

        Errors are returned, not raised: a traceback would hold this frame, whose headers hold the key.

        Args:
            method: of HTTP.
            target: path and query.
            headers: of the request.
            body: of the request.
            most_bytes: a lower bound for this answer's body than the connection's own.

        Returns:
            The reply; or BackendError if no whole answer came, BadReply if the answer is no HTTP, too large or wrongly
            compressed. If no connection came about, TLS included, the error says that nothing was `sent`.
        """
        deadline = time.monotonic() + self._deadline_s
        failure: ApiError
        connected = False
        cure = f"check the network and {self._origin.setting}; nothing is lost: ask again later"
        try:
            self._connect(deadline)
            connected = True
            self._connection.request(method, target, body=body, headers=dict(headers))
            most = self._max_body_bytes if most_bytes is None else min(most_bytes, self._max_body_bytes)
            reply = _read(self._connection.getresponse(), most)
        except TimeoutError:
            failure = BackendError(f"no whole answer within {self._deadline_s:g} s", cure=cure, sent=connected)
        except ssl.SSLCertVerificationError as error:
            failure = BackendError(
                f"the certificate is not accepted: {error.verify_message}",
                cure=f"check {self._origin.setting}",
                sent=connected,
            )
        except (http.client.IncompleteRead, http.client.RemoteDisconnected, OSError) as error:
            # The kind of error is enough: its text could have an address in it.
            failure = BackendError(f"the connection failed: {type(error).__name__}", cure=cure, sent=connected)
        except (http.client.HTTPException, ValueError) as error:
            failure = BadReply(f"the answer is not HTTP: {type(error).__name__}", sent=connected)
        except BadReply as error:
            failure = error.with_traceback(None)
        else:
            return reply
        self.close()
        return failure

    def _connect(self, deadline: float) -> None:
        if self._guard is not None and self._connection.sock is not None and not _stale(self._guard.sock):
            self._guard.deadline = deadline
            return
        self.close()
        guard = _GuardedSocket(self._open(deadline))
        guard.deadline = deadline
        self._guard = guard
        # http.client uses only those methods of `sock` that the guard has.
        self._connection.sock = guard

    def _open(self, deadline: float) -> socket.socket:
        """A connected socket, TLS included. The resolver alone keeps its own time limit: Python cannot interrupt it."""
        failure: OSError = OSError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._origin.host, self._origin.port, 0, socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(max(deadline - time.monotonic(), 0.001))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._context is None:
                    return sock
                sock.settimeout(max(deadline - time.monotonic(), 0.001))
                return self._context.wrap_socket(sock, server_hostname=self._origin.host)
            except OSError as error:
                sock.close()
                failure = error
        raise failure


def _read(response: http.client.HTTPResponse, most_bytes: int) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    content = _content(response, most_bytes)
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding == "gzip":
        content = gunzip(content, most_bytes)
    elif coding != "identity":
        raise BadReply("the reply is compressed in a way that was not offered", status=response.status)
    return Reply(status=response.status, headers=headers, body=content)


def _content(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    if response.length is not None:
        if response.length > most_bytes:
            raise ReplyTooLarge(f"the reply is larger than {most_bytes} bytes", status=response.status)
        # With a known length `read()` raises IncompleteRead for a cut-off body; `read(n)` would not.
        return response.read()
    parts: list[bytes] = []
    size = 0
    while part := response.read(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > most_bytes:
            raise ReplyTooLarge(f"the reply is larger than {most_bytes} bytes", status=response.status)
    return b"".join(parts)


def _stale(sock: socket.socket) -> bool:
    """True when an idle connection has something to read: its end, or bytes without a request.

    Checked before sending, because afterwards it is unknown whether YouTube counted the request.
    """
    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return True


def gunzip(content: bytes, longest: int) -> bytes:
    """Unpack a gzip body of at most `longest` unpacked bytes. No more than that is unpacked.

    Raises:
        BadReply: it is not gzip, is cut off, or has something after its end.
        ReplyTooLarge: it has more bytes.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(content, longest + 1)
    except zlib.error:
        raise BadReply("the reply says gzip and is not") from None
    if len(unpacked) > longest:
        raise ReplyTooLarge(f"the reply is larger than {longest} bytes when unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise BadReply("the compressed reply is cut off or has something after its end")
    return unpacked
