"""A TCP proxy before a real server, that breaks a connection off in mid-answer: closes it, resets it or falls silent."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["close", "reset", "stall"]
_CHUNK = 16_384
# SO_LINGER with no time to linger: closing sends RST (socket(7)).
_NO_LINGER = struct.pack("ii", 1, 0)
_BROKEN_AFTER = 2_000_000
_SLOW_CHUNKS = 200


@dataclass(slots=True)
class Proxy:
    """Passes connections on to a server; of those that hand over more than `after` bytes as many as `faults` says break off.

    `server` is a path of a socket, or a host and a port. `seen` counts connections, `broken` those that were broken off.
    """

    server: str | tuple[str, int]
    faults: int = 0
    fault: Fault = "reset"
    after: int = _BROKEN_AFTER
    port: int = 0
    seen: int = 0
    broken: int = 0
    refusing: bool = False
    handed: int = 0
    _slow_from: int = 0
    _slow: int = 0
    _open: list[socket.socket] = field(default_factory=list)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault, times: int = 1, after: int = _BROKEN_AFTER) -> None:
        """Break off so many connections, each when it has handed over so many bytes."""
        self.fault, self.faults, self.after = fault, times, after

    def wait_until_handed(self, size: int) -> None:
        """Until so many bytes more have been handed over; what follows is slow, for a busy machine to be in time to step in."""
        goal, end = self.handed + size, time.monotonic() + 60
        self._slow_from, self._slow = goal, _SLOW_CHUNKS
        while self.handed < goal and time.monotonic() < end:
            time.sleep(0.001)

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.seen += 1
            if self.refusing:
                client.close()
                continue
            upstream = socket.socket(socket.AF_UNIX if isinstance(self.server, str) else socket.AF_INET)
            try:
                upstream.connect(self.server)
            except OSError:
                client.close()
                upstream.close()
                continue
            self._open += [client, upstream]
            threading.Thread(target=self._pass_on, args=(client, upstream), daemon=True).start()
            threading.Thread(target=self._answer, args=(upstream, client), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        # Never blocked in recv: a socket that a thread reads is not closed by close, so there would be no reset.
        with suppress(OSError, ValueError):
            while True:
                ready, _, _ = select.select([client], [], [], 0.02)
                if ready:
                    data = client.recv(_CHUNK)
                    if not data:
                        break
                    server.sendall(data)
        _end(server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        handed = 0
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                handed += len(data)
                self.handed += len(data)
                if self._slow and self.handed >= self._slow_from:
                    self._slow -= 1
                    time.sleep(0.01)
                if handed > self.after and self._is_chosen():
                    self._break_off(server, client)
                    return
                client.sendall(data)
        _end(client)

    def _is_chosen(self) -> bool:
        with self._mutex:
            if not self.faults:
                return False
            self.faults -= 1
            self.broken += 1
            return True

    def _break_off(self, server: socket.socket, client: socket.socket) -> None:
        if self.fault == "stall":
            return  # both stay open; nobody reads any more
        if self.fault == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            client.close()
        _end(client)
        _end(server)

    def close(self) -> None:
        """Close all that is open."""
        for connection in self._open:
            connection.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_before(server: str | tuple[str, int]) -> Iterator[Proxy]:
    """A proxy on a port of its own, while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(server, port=listener.getsockname()[1])
        thread = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(5)
            proxy.close()
