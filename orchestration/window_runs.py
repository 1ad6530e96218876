"""The windows of a large table, one after the other: the next one is read while the one before is promoted.

Nothing that a window promotes lies in a window still to come, and what the source shows in two of them is found when the later
one is promoted: so it makes no difference that a window is read before the one ahead of it is in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
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
from orchestration.healing import heal, is_published
from orchestration.large_table import LargeTable
from orchestration.pipeline_state import AttemptState, DayState
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.tables import record_events
from orchestration.window_group import WindowRead
from orchestration.window_loading import WindowLoad, promote_windows, read_window
from schema.staging_cleanup import drop_staging

LOG = logging.getLogger("udm.large_tables")
_WEEKS = 14  # of a weekday, which the guard goes by
_UNREACHABLE = 3  # windows in a row that the source did not answer for
# Small windows are promoted together, for a promotion costs the same however few rows it has.
_GROUP_ROWS, _MOST_WINDOWS = 50_000, 100


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
            lost = ~table.date.within_any(deferred.get_column("date"), self.loads)
            keys.append(deferred.filter(lost).get_column(KEY_HASH))
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
            batch = self._batch()
            begin = partial(self.checkpoints.begin, window, batch, forced=run.options.force)
            attempt = run.retry.ops("beginning an attempt", begin)
            run, began = run.of_batch(batch), attempt.began
        context = copy_context()
        read = partial(read_window, run, self.table, self.source, window, began, self.reads)
        return _Begun(run=run, window=window, attempt=attempt, reading=self.ahead.submit(context.run, read))

    def wait(self, begun: _Begun) -> WindowRead | BaseException:
        """What was read, or why it was not, which has been told."""
        try:
            return begun.reading.result()
        except BaseException as error:  # noqa: BLE001 - raised again where it concerns more than the window
            self.record(begun, AttemptState.FAILED, error=describe(error))
            self.failed(begun, error)
            return error

    def finish(self, group: Sequence[tuple[_Begun, WindowRead]]) -> None:
        """Promote what was read, under the first window's batch, and record how the attempts ended.

        Where several windows fail together they are promoted one by one: one of them alone may be the reason.
        """
        first, reads = group[0][0], [read for _, read in group]
        try:
            others = {begun.window for begun, _ in group}
            to_come = [window for window in self.so_far.left if window not in others]
            loads = promote_windows(first.run, self.session, self.table, reads, to_come)
        except BaseException as error:
            if self.is_of_the_run(error):
                raise
            if len(group) == 1:
                self.record(first, AttemptState.FAILED, error=describe(error))
                self.failed(first, error)
            else:
                self._one_by_one(group, error)
            return
        for (begun, _), load in zip(group, loads, strict=True):
            self._loaded(begun, load, first.run.batch)

    def _one_by_one(self, group: Sequence[tuple[_Begun, WindowRead]], error: BaseException) -> None:
        LOG.warning(
            "%s: %d windows could not be promoted together, and are promoted one by one (%s)",
            self.table, len(group), describe(error),
        )  # fmt: skip
        first, tables = group[0][0].run, self.table.of_batch(group[0][0].run)
        heal(self.run, self.session, self.table.config)
        drop_staging(self.run.target, tables.staging)
        if is_published(self.run.target, tables, first.batch):
            # Stage had them all; what was compared with Stage as it was before must not be promoted again.
            for begun, _ in group:
                self.record(begun, AttemptState.FAILED, error=describe(error))
                self.failed(begun, error)
            return
        for begun, read in group:
            record_events(begun.run)
            self.finish([(replace(begun, run=self.run.of_batch(self._batch())), read)])

    def _loaded(self, begun: _Begun, load: WindowLoad, batch: int) -> None:
        self.so_far.loads[begun.window] = load
        if begun.attempt is None:
            return
        attempt = replace(begun.attempt, batch=batch)
        state = AttemptState.SUCCESS if load.is_settled else AttemptState.LOADED
        self.record(replace(begun, attempt=attempt), state, load=load)
        if not load.is_settled:
            self.so_far.open.append(attempt)

    def _batch(self) -> int:
        batch = begin_batch(self.run.retry, self.run.target, self.run.command, self.run.batch)
        self.so_far.batches.add(batch)
        return batch

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

    def is_of_the_run(self, error: BaseException) -> bool:
        """Whether the run was asked to stop, or the whole table is to start over."""
        stops = self.run.cancellation.requested or isinstance(error, Interrupted) or not isinstance(error, Exception)
        return stops or self.run.retry.may_pass(error)

    def failed(self, begun: _Begun, error: BaseException) -> None:
        """Tell of a window's failure and go on, unless it is the run's own."""
        if self.is_of_the_run(error):
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
    def given_up(self, begun: list[_Begun], group: list[tuple[_Begun, WindowRead]]) -> Iterator[None]:
        """Where the block breaks off, what is being read is waited for, and what was not loaded has failed for that reason."""
        try:
            yield
        except BaseException as error:
            for one in (*(one for one, _ in group), *begun):
                if one.reading.exception() is None:
                    one.reading.result().spool.close()
                if one.window in self.so_far.left:
                    self.record(one, AttemptState.FAILED, error=describe(error))
            raise


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
        group: list[tuple[_Begun, WindowRead]] = []
        with windows.given_up(begun, group):
            _load_in_order(windows, begun, group)


def _load_in_order(windows: _Windows, begun: list[_Begun], group: list[tuple[_Begun, WindowRead]]) -> None:
    run, so_far, table = windows.run, windows.so_far, windows.table
    left = so_far.left
    unreachable = 0
    for place, window in enumerate(left):
        run.cancellation.check()
        run.reporter.windows_done(str(table), len(so_far.loads) + len(so_far.failures), len(so_far.planned))
        current = begun.pop() if begun else windows.begin(window)
        read = windows.wait(current)
        unreachable = unreachable + 1 if isinstance(read, BaseException) and _is_unreachable(read) else 0
        hopeless = isinstance(read, SourceRefused) or unreachable >= _UNREACHABLE
        is_last = hopeless or place + 1 == len(left)
        if hopeless:
            LOG.error("%s: its other windows are not tried: the source would fail them in the same way", table)
        if not is_last:
            begun.append(windows.begin(left[place + 1]))
        if isinstance(read, WindowRead):
            group.append((current, read))
        if group and (is_last or len(group) >= _MOST_WINDOWS or sum(read.rows for _, read in group) >= _GROUP_ROWS):
            windows.finish(group)
            for _, done in group:
                done.spool.close()
            group.clear()
        if is_last:
            return


def _is_unreachable(error: BaseException) -> bool:
    return isinstance(error, SourceUnavailable) or isinstance(error.__cause__, SourceUnavailable)
