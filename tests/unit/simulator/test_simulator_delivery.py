"""How the hub reads what subscribers answer."""

from __future__ import annotations

import asyncio

import pytest

from pleiades_core.simulator.feeds.delivery import Caller


def called(answers: list[bytes], calls: int = 1, timeout_s: float = 2.0) -> tuple[list[tuple[int, bytes]], int]:
    """What `calls` calls make of these answers, and over how many connections."""
    opened = 0
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        try:
            while left:
                await reader.readuntil(b"\r\n\r\n")
                answer = left.pop(0)
                writer.write(answer)
                await writer.drain()
                if b"close" in answer or (b"Content-Length" not in answer and b"chunked" not in answer):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def act() -> list[tuple[int, bytes]]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        caller = Caller(timeout_s)
        found = [await caller.call("GET", f"http://127.0.0.1:{port}/x", "a=b") for _ in range(calls)]
        caller.close()
        server.close()
        return found

    return asyncio.run(act()), opened


def test_a_connection_is_kept() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    assert called([answer] * 3, 3) == ([(200, b"hi")] * 3, 1)


def test_a_closed_connection_is_opened_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    assert called([answer] * 3, 3) == ([(200, b"hi")] * 3, 3)


def test_bodies_come_in_every_form() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    until_closed = b"HTTP/1.1 200 OK\r\n\r\nabcde"
    assert called([chunked, chunked], 2) == ([(200, b"abcde")] * 2, 1)
    assert called([until_closed])[0] == [(200, b"abcde")]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    assert called([answer])[0] == [(0, b"")]


def test_an_answer_that_does_not_come_is_none() -> None:
    assert called([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi"], timeout_s=0.1)[0] == [(0, b"")]
