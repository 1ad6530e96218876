"""Several streams of one table read at the same time, each in a thread of its own, as one stream in no order."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import polars as pl

from extract.extractor import SourceTable
from extract.partitions import can_split, skewed
from model.types import Column

LOG = logging.getLogger("udm.extraction")


def split_column(table: SourceTable, columns: Sequence[Column]) -> Column | None:
    """The column that PartitionOn names, where it can be split into ranges; else None, and a line that says why."""
    wanted = table.partition_on
    if not wanted:
        return None
    same = [column for column in columns if column.name.casefold() == wanted.casefold()]
    found = next((column for column in same if column.name == wanted), same[0] if len(same) == 1 else None)
    if found is None:
        LOG.warning("%s: read in one stream: it has no column %s, which PartitionOn of UdmTablesList names", table, wanted)
    elif not can_split(found):
        LOG.warning("%s: read in one stream: PartitionOn %s is %s, neither a whole number, a decimal, a date nor a timestamp",
                    table, found.name, found.source_type)  # fmt: skip
    else:
        return found
    return None


def in_one_stream(table: SourceTable, why: str) -> None:
    """Say why a table with PartitionOn is not read by ranges."""
    if table.partition_on:
        LOG.info("%s: PartitionOn is set, but it is read in one stream: %s", table, why)


def report_counts(table: SourceTable, column: Column, counts: Sequence[int]) -> None:
    """Say how a table was split, and warn where that helped little."""
    LOG.info("%s: was read in %d ranges of %s", table, len(counts), column.name)
    place = skewed(counts)
    if place is not None:
        LOG.warning(
            "%s: the ranges of PartitionOn %s are uneven, one holds %s of %s rows; another column may be read faster",
            table, column.name, f"{counts[place]:,}", f"{sum(counts):,}",
        )  # fmt: skip


def merged(streams: Sequence[Callable[[], Iterator[pl.DataFrame]]], stop: Callable[[], None]) -> Iterator[pl.DataFrame]:
    """The frames of all streams as they come; ends when all have ended, or raises the first error of any.

    Each stream is at most one frame ahead of the consumer, and one frame more waits between. `stop` breaks off the streams that
    still run when the consumer has enough or an error has come; all threads have ended when this has.
    """
    work = _Reading()
    threads = [threading.Thread(target=work.run, args=(stream,), name="extract range", daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            item = work.ready.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        work.stopped.set()
        if running:
            stop()
        for thread in threads:
            thread.join()


class _Reading:
    """What the threads share: where a frame waits, an error, or None for a stream that has ended."""

    def __init__(self) -> None:
        self.ready: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(1)
        self.stopped = threading.Event()

    def run(self, stream: Callable[[], Iterator[pl.DataFrame]]) -> None:
        """Read one stream to its end, or until all are to stop."""
        try:
            for frame in stream():
                self._put(frame)
                if self.stopped.is_set():
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - a driver's panic is a BaseException; the consumer raises it again
            self._put(error)

    def _put(self, item: pl.DataFrame | BaseException | None) -> None:
        while not self.stopped.is_set():
            with suppress(queue.Full):
                self.ready.put(item, timeout=0.1)
                return
