"""Large tables: loaded window by window, each committed by itself (DESIGN.md section 7).

lock, heal, plan the windows; per window extract, guard, windowed CDC, targeted SCD2, checkpoint; then what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial

import polars as pl

from cdc.diff import Changes
from connections.target import Session
from model.errors import Interrupted, SourceRefused, SourceUnavailable
from model.ops import Status
from model.system_columns import KEY_HASH
from model.windows import Window, WindowKind
from observability.event_tracker import Event, describe
from orchestration.batch import begin_batch, end_batch
from orchestration.checkpoints import Attempt, Checkpoints, DayRead
from orchestration.confirmation import confirm_missing
from orchestration.healing import heal
from orchestration.large_plan import planned_windows
from orchestration.large_table import LargeTable, prepare
from orchestration.pipeline_state import AttemptState, DayState, described
from orchestration.results import TableResult, WindowCounts
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table
from orchestration.tables import record_events, run_tables
from orchestration.window_loading import WindowLoad, load_window
from schema.staging_cleanup import drop_dead_staging

LOG = logging.getLogger("udm.large_tables")
_WEEKS = 14  # of a weekday, which the guard goes by
_UNREACHABLE = 3  # windows in a row that the source did not answer for


def run_large_tables(run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
    """Load the tables, `workers` at a time; the windows of one table in their order."""
    return run_tables(run, configs, _load_held)


@dataclass(slots=True, kw_only=True)
class _SoFar:
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
            keys.append(deferred.filter(~_in_any(table, self.loads, dates)).get_column(KEY_HASH))
        return pl.concat([pl.Series(KEY_HASH, dtype=pl.Binary), *(series.alias(KEY_HASH) for series in keys)])


def _load_held(run: RunContext, config: TableConfig, total: Event) -> TableResult:
    """Load the table under its lock; what fails with the session goes on, under a new lock, with the windows that are left."""
    so_far = _SoFar()

    def attempt(number: int) -> TableResult:
        total.Message = f"attempt {number}" if number > 1 else None
        with hold_table(run.target, config) as session:
            return _load(replace(run, attempt=number), session, config, so_far)

    return run.retry.table(attempt)


def _load(run: RunContext, session: Session, config: TableConfig, so_far: _SoFar) -> TableResult:
    source = run.settings.sources.get(config.source)
    names = config.warehouse_table(run.target, run.batch)
    if not run.options.dry_run:
        drop_dead_staging(run.target, names)
        heal(run, session, config)
    with SourceReading(run, source) as reading:
        table = run.retry.extract(lambda: prepare(run, config, source, reading))
        if not so_far.planned:
            so_far.planned, so_far.before = planned_windows(run.target, table.calendar, names, run.options.asked)
            LOG.info("%s: to be read: %s", config, described(so_far.planned))
        _load_windows(run, session, table, reading, so_far)
        if not run.options.dry_run:
            _settle(run, session, table, reading, so_far)
    return _result(table, so_far)


def _load_windows(run: RunContext, session: Session, table: LargeTable, reading: SourceReading, so_far: _SoFar) -> None:
    checkpoints = Checkpoints(target=run.target, tables=table.described.tables)
    days = [window.day for window in so_far.planned if window.day is not None]
    reads = checkpoints.reads_since(min(days) - timedelta(weeks=_WEEKS)) if days else []
    unreachable = 0
    for window in so_far.left:
        run.cancellation.check()
        run.reporter.windows_done(str(table), len(so_far.loads) + len(so_far.failures), len(so_far.planned))
        try:
            _load_one(run, session, table, reading, window, checkpoints, reads, so_far)
            unreachable = 0
        except Exception as error:
            if run.cancellation.requested or isinstance(error, Interrupted) or run.retry.may_pass(error):
                raise
            unreachable = unreachable + 1 if _is_unreachable(error) else 0
            so_far.failures[window] = describe(error).removeprefix(f"{table}: ")
            LOG.error("%s: %s: failed%s: %s", table, window, _how_often(run, window, so_far), so_far.failures[window])
            if isinstance(error, SourceRefused) or unreachable >= _UNREACHABLE:
                LOG.error("%s: its other windows are not tried: the source would fail them in the same way", table)
                return


def _load_one(
    run: RunContext,
    session: Session,
    table: LargeTable,
    reading: SourceReading,
    window: Window,
    checkpoints: Checkpoints,
    reads: list[DayRead],
    so_far: _SoFar,
) -> None:
    to_come = partial(_in_any, table, [other for other in so_far.left if other != window])
    if run.options.dry_run:
        now = checkpoints.now()
        so_far.loads[window] = load_window(run, session, table, reading, window, now, reads, to_come)
        return
    batch = begin_batch(run.retry, run.target, run.command, run.batch)
    so_far.batches.add(batch)
    mine = run.of_batch(batch)
    attempt = run.retry.ops("beginning an attempt", partial(checkpoints.begin, window, batch, forced=run.options.force))
    try:
        load = load_window(mine, session, table, reading, window, attempt.began, reads, to_come)
    except BaseException as error:
        _record(mine, checkpoints, attempt, AttemptState.FAILED, error=describe(error))
        raise
    state = AttemptState.SUCCESS if load.is_settled else AttemptState.LOADED
    _record(mine, checkpoints, attempt, state, load=load)
    so_far.loads[window] = load
    if not load.is_settled:
        so_far.open.append(attempt)


def _record(
    run: RunContext,
    checkpoints: Checkpoints,
    attempt: Attempt,
    state: AttemptState,
    *,
    load: WindowLoad | None = None,
    error: str | None = None,
) -> None:
    """The attempt's end and its events; after a failure an error in writing them must not hide the first one."""
    rows = load.changes.extracted if load else None
    changed = load.inserted + load.updated if load else None
    try:
        end = partial(checkpoints.end, attempt, state, rows=rows, changed=changed, error=error)
        run.retry.ops("ending an attempt", end)
    except Exception as failed:
        if error is None:
            raise
        LOG.error("the end of an attempt could not be written to ops: %s", describe(failed))
    record_events(run)


def _settle(run: RunContext, session: Session, table: LargeTable, reading: SourceReading, so_far: _SoFar) -> None:
    """Close what is gone at the source, and with that settle the windows that keys were missing from."""
    batch = begin_batch(run.retry, run.target, run.command, run.batch)
    mine = run.of_batch(batch)
    missing, written = so_far.missing(table), frozenset(so_far.batches)
    try:
        changes, so_far.withheld = confirm_missing(mine, session, table, reading, missing, written, so_far.active)
        so_far.settled = changes
        checkpoints = Checkpoints(target=run.target, tables=table.described.tables)
        if not so_far.withheld:
            run.retry.ops("settling windows", partial(checkpoints.settle, so_far.open))
    finally:
        record_events(mine)
    run.retry.ops("ending the batch", partial(end_batch, run.target, batch, int(bool(so_far.withheld))))


def _in_any(table: LargeTable, windows: Iterable[Window], dates: pl.Series) -> pl.Series:
    """Which dates lie in one of the windows."""
    found = pl.repeat(value=False, n=len(dates), dtype=pl.Boolean, eager=True)
    for window in windows if len(dates) else ():
        found |= table.date.within(dates, window)
    return found


def _how_often(run: RunContext, window: Window, so_far: _SoFar) -> str:
    known = so_far.before.get(window.day) if window.kind is WindowKind.DAY and window.day else None
    failures = 1 + (known.failures if known else 0)
    return f" {failures} times in a row, and is tried again with each run" if failures >= run.settings.day_failures else ""


def _is_unreachable(error: BaseException) -> bool:
    return isinstance(error, SourceUnavailable) or isinstance(error.__cause__, SourceUnavailable)


def _result(table: LargeTable, so_far: _SoFar) -> TableResult:
    loads, settled = so_far.loads.values(), so_far.settled
    counts = WindowCounts(planned=len(so_far.planned), done=len(loads), failed=len(so_far.failures))
    messages = [f"{window}: {message}" for window, message in so_far.failures.items()][:1]
    if len(so_far.failures) > 1:
        messages.append(f"(and {len(so_far.failures) - 1} more windows)")
    if so_far.withheld:
        messages.append(so_far.withheld)
    unconfirmed = sum(load.changes.deleted for load in loads) if settled is None and not so_far.batches else 0
    return TableResult(
        source=table.config.source,
        table=table.config.table,
        status=Status.FAILED if messages or counts.skipped else Status.SUCCESS,
        message=" ".join(messages),
        extracted=sum(load.changes.extracted for load in loads),
        inserted=sum(load.inserted for load in loads),
        updated=sum(load.updated for load in loads) + (settled.updated if settled else 0),
        deleted=settled.deleted if settled else unconfirmed,
        unchanged=sum(load.changes.unchanged for load in loads),
        duplicates=sum(load.changes.duplicates for load in loads),
        quarantined=sum(load.changes.quarantined for load in loads) + (settled.quarantined if settled else 0),
        bronze=table.described.tables.bronze,
        windows=counts,
    )
