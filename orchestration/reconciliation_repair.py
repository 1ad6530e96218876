"""Repair: what differs is promoted again, as ordinary changes under a batch of its own. No closed version is touched.

Where a key is in one layer only, Stage is settled first. That batch changes Stage alone, so its marker goes to Bronze before its
rows go to Stage: a run that ends between the two leaves nothing that a later one would try to promote to Bronze.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Self

import polars as pl

from cdc.diff import DELETE, INSERT, as_bytes
from cdc.engine import delete_rows, run_cdc
from cdc.reconciliation.repair import Repair, RepairCounts
from connections.target import Session
from data_load.bcp_loader import STAGING_COLUMNS
from data_load.markers import write_marker
from extract.spool import Spool
from model import system_columns as sc
from model.ops import EventType
from model.warehouse import Promotion, WarehouseTable
from orchestration.batch import begin_batch, end_batch
from orchestration.healing import next_instant, publish
from orchestration.promoting import promote_staged, stage_changes, step
from orchestration.reconciliation_sides import STAGED_HASH, Sides
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from schema.staging_cleanup import drop_dead_staging, drop_staging

LOG = logging.getLogger("udm.reconciliation")


@dataclass(slots=True, kw_only=True)
class RepairRows:
    """The rows of a table's repair, as staging tables hold them; a context manager. They wait in spools."""

    run: RunContext
    config: TableConfig
    sides: Sides
    counts: RepairCounts = RepairCounts()  # noqa: RUF009 - frozen
    settled: dict[str, int] = field(default_factory=lambda: {INSERT: 0, DELETE: 0})
    _stack: ExitStack = field(default_factory=ExitStack)
    _spools: dict[str, Spool] = field(default_factory=dict)

    def __enter__(self) -> Self:
        for name in ("settling", "changes"):
            limit = self.run.settings.spool_bytes // 4
            self._spools[name] = self._stack.enter_context(Spool(self.run.spool_folder, limit))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def take(self, repair: Repair) -> None:
        """Keep the plan of a group of segments."""
        self.counts += repair.counts
        for operation, count in repair.settling.group_by(sc.CDC_OPERATION).len().iter_rows():
            self.settled[operation] += count
        for name, rows in (("settling", repair.settling), ("changes", repair.changes)):
            self._spools[name].append(self._staging(rows))

    def frames(self, name: str) -> Iterator[pl.DataFrame]:
        """Staging rows of `settling` or `changes`; a delete is a key hash without values."""
        tables, layout = self.sides.tables, self.sides.described.layouts.id
        for frame in self._spools[name].frames():
            deletes = pl.col(sc.CDC_OPERATION) == DELETE
            yield frame.filter(~deletes)
            yield from delete_rows(frame.filter(deletes).get_column(sc.KEY_HASH), tables, layout)

    def _staging(self, rows: pl.DataFrame) -> pl.DataFrame:
        hashed = pl.coalesce(pl.col(STAGED_HASH), pl.col(sc.ROW_HASH)) if STAGED_HASH in rows.columns else pl.col(sc.ROW_HASH)
        row_hash = as_bytes(rows.select(hashed.alias(sc.ROW_HASH)).to_series())
        hashes = (as_bytes(rows.get_column(sc.KEY_HASH)), row_hash)
        layout = pl.lit(self.sides.described.layouts.id, dtype=pl.Int64).alias(sc.HASH_LAYOUT)
        names = [*self.sides.tables.names, *(column.name for column in STAGING_COLUMNS)]
        return rows.with_columns(*hashes, layout).select(names)


def repair_table(run: RunContext, session: Session, rows: RepairRows) -> None:
    """Carry the plan out, on the session that holds the table's lock."""
    drop_dead_staging(run.target, rows.sides.tables)
    with step(run, EventType.REPAIR) as event:
        event.RowsInserted, event.RowsUpdated = rows.counts.inserted, rows.counts.updated
        event.RowsDeleted, event.Message = rows.counts.deleted, str(rows.counts)
        LOG.info("%s: repairing: %s", rows.sides.tables, rows.counts)
        if rows.counts.settled:
            _in_batch(run, partial(_settle, session=session, rows=rows))
        if rows.counts.rows:
            _in_batch(run, partial(_promote, session=session, rows=rows))


def _in_batch(run: RunContext, work: Callable[[RunContext], None]) -> None:
    """Under a batch that no other attempt has had: a promotion is recognised by it."""
    batch = begin_batch(run.retry, run.target, run.command, run.batch)
    work(replace(run, batch=batch))
    run.retry.ops("ending the batch", partial(end_batch, run.target, batch, 0))


def _settle(run: RunContext, session: Session, rows: RepairRows) -> None:
    """Change Stage alone, so that it holds the keys that Bronze holds."""
    target, tables = run.target, _of_batch(run, rows)
    layouts, settled = rows.sides.described.layouts, rows.settled
    instant = next_instant(target, tables)
    in_stage = Promotion(batch=run.batch, instant=instant, inserted=settled[INSERT], updated=0, deleted=settled[DELETE])
    stage_changes(run, tables, layouts, rows.frames("settling"), in_stage.rows)
    with step(run, EventType.CDC_PROMOTION) as event:
        with session.begin() as connection:
            nothing = replace(in_stage, inserted=0, deleted=0)
            write_marker(target, connection, target.databases.bronze, tables, nothing)
        run_cdc(target, session, tables, in_stage)
        event.RowsInserted, event.RowsDeleted = in_stage.inserted, in_stage.deleted
    drop_staging(target, tables.staging)
    publish(target, tables, run.batch, instant)


def _promote(run: RunContext, session: Session, rows: RepairRows) -> None:
    target, tables, counts = run.target, _of_batch(run, rows), rows.counts
    instant = next_instant(target, tables)
    promotion = Promotion(
        batch=run.batch, instant=instant, inserted=counts.inserted, updated=counts.updated, deleted=counts.deleted
    )
    stage_changes(run, tables, rows.sides.described.layouts, rows.frames("changes"), promotion.rows)
    promote_staged(run, session, tables, promotion)
    publish(target, tables, run.batch, instant)


def _of_batch(run: RunContext, rows: RepairRows) -> WarehouseTable:
    """The table with the staging table of the run's batch."""
    tables = rows.sides.tables
    return rows.config.warehouse_table(run.target, run.batch, tables.columns, tables.keys, tables.stored)
