"""The windows of a large table, one after the other: the next ones are read while those before are promoted.

Nothing that a window promotes lies in a window still to come, and what the source shows in two of them is found when the later
one is promoted: so it makes no difference that a window is read before the one ahead of it is in.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from connections.target import Session
from model.errors import SourceRefused, SourceUnavailable
from model.windows import Interval, Window, WindowKind
from orchestration.checkpoints import Checkpoints, DayRead
from orchestration.day_guard import day_baseline
from orchestration.large_table import LargeTable
from orchestration.run_context import RunContext
from orchestration.so_far import SoFar
from orchestration.source_reading import SourceReading
from orchestration.window_attempts import Attempts, Begun
from orchestration.window_promoting import Promoting, Read
from orchestration.window_reading import WindowRead, read_windows
from orchestration.window_spans import SPAN_ROWS, Pace, plan_spans

LOG = logging.getLogger("udm.large_tables")
_WEEKS = 14  # of a weekday, which the guard goes by
_UNREACHABLE = 3  # reads in a row that the source did not answer
# Small windows are promoted together, for a promotion costs the same however few rows it has.
_GROUP_ROWS, _MOST_READS = 200_000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Windows that are being read."""

    begun: Begun
    future: Future[WindowRead]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windows:
    table: LargeTable
    source: SourceReading
    so_far: SoFar
    attempts: Attempts
    reads: Sequence[DayRead]
    pace: Pace
    ahead: ThreadPoolExecutor
    promoting: Promoting

    def spans(self) -> list[Interval]:
        """What is left, as it is to be read: days of which an earlier read tells the size are read together."""
        return plan_spans(self.so_far.left, self._expected, SPAN_ROWS)

    def begin_next(self, waiting: deque[Interval]) -> _Reading:
        """Begin to read what comes next."""
        return self.begin(self.pace.next_of(waiting, lambda window: self._expected(window) is None))

    def wait_again(self, waiting: deque[Interval], windows: Sequence[Window]) -> None:
        """Each of these is to be read again next, by itself."""
        self.pace.alone.update(windows)
        waiting.extendleft(reversed(windows))

    def _expected(self, window: Window) -> int | None:
        is_day = window.kind is WindowKind.DAY and window.day is not None
        return day_baseline(self.table.calendar, window.day, self.reads) if is_day and window.day else None

    def begin(self, windows: Interval) -> _Reading:
        """Record attempts and begin to read."""
        begun = self.attempts.begin(windows)
        read = partial(read_windows, begun.run, self.table, self.source, windows, begun.began, self.reads)
        return _Reading(begun=begun, future=self.ahead.submit(copy_context().run, read))

    def read(self, reading: _Reading) -> Read:
        """Wait for what is being read."""
        read = reading.future.result()
        for window in read.windows.windows:
            self.pace.saw(window, read.extracted[window])
        return Read(begun=reading.begun, read=read)

    @contextmanager
    def given_up(self, reading: list[_Reading], group: list[Read]) -> Iterator[None]:
        """Where the block breaks off, what is being read is waited for, and what was not loaded has failed for that reason."""
        try:
            yield
        except BaseException as error:
            for one in reading:
                if one.future.exception() is None:
                    one.future.result().spool.close()
            for done in group:
                done.read.spool.close()
            left = set(self.so_far.left)
            for begun in [*(one.begun for one in group), *(one.begun for one in reading)]:
                if not left.isdisjoint(begun.windows.windows):
                    self.attempts.gave_up(begun, error)
            self.attempts.abandon(error)
            raise


def load_windows(run: RunContext, session: Session, table: LargeTable, source: SourceReading, so_far: SoFar) -> None:
    """Load the windows that are left; a failed one does not stop the others, unless the source would fail them all.

    With the last ones goes what became of the keys that no window brought; where that failed it is tried once more alone.
    """
    checkpoints = Checkpoints(target=run.target, tables=table.described.tables)
    days = [window.day for window in so_far.planned if window.day is not None]
    reads = checkpoints.reads_since(min(days) - timedelta(weeks=_WEEKS)) if days else []
    with ThreadPoolExecutor(1, thread_name_prefix="window") as ahead:
        attempts = Attempts(run=run, table=table, so_far=so_far, checkpoints=checkpoints)
        windows = _Windows(
            table=table,
            source=source,
            so_far=so_far,
            attempts=attempts,
            reads=reads,
            pace=Pace(most=_GROUP_ROWS),
            ahead=ahead,
            promoting=Promoting(run=run, session=session, table=table, source=source, so_far=so_far, attempts=attempts),
        )
        reading: list[_Reading] = []
        group: list[Read] = []
        waiting = deque(windows.spans())
        with windows.given_up(reading, group):
            while waiting or so_far.settled is None:
                _read_all(run, windows, waiting, reading, group)
                windows.wait_again(waiting, windows.promoting.finish_last(group))
                _close(group)
                if run.options.dry_run:
                    break


def _read_all(run: RunContext, windows: _Windows, waiting: deque[Interval], reading: list[_Reading], group: list[Read]) -> None:
    """Read what is waiting, and promote what has been read but for the last of it, which stays in the group."""
    so_far, table = windows.so_far, windows.table
    unreachable = 0
    while waiting or reading:
        run.cancellation.check()
        run.reporter.windows_done(str(table), len(so_far.loaded) + len(so_far.failures), len(so_far.planned))
        current = reading.pop() if reading else windows.begin_next(waiting)
        error = None
        try:
            group.append(windows.read(current))
        except BaseException as raised:  # noqa: BLE001 - raised again where it concerns more than the window
            error = raised
            windows.wait_again(waiting, windows.attempts.failed(current.begun, raised))
        unreachable = unreachable + 1 if error is not None and _is_unreachable(error) else 0
        if error is not None and (isinstance(error, SourceRefused) or unreachable >= _UNREACHABLE):
            LOG.error("%s: its other windows are not tried: the source would fail them in the same way", table)
            windows.attempts.abandon(error)
            waiting.clear()
        if not waiting:
            continue
        reading.append(windows.begin_next(waiting))
        if group and (len(group) >= _MOST_READS or sum(one.read.rows for one in group) >= _GROUP_ROWS):
            windows.wait_again(waiting, windows.promoting.finish(group, group[0].begun.run))
            _close(group)


def _close(group: list[Read]) -> None:
    for one in group:
        one.read.spool.close()
    group.clear()


def _is_unreachable(error: BaseException) -> bool:
    return isinstance(error, SourceUnavailable) or isinstance(error.__cause__, SourceUnavailable)
