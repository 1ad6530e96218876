"""Windows of a large table: each extracted and compared with what Stage holds of it; then promoted, several small ones together.

What is missing is only noted: whether such a row is gone or has moved is asked when all windows have been read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from cdc.diff import Changes
from cdc.moves import settle_moves
from connections.target import Session
from extract.selection import Between
from extract.spool import Spool
from extract.udm_connectorx_extractor import StoredWindow
from model.errors import IntegrityError
from model.ops import EventType
from model.region import Region
from model.system_columns import KEY_HASH
from model.warehouse import Promotion, WarehouseTable
from model.windows import Window
from orchestration.checkpoints import DayRead
from orchestration.day_guard import check_day
from orchestration.extraction import Compared, compare_stream, read_against
from orchestration.healing import next_instant, publish
from orchestration.large_table import LargeTable
from orchestration.promoting import promote_staged, stage_changes, step
from orchestration.quarantine import record_quarantine
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.window_group import NONE_SUPERSEDED, Superseded, WindowGroup, WindowRead, group_of
from schema.staging_cleanup import drop_staging

LOG = logging.getLogger("udm.large_tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLoad:
    """What came of a window: its changes, its current rows before, what moved, and what another has superseded."""

    changes: Changes
    active: int
    moved: int = 0
    moved_from: pl.Series = field(default_factory=pl.Series)
    deferred: pl.DataFrame = field(default_factory=pl.DataFrame)
    superseded: Superseded = NONE_SUPERSEDED

    @property
    def inserted(self) -> int:
        """Keys that the warehouse did not have."""
        return self.changes.inserted - self.moved - self.deferred.height - self.superseded.inserted

    @property
    def updated(self) -> int:
        """Keys that it had, in this window or another one."""
        return self.changes.updated + self.moved - self.superseded.updated

    @property
    def is_settled(self) -> bool:
        """Whether nothing is missing and nothing deferred."""
        return not len(self.changes.deleted_keys) and self.deferred.is_empty()


def read_window(
    run: RunContext, table: LargeTable, reading: SourceReading, window: Window, began: datetime, reads: Sequence[DayRead]
) -> WindowRead:
    """Read and compare a window, under the run's batch; writes nothing but events. Whoever takes it closes its spool."""
    with ExitStack() as undo:
        spool = undo.enter_context(Spool(run.spool_folder, run.settings.spool_bytes))
        compared = run.retry.extract(partial(_read, run, table, reading, window, began, reads, spool))
        undo.pop_all()
    return WindowRead(window=window, began=began, compared=compared, spool=spool)


def promote_windows(
    run: RunContext,
    session: Session,
    table: LargeTable,
    reads: Sequence[WindowRead],
    to_come: Sequence[Window],
) -> list[WindowLoad]:
    """Promote windows together, under the run's batch and one instant; of a key in several of them the last read counts.

    `to_come` are the windows that this run has still to promote.
    """
    tables, layouts = table.of_batch(run), table.described.layouts
    loads = [WindowLoad(changes=read.compared.changes, active=len(read.compared.current.keys)) for read in reads]
    if run.options.dry_run:
        return loads
    for read, load in zip(reads, loads, strict=True):
        record_quarantine(run.target, run.settings, tables, run.batch, read.compared.quarantined, load.changes.quarantined)
    group = group_of(tables, layouts, reads)
    loads = [replace(load, superseded=lost) for load, lost in zip(loads, group.superseded, strict=True)]
    if not group.inserted + group.updated:
        return loads
    stage_changes(run, tables, layouts, group.rows(), group.inserted + group.updated)
    loads = _with_moves(run, table, tables, group, loads, to_come) if group.inserted else loads
    moved, deferred = (sum(counts) for counts in zip(*((load.moved, load.deferred.height) for load in loads), strict=True))
    instant = next_instant(run.target, tables, min(read.began for read in reads))
    inserted = group.inserted - moved - deferred
    promotion = Promotion(batch=run.batch, instant=instant, inserted=inserted, updated=group.updated + moved, deleted=0)
    if not promotion.rows:
        drop_staging(run.target, tables.staging)
        return loads
    promote_staged(run, session, tables, promotion, _region(table, reads, loads))
    publish(run.target, tables, run.batch, instant)
    return loads


def _with_moves(
    run: RunContext,
    table: LargeTable,
    tables: WarehouseTable,
    group: WindowGroup,
    loads: Sequence[WindowLoad],
    to_come: Sequence[Window],
) -> list[WindowLoad]:
    def is_deferred(elsewhere: pl.DataFrame) -> pl.Series:
        dates = elsewhere.get_column("date")
        deferred, staged_by = table.date.within_any(dates, to_come), group.place_of(elsewhere.get_column(KEY_HASH))
        for place, read in enumerate(group.reads):
            deferred |= (staged_by < place) & table.date.within(dates, read.window)
        return deferred

    moves = settle_moves(run.target, tables, table.date.column, is_deferred)
    moved, deferred = (group.place_of(rows.get_column(KEY_HASH)) for rows in (moves.moved, moves.deferred))
    return [
        replace(
            load,
            moved=int((moved == place).sum()),
            moved_from=moves.moved.filter(moved == place).get_column("date"),
            deferred=moves.deferred.filter(deferred == place),
        )
        for place, load in enumerate(loads)
    ]


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


def _region(table: LargeTable, reads: Sequence[WindowRead], loads: Sequence[WindowLoad]) -> Region | None:
    """What encloses the rows that are closed: the windows with updates, and where the rows that moved were."""
    starts: list[Any] = []
    ends: list[Any] = []
    for read, load in zip(reads, loads, strict=True):
        if load.changes.updated:
            start, end = table.date.stored_ends(read.window)
            if start is None and end is None:
                return None
            starts.append(start)
            ends.append(end)
        if load.moved_from.null_count():
            return None
        if len(load.moved_from):
            starts.append(load.moved_from.min())
            ends.append(None)  # the greatest date has no end of its own kind behind it
    if not starts:
        return None
    return Region(column=table.date.column.name, start=min(starts), end=None if None in ends else max(ends))
