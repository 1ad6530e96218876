"""Windows of a large table that have been read are promoted, several small ones together, and with the last what was missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from cdc.diff import Changes
from cdc.moves import settle_moves
from connections.target import Session
from model.region import Region
from model.system_columns import KEY_HASH
from model.warehouse import Promotion, WarehouseTable
from model.windows import Window
from orchestration.confirmation import Confirmation
from orchestration.healing import next_instant, publish
from orchestration.large_table import LargeTable
from orchestration.promoting import promote_staged, stage_changes
from orchestration.quarantine import record_quarantine
from orchestration.run_context import RunContext
from orchestration.window_group import NONE_SUPERSEDED, Superseded, WindowGroup, group_of
from orchestration.window_reading import WindowRead
from schema.staging_cleanup import drop_staging


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLoad:
    """What came of windows: their changes, their current rows before, what moved, and what another has superseded."""

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


def promote_windows(
    run: RunContext,
    session: Session,
    table: LargeTable,
    reads: Sequence[WindowRead],
    to_come: Sequence[Window],
    confirmation: Confirmation | None = None,
) -> list[WindowLoad]:
    """Promote windows together, under the run's batch and one instant; of a key in several of them the last read counts.

    `to_come` are the windows that this run has still to promote. With the run's last windows comes the `confirmation` of what no
    window brought; the table is then announced as of this instant, changed or not.
    """
    tables, layouts = table.of_batch(run), table.described.layouts
    loads = [WindowLoad(changes=read.compared.changes, active=len(read.compared.current.keys)) for read in reads]
    if run.options.dry_run:
        return loads
    for quarantined, count in _quarantined(reads, confirmation):
        record_quarantine(run.target, run.settings, tables, run.batch, quarantined, count)
    parts = [read.part for read in reads] + ([confirmation.part] if confirmation and not confirmation.changes.is_empty else [])
    group = group_of(tables, layouts, parts)
    loads = [replace(load, superseded=lost) for load, lost in zip(loads, group.superseded, strict=False)]
    staged = group.inserted + group.updated + group.deleted
    if staged:
        stage_changes(run, tables, layouts, group.rows(), staged)
        loads = _with_moves(run, table, tables, group, reads, loads, to_come) if group.inserted else loads
    moved, deferred = sum(load.moved for load in loads), sum(load.deferred.height for load in loads)
    instant = next_instant(run.target, tables, min((read.began for read in reads), default=None))
    inserted, updated = group.inserted - moved - deferred, group.updated + moved
    promotion = Promotion(batch=run.batch, instant=instant, inserted=inserted, updated=updated, deleted=group.deleted)
    if promotion.rows:
        promote_staged(run, session, tables, promotion, _region(table, reads, loads, confirmation))
    elif staged:
        drop_staging(run.target, tables.staging)
    if promotion.rows or confirmation:
        publish(run.target, tables, run.batch, instant)
    return loads


def _quarantined(reads: Sequence[WindowRead], confirmation: Confirmation | None) -> list[tuple[Any, int]]:
    found = [read.compared for read in reads]
    if confirmation and confirmation.compared:
        found.append(confirmation.compared)
    return [(compared.quarantined, compared.changes.quarantined) for compared in found]


def _with_moves(
    run: RunContext,
    table: LargeTable,
    tables: WarehouseTable,
    group: WindowGroup,
    reads: Sequence[WindowRead],
    loads: Sequence[WindowLoad],
    to_come: Sequence[Window],
) -> list[WindowLoad]:
    def is_deferred(elsewhere: pl.DataFrame) -> pl.Series:
        dates = elsewhere.get_column("date")
        deferred, staged_by = table.date.within_any(dates, to_come), group.place_of(elsewhere.get_column(KEY_HASH))
        for place, read in enumerate(reads):
            deferred |= (staged_by < place) & table.date.within(dates, read.windows)
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


def _region(
    table: LargeTable, reads: Sequence[WindowRead], loads: Sequence[WindowLoad], confirmation: Confirmation | None
) -> Region | None:
    """What encloses the rows that are closed: the windows with updates, and where the rows that moved or were missing were."""
    updated = [read.windows for read, load in zip(reads, loads, strict=True) if load.changes.updated]
    elsewhere = [load.moved_from for load in loads] + ([confirmation.dates] if confirmation else [])
    return table.date.enclosing(updated, elsewhere)
