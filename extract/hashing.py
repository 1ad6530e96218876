"""Extracted frames, conformed and hashed ahead of the consumer: the source, the hashing and the comparison overlap."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TypeVar

import polars as pl

_AHEAD = 2
T = TypeVar("T")


@contextmanager
def prefetched(frames: Iterable[pl.DataFrame], depth: int = _AHEAD) -> Iterator[Iterator[pl.DataFrame]]:
    """Read `frames` in a thread of its own, starting now, at most `depth` frames ahead; its errors surface in the consumer.

    When the block is left the reader stops at its next frame and has ended.
    """
    ready: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: pl.DataFrame | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def run() -> None:
        try:
            for frame in frames:
                put(frame)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - a driver's panic is a BaseException; the consumer raises it again
            put(error)

    reader = threading.Thread(target=run, name="extract", daemon=True)
    reader.start()
    try:
        yield _drain(ready)
    finally:
        stopped.set()
        reader.join()


def _drain(ready: queue.Queue[pl.DataFrame | BaseException | None]) -> Iterator[pl.DataFrame]:
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


@contextmanager
def in_background(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Start `work` in a thread of its own; what is yielded waits for its result or raises its error. The block ends after it."""
    with ThreadPoolExecutor(1, thread_name_prefix="background") as pool:
        yield pool.submit(copy_context().run, work).result


def in_order(frames: Iterable[pl.DataFrame], work: Callable[[pl.DataFrame], T], workers: int = _AHEAD) -> Iterator[T]:
    """`work` on each frame, `workers` at a time, results in the frames' order."""
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="hash") as pool:
        for frame in frames:
            pending.append(pool.submit(work, frame))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
