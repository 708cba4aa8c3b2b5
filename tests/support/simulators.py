"""Simulators in processes of their own, without the 0.4 CPU-seconds that each would spend on importing.

One process a session has the simulator imported and forks for each start. A fork runs `main` of the simulator's own module, so
that its state is as fresh as that of a new process. Tests of the start itself use `start_subprocess` instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pleiades_core.simulator.config import SimulatorConfig

_ORDER_BYTES = 16


class ForkedSimulator:
    """A running simulator. It ends with the `with` block, or when this process dies and the socket closes."""

    def __init__(self, connection: socket.socket, config: SimulatorConfig) -> None:
        self._connection = connection
        connection.sendall(config.to_json().encode() + b"\n")
        with connection.makefile("rb") as answers:
            self.base_url = str(json.loads(answers.readline())["base_url"])

    def stop(self) -> None:
        """End the simulator and wait for the end of its process, which closes the other end of the socket."""
        self._connection.shutdown(socket.SHUT_WR)
        while self._connection.recv(4_096):
            pass
        self._connection.close()


class Simulators:
    """Starts simulators."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders

    @contextlib.contextmanager
    def running(self, config: SimulatorConfig, *, log_path: Path) -> Iterator[ForkedSimulator]:
        """A simulator for the length of a block; its standard error goes to `log_path`."""
        ours, theirs = socket.socketpair()
        with log_path.open("ab") as log, theirs:
            socket.send_fds(self._orders, [b"start"], [theirs.fileno(), log.fileno()])
        started = ForkedSimulator(ours, config)
        try:
            yield started
        finally:
            started.stop()


@contextlib.contextmanager
def forking() -> Iterator[Simulators]:
    """Simulators for the length of a block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            server = subprocess.Popen([sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        yield Simulators(ours)
    assert server.wait() == 0


def _serve(orders: socket.socket) -> None:
    from pleiades_core.simulator import server

    # Nobody waits for the children: their ends of the sockets say when they are gone.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, _ORDER_BYTES, 2)
        if not order:
            return
        if os.fork() == 0:
            connection, log = descriptors
            orders.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os.dup2(connection, 0)
            os.dup2(connection, 1)
            os.dup2(log, 2)
            for descriptor in descriptors:
                os.close(descriptor)
            server.main()
            # Not a return: to take down all modules costs as much as a small test.
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
