"""The windows of a large table, one after the other: the next one is read while the one before is promoted.

Nothing that a window promotes lies in a window still to come, and what the source shows in two of them is found when the later
one is promoted: so it makes no difference that a window is read before the one ahead of it is in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

import polars as pl

from cdc.diff import Changes
from connections.target import Session
from model.errors import Interrupted, SourceRefused, SourceUnavailable
from model.system_columns import KEY_HASH
from model.windows import Window, WindowKind
from observability.event_tracker import describe
from orchestration.batch import begin_batch
from orchestration.checkpoints import Attempt, Checkpoints, DayRead
from orchestration.large_table import LargeTable
from orchestration.pipeline_state import AttemptState, DayState
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.tables import record_events
from orchestration.window_loading import WindowLoad, WindowRead, promote_window, read_window

LOG = logging.getLogger("udm.large_tables")
_WEEKS = 14  # of a weekday, which the guard goes by
_UNREACHABLE = 3  # windows in a row that the source did not answer for


@dataclass(slots=True, kw_only=True)
class SoFar:
    """What a table's run has done; it outlasts a lost session, after which the table starts over with what is left."""

    planned: tuple[Window, ...] = ()
    before: Mapping[date, DayState] = field(default_factory=dict)
    loads: dict[Window, WindowLoad] = field(default_factory=dict)
    failures: dict[Window, str] = field(default_factory=dict)
    open: list[Attempt] = field(default_factory=list)
    batches: set[int] = field(default_factory=set)
    settled: Changes | None = None
    withheld: str = ""

    @property
    def left(self) -> list[Window]:
        """Windows that have been neither loaded nor given up."""
        return [window for window in self.planned if window not in self.loads and window not in self.failures]

    @property
    def active(self) -> int:
        """Rows that were current in the windows loaded."""
        return sum(load.active for load in self.loads.values())

    def missing(self, table: LargeTable) -> pl.Series:
        """Keys that did not arrive in their windows, and those deferred to a window that was not loaded after all."""
        keys = [load.changes.deleted_keys for load in self.loads.values()]
        for deferred in (load.deferred for load in self.loads.values() if load.deferred.height):
            dates = deferred.get_column("date")
            keys.append(deferred.filter(~in_any(table, self.loads, dates)).get_column(KEY_HASH))
        return pl.concat([pl.Series(KEY_HASH, dtype=pl.Binary), *(series.alias(KEY_HASH) for series in keys)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A window that is being read, under a batch of its own; a dry run has neither batch nor attempt."""

    run: RunContext
    window: Window
    attempt: Attempt | None
    reading: Future[WindowRead]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windows:
    run: RunContext
    session: Session
    table: LargeTable
    source: SourceReading
    so_far: SoFar
    checkpoints: Checkpoints
    reads: Sequence[DayRead]
    ahead: ThreadPoolExecutor

    def begin(self, window: Window) -> _Begun:
        """Record an attempt and begin to read."""
        run, attempt, began = self.run, None, None
        if run.options.dry_run:
            began = self.checkpoints.now()
        else:
            batch = begin_batch(run.retry, run.target, run.command, run.batch)
            self.so_far.batches.add(batch)
            begin = partial(self.checkpoints.begin, window, batch, forced=run.options.force)
            attempt = run.retry.ops("beginning an attempt", begin)
            run, began = run.of_batch(batch), attempt.began
        context = copy_context()
        read = partial(read_window, run, self.table, self.source, window, began, self.reads)
        return _Begun(run=run, window=window, attempt=attempt, reading=self.ahead.submit(context.run, read))

    def finish(self, begun: _Begun, read: WindowRead) -> None:
        """Promote what was read, and record how the attempt ended."""
        with read.spool:
            to_come = partial(in_any, self.table, [window for window in self.so_far.left if window != begun.window])
            load = promote_window(begun.run, self.session, self.table, read, to_come)
        if begun.attempt is not None:
            self.record(begun, AttemptState.SUCCESS if load.is_settled else AttemptState.LOADED, load=load)
        self.so_far.loads[begun.window] = load
        if begun.attempt is not None and not load.is_settled:
            self.so_far.open.append(begun.attempt)

    def record(self, begun: _Begun, state: AttemptState, *, load: WindowLoad | None = None, error: str | None = None) -> None:
        """The attempt's end and its events; after a failure an error in writing them must not hide the first one."""
        if begun.attempt is None:
            return
        rows = load.changes.extracted if load else None
        changed = load.inserted + load.updated if load else None
        try:
            end = partial(self.checkpoints.end, begun.attempt, state, rows=rows, changed=changed, error=error)
            self.run.retry.ops("ending an attempt", end)
        except Exception as failed:
            if error is None:
                raise
            LOG.error("the end of an attempt could not be written to ops: %s", describe(failed))
        record_events(begun.run)

    def failed(self, begun: _Begun, error: BaseException) -> None:
        """Record the failure and go on, unless the run was asked to stop or the whole table is to start over."""
        self.record(begun, AttemptState.FAILED, error=describe(error))
        stops = self.run.cancellation.requested or isinstance(error, Interrupted) or not isinstance(error, Exception)
        if stops or self.run.retry.may_pass(error):
            raise error
        message = describe(error).removeprefix(f"{self.table}: ")
        self.so_far.failures[begun.window] = message
        LOG.error("%s: %s: failed%s: %s", self.table, begun.window, self._how_often(begun.window), message)

    def _how_often(self, window: Window) -> str:
        known = self.so_far.before.get(window.day) if window.kind is WindowKind.DAY and window.day else None
        failures = 1 + (known.failures if known else 0)
        often = failures >= self.run.settings.day_failures
        return f" {failures} times in a row, and is tried again with each run" if often else ""

    @contextmanager
    def given_up(self, begun: list[_Begun]) -> Iterator[None]:
        """What is being read when the block is left is waited for, and its attempt is no success."""
        try:
            yield
        finally:
            for one in begun:
                if one.reading.exception() is None:
                    with one.reading.result().spool:
                        pass
                self.record(one, AttemptState.FAILED, error="read, but not promoted: the run ended before")


def load_windows(run: RunContext, session: Session, table: LargeTable, source: SourceReading, so_far: SoFar) -> None:
    """Load the windows that are left; a failed one does not stop the others, unless the source would fail them all."""
    checkpoints = Checkpoints(target=run.target, tables=table.described.tables)
    days = [window.day for window in so_far.planned if window.day is not None]
    reads = checkpoints.reads_since(min(days) - timedelta(weeks=_WEEKS)) if days else []
    with ThreadPoolExecutor(1, thread_name_prefix="window") as ahead:
        windows = _Windows(
            run=run,
            session=session,
            table=table,
            source=source,
            so_far=so_far,
            checkpoints=checkpoints,
            reads=reads,
            ahead=ahead,
        )
        begun: list[_Begun] = []
        with windows.given_up(begun):
            _load_in_order(windows, begun)


def _load_in_order(windows: _Windows, begun: list[_Begun]) -> None:
    run, so_far, table = windows.run, windows.so_far, windows.table
    left = so_far.left
    unreachable = 0
    for place, window in enumerate(left):
        run.cancellation.check()
        run.reporter.windows_done(str(table), len(so_far.loads) + len(so_far.failures), len(so_far.planned))
        current = begun.pop() if begun else windows.begin(window)
        try:
            read = current.reading.result()
            unreachable = 0
        except BaseException as error:  # noqa: BLE001 - told, and raised again where it concerns more than the window
            windows.failed(current, error)
            unreachable = unreachable + 1 if _is_unreachable(error) else 0
            if isinstance(error, SourceRefused) or unreachable >= _UNREACHABLE:
                LOG.error("%s: its other windows are not tried: the source would fail them in the same way", table)
                return
            continue
        if place + 1 < len(left):
            begun.append(windows.begin(left[place + 1]))
        try:
            windows.finish(current, read)
        except BaseException as error:  # noqa: BLE001 - likewise
            windows.failed(current, error)


def in_any(table: LargeTable, windows: Iterable[Window], dates: pl.Series) -> pl.Series:
    """Which dates lie in one of the windows."""
    found = pl.repeat(value=False, n=len(dates), dtype=pl.Boolean, eager=True)
    for window in windows if len(dates) else ():
        found |= table.date.within(dates, window)
    return found


def _is_unreachable(error: BaseException) -> bool:
    return isinstance(error, SourceUnavailable) or isinstance(error.__cause__, SourceUnavailable)
