"""The process around a run: what has to be set before polars is loaded, how it hears of signals, and how it ends."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_GARBAGE_AFTER = 50_000


def tune() -> None:
    """Set up memory for a short process that moves much data; called before anything else is imported.

    polars' allocator keeps freed pages for the next frame, for the kernel's clearing of new ones is a tenth to a third of a run's
    CPU time. What one thread frees another reuses only within an arena, so there are few. `_RJEM_MALLOC_CONF` is its own
    variable and is obeyed where it is set.
    Source: https://jemalloc.net/jemalloc.3.html#tuning
    """
    arenas = max(1, (os.cpu_count() or 1) // 4)
    os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{arenas},dirty_decay_ms:10000,muzzy_decay_ms:10000")
    # Imports make hundreds of thousands of objects and no garbage.
    gc.disable()


def ready() -> None:
    """Called when all is imported: garbage is looked for from here on, but never again among what was imported."""
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER)
    gc.enable()


def leave(status: int) -> NoReturn:
    """End the process at once: taking the interpreter apart takes longer than a small table."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        sys.exit(status)  # the interpreter says what it cannot write
    os._exit(status)


@contextmanager
def signals(respond: Callable[[], None]) -> Iterator[list[int]]:
    """`respond` to SIGINT and SIGTERM; the list holds what was received. Once one came, more change nothing after the block."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        respond()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            if received:
                signal.signal(number, signal.SIG_IGN)
            elif signal.getsignal(number) is stop:
                signal.signal(number, handler)
