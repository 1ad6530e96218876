"""ConnectorX in a process of its own: its frames as they come, its errors as one exception.

ConnectorX 0.4.6 waits for a frame while it holds the GIL, so a slow query would stop every thread, the one that sees Ctrl-C
among them. Its queue has no limit, its stream cannot be stopped, and its panics write values to standard error. A child
process can be suspended while the consumer is busy, which bounds the queue, and killed; its standard error goes nowhere.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl

_PROGRAM = Path(__file__).with_name("child.py")
DIED = "the process that reads died"
SILENT = "nothing came for"
_POSIX = os.name == "posix"
_LENGTH = struct.Struct("<q")


class ReadFailed(Exception):
    """ConnectorX's own words, or the exit status of a process that had none."""


class ReaderProcess:
    """The reading process. Its order, the URL with its password in it, reaches it by standard input.

    It dies with its parent: its writes fail then, and a suspended process group without a parent is hung up by the kernel.
    `patience` is for how many seconds it may say nothing while it is waited for; 0 is for ever.
    """

    def __init__(
        self, order: Mapping[str, object], environment: Mapping[str, str] | None = None, *, patience: float = 0
    ) -> None:
        """`environment` is added to this process's own."""
        self._order = json.dumps(order).encode()
        self._patience = patience
        self._late = False
        self._process = subprocess.Popen(  # noqa: S603 - this file's neighbour
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            process_group=0 if _POSIX else None,
        )

    def frames(self) -> Iterator[pl.DataFrame]:
        """The frames as they come; ends only after the process said that it had sent them all.

        Raises:
            ReadFailed: it said that it failed, or it died.
        """
        self._give_order()
        while True:
            size, payload = self._next()
            if not size:
                return
            if size < 0:
                raise ReadFailed(payload.decode())
            yield pl.read_ipc_stream(payload)

    def _next(self) -> tuple[int, bytes]:
        timer = threading.Timer(self._patience, self._give_up) if self._patience else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            [size] = _LENGTH.unpack(self._received(_LENGTH.size))
            return size, self._received(abs(size))
        except ReadFailed:
            if self._late:
                raise ReadFailed(f"{SILENT} {self._patience:g} seconds") from None
            raise
        finally:
            if timer:
                timer.cancel()

    def _give_up(self) -> None:
        self._late = True
        self.kill()

    def _give_order(self) -> None:
        assert self._process.stdin  # noqa: S101 - it was asked for
        try:
            with self._process.stdin as pipe:
                pipe.write(self._order)
        except OSError:
            raise ReadFailed(f"{DIED}, exit status {self._process.wait()}") from None

    def _received(self, size: int) -> bytes:
        assert self._process.stdout  # noqa: S101 - it was asked for
        payload = self._process.stdout.read(size)
        if len(payload) < size:
            raise ReadFailed(f"{DIED}, exit status {self._process.wait()}")
        return payload

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Stop the process for a while, and its queue with it; Windows has no means to."""
        if _POSIX:
            self._process.send_signal(signal.SIGSTOP)
            self._wait_until_stopped()
        yield
        if _POSIX:
            self._process.send_signal(signal.SIGCONT)

    def _wait_until_stopped(self) -> None:
        """The kernel hangs up a process that has stopped when its parent is killed, but not one that is still about to stop."""
        if hasattr(os, "waitid"):
            with suppress(ChildProcessError):  # it has ended, and was waited for
                os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def kill(self) -> None:
        """End the process at once, from any thread."""
        self._process.kill()

    def close(self) -> None:
        """End the process and give back what it held."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
