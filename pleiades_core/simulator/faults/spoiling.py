"""How a finished reply is spoilt: replaced, delayed, dropped, cut, dripped, blown up.

Belongs here: the ASGI shell around an application, and the bytes of bad replies. Does not belong here: which call is hit
(fault.py).
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import zlib
from functools import lru_cache
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pleiades_core.simulator.faults.fault import Fault
from pleiades_core.simulator.faults.named_errors import named

#: Key in the ASGI scope under which server.py offers the connection's transport.
TRANSPORT = "pleiades.transport"
_DRIP_STEP_S = 0.05
#: Seconds for the event loop to tell uvicorn of the closed connection; without them uvicorn logs an error.
_LOSS_NOTICED_S = 0.01
_BLOCK_BYTES = 1 << 20
_ENTRIES = re.compile(rb"\s*<entry>.*</entry>", re.DOTALL)
_VIEWS = re.compile(rb'(<media:statistics views=")\d+')

_Headers = list[tuple[bytes, bytes]]


async def spoilt(app: ASGIApp, scope: Scope, receive: Receive, send: Send, fault: Fault, method: str) -> None:
    """Let the application answer a call, then send the spoilt answer.

    Args:
        app: answers.
        scope: of ASGI.
        receive: of ASGI.
        send: of ASGI.
        fault: what to do to the answer.
        method: of the call.
    """
    kept: list[Message] = []

    async def keep(message: Message) -> None:
        kept.append(message)

    await app(scope, receive, keep)
    reply = b"".join(message.get("body", b"") for message in kept[1:])
    status, headers, body = _rewritten(fault, method, kept[0]["status"], list(kept[0]["headers"]), reply)
    await asyncio.sleep(fault.delay_s)
    transport = scope.get(TRANSPORT)
    if transport is not None and (fault.drop or (fault.reset and fault.truncate is None)):
        await _cut(transport, reset=fault.reset)
        return
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if fault.truncate is not None and transport is not None:
        await send({"type": "http.response.body", "body": body[: int(len(body) * fault.truncate)], "more_body": True})
        await _cut(transport, reset=fault.reset, gently=not fault.reset)
        return
    if fault.drip_bytes_per_s is not None:
        step = max(1, int(fault.drip_bytes_per_s * _DRIP_STEP_S))
        for start in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
            await asyncio.sleep(step / fault.drip_bytes_per_s)
        body = b""
    await send({"type": "http.response.body", "body": body})


async def _cut(transport: Any, *, reset: bool, gently: bool = False) -> None:
    """End the connection: after the sent bytes (`gently`), at once, or by a TCP reset."""
    if reset:
        # With a linger of zero seconds, closing sends RST and discards bytes that the other side has not taken yet.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if gently:
        transport.close()
    else:
        transport.abort()
    await asyncio.sleep(_LOSS_NOTICED_S)


def _rewritten(fault: Fault, method: str, status: int, headers: _Headers, body: bytes) -> tuple[int, _Headers, bytes]:
    """Status, headers and body of the reply that `fault` puts in place of the given one."""
    if fault.redirect is not None:
        return 302, [(b"location", fault.redirect.encode())], b""
    kept = {name: value for name, value in headers if name not in {b"content-length", b"etag"}}
    if fault.error is not None:
        refusal = named(fault.error, method)
        status, body = refusal.status, orjson.dumps(refusal.body)
        kept = {b"content-type": b"application/json; charset=UTF-8"}
    if fault.body is not None:
        body = fault.body.encode()
        kept.pop(b"content-encoding", None)
    if fault.empty:
        body = _emptied(body)
    if fault.zeros:
        body = _VIEWS.sub(rb"\g<1>0", body)
    if fault.bomb_bytes is not None:
        body = _bomb(fault.bomb_bytes)
        kept[b"content-encoding"] = b"gzip"
    if fault.pad_bytes is not None:
        body += b" " * fault.pad_bytes
    if fault.content_type is not None:
        kept[b"content-type"] = fault.content_type.encode()
    if fault.retry_after is not None:
        kept[b"retry-after"] = fault.retry_after.encode()
    return (status if fault.status is None else fault.status), list(kept.items()), body


def _emptied(body: bytes) -> bytes:
    """A list without its items, a feed without its entries; anything else as it is."""
    if body.startswith(b"<"):
        return _ENTRIES.sub(b"", body)
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    return orjson.dumps(reply | {"items": []}) if isinstance(reply, dict) and "items" in reply else body


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    """Gzip of `size` zero bytes: about a thousandth of that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = bytes(_BLOCK_BYTES)
    whole, rest = divmod(size, _BLOCK_BYTES)
    return b"".join([*(packer.compress(block) for _ in range(whole)), packer.compress(block[:rest]), packer.flush()])
