"""One window of a large table: extracted, compared with what Stage holds of it, promoted, and recorded as an attempt.

What is missing is only noted: whether such a row is gone or has moved is asked when all windows have been read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from cdc.diff import Changes
from cdc.moves import Moves, settle_moves
from connections.target import Session
from extract.selection import Between
from extract.spool import Spool
from extract.udm_connectorx_extractor import StoredWindow
from model.errors import IntegrityError
from model.ops import EventType
from model.region import Region
from model.warehouse import Promotion
from model.windows import Window
from orchestration.checkpoints import DayRead
from orchestration.day_guard import check_day
from orchestration.extraction import Compared, compare_stream, read_against
from orchestration.healing import next_instant, publish
from orchestration.large_table import LargeTable
from orchestration.promoting import promote_staged, stage_changes, staged, step
from orchestration.quarantine import record_quarantine
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from schema.staging_cleanup import drop_staging

LOG = logging.getLogger("udm.large_tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLoad:
    """What came of a window: its changes, what moved and what is deferred to a later window, and its current rows before."""

    changes: Changes
    active: int
    moved: int = 0
    deferred: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def inserted(self) -> int:
        """Keys that the warehouse did not have."""
        return self.changes.inserted - self.moved - self.deferred.height

    @property
    def updated(self) -> int:
        """Keys that it had, in this window or another one."""
        return self.changes.updated + self.moved

    @property
    def is_settled(self) -> bool:
        """Whether nothing is missing and nothing deferred."""
        return not len(self.changes.deleted_keys) and self.deferred.is_empty()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRead:
    """A window that has been read and compared and waits to be promoted; `began` is the target's time before (naive UTC)."""

    window: Window
    began: datetime
    compared: Compared
    spool: Spool


def read_window(
    run: RunContext, table: LargeTable, reading: SourceReading, window: Window, began: datetime, reads: Sequence[DayRead]
) -> WindowRead:
    """Read and compare a window, under the run's batch; writes nothing but events. Whoever takes it closes its spool."""
    with ExitStack() as undo:
        spool = undo.enter_context(Spool(run.spool_folder, run.settings.spool_bytes))
        compared = run.retry.extract(partial(_read, run, table, reading, window, began, reads, spool))
        undo.pop_all()
    return WindowRead(window=window, began=began, compared=compared, spool=spool)


def promote_window(
    run: RunContext, session: Session, table: LargeTable, read: WindowRead, to_come: Callable[[pl.Series], pl.Series]
) -> WindowLoad:
    """Promote a window under the run's batch; `to_come` says which dates lie in windows that this run has still to promote."""
    changes, tables = read.compared.changes, table.of_batch(run)
    load = WindowLoad(changes=changes, active=len(read.compared.current.keys))
    if run.options.dry_run:
        return load
    record_quarantine(run.target, run.settings, tables, run.batch, read.compared.quarantined, changes.quarantined)
    if not changes.inserted + changes.updated:
        return load
    layouts = table.described.layouts
    rows = staged(tables, layouts, replace(changes, deleted_keys=changes.deleted_keys.clear()), read.spool)
    stage_changes(run, tables, layouts, rows, changes.inserted + changes.updated)
    moves = settle_moves(run.target, tables, table.date.column, to_come) if changes.inserted else None
    if moves is not None:
        load = replace(load, moved=moves.moved.height, deferred=moves.deferred)
    instant = next_instant(run.target, tables, read.began)
    promotion = Promotion(batch=run.batch, instant=instant, inserted=load.inserted, updated=load.updated, deleted=0)
    if not promotion.rows:
        drop_staging(run.target, tables.staging)
        return load
    promote_staged(run, session, tables, promotion, _region(table, read.window, moves))
    publish(run.target, tables, run.batch, instant)
    return load


def _read(
    run: RunContext,
    table: LargeTable,
    reading: SourceReading,
    window: Window,
    began: datetime,
    reads: Sequence[DayRead],
    spool: Spool,
) -> Compared:
    spool.empty()
    described = table.described
    stored = StoredWindow(date=table.date, window=window)
    against = partial(read_against, run, described.tables, described.layouts, stored)
    start, end = table.date.ends(window)
    selection = Between(column=table.date.column, start=start, end=end)
    try:
        with step(run, EventType.EXTRACT) as event:
            event.IsForced, event.Message = run.options.force, str(window)
            source_table, columns = table.config.source_table, described.rules.columns
            frames = reading.extractor().read(source_table, columns, run.settings.batch_rows, selection)
            compared = compare_stream(run, described, frames, against, spool, partial(_check_within, table, window))
            changes = compared.changes
            event.RowsExtracted, event.RowsUnchanged = changes.extracted, changes.unchanged
            event.RowsQuarantined, event.RowsDuplicate = changes.quarantined, changes.duplicates
            if not run.options.force:
                check_day(str(table), window, changes.extracted, began, table.calendar, reads, run.settings)
    except BaseException:
        reading.let_go()
        raise
    if changes.duplicates:
        LOG.warning("%s: %s: %d exact duplicates were collapsed", table, window, changes.duplicates)
    return compared


def _check_within(table: LargeTable, window: Window, frame: pl.DataFrame) -> None:
    """A row of another window would be taken for one of this: the source compares dates otherwise than we do."""
    name = table.date.column.name
    within = table.date.within(frame.get_column(name), window)
    if not within.all():
        raise IntegrityError(
            f"{table}: asked for {window}, the source sent {int((~within).sum())} rows whose {name} lies elsewhere.",
            remedy="Nothing of it was loaded. Check the time zone of the source (UDM_SOURCE_…_TIME_ZONE) and the format that "
            "SourceAggregateColumnType declares.",
        )


def _region(table: LargeTable, window: Window, moves: Moves | None) -> Region | None:
    """What encloses the rows that are closed: the window, and where the rows that moved were."""
    start, end = table.date.stored_ends(window)
    if start is None and end is None:
        return None
    if moves is not None and moves.moved.height:
        dates: pl.Series = moves.moved.get_column("date")
        if dates.null_count():
            return None
        least: Any = dates.min()
        greatest: Any = dates.max()
        start = min(start, least) if start is not None else None
        end = end if end is not None and greatest < end else None
    return Region(column=table.date.column.name, start=start, end=end)
