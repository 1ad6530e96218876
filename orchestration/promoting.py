"""What an extract changes, on its way into Stage and Bronze: the batch's staging table, then the two promotions from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import polars as pl

from cdc.diff import Changes
from cdc.duplicates import POSITION
from cdc.engine import delete_rows, run_cdc_windowed
from connections.target import Session
from data_load.bcp_loader import STAGING_COLUMNS, load_staging
from extract.spool import Spool
from model.chunks import planned
from model.ops import EventType
from model.region import Region
from model.warehouse import Promotion, WarehouseTable
from observability.context import current_table
from observability.event_tracker import Event
from orchestration.hash_layouts import Layouts
from orchestration.run_context import RunContext
from scd2.engine import run_scd2_targeted
from schema.staging_cleanup import drop_staging


def stage_changes(run: RunContext, tables: WarehouseTable, layouts: Layouts, rows: Iterable[pl.DataFrame], count: int) -> None:
    """Load `count` rows, as `staged` makes them, into the batch's staging table."""
    outlasts = planned(count, run.max_tx_rows).chunks > 1
    with step(run, EventType.BCP_LOAD) as event:
        scratch = run.spool_folder.new_table
        event.RowsInserted = load_staging(run.target, tables, layouts.layout, rows, count, scratch, outlasts=outlasts)


def promote_staged(
    run: RunContext, session: Session, tables: WarehouseTable, promotion: Promotion, region: Region | None = None
) -> None:
    """Promote the staging table to Stage and to Bronze, and drop it. `region`: where the rows lie that are closed, if known."""
    progress = planned(promotion.rows, run.max_tx_rows)
    for kind, promote in ((EventType.CDC_PROMOTION, run_cdc_windowed), (EventType.SCD2_PROMOTION, run_scd2_targeted)):
        with step(run, kind) as event:
            promote(run.target, session, tables, promotion, region=region, progress=progress, again=run.retry.transaction)
            event.RowsInserted, event.RowsUpdated = promotion.inserted, promotion.updated
            event.RowsDeleted = promotion.deleted
    with step(run, EventType.CLEANUP):
        drop_staging(run.target, tables.staging)


@contextmanager
def step(run: RunContext, event_type: EventType) -> Iterator[Event]:
    """A step of the table in context: shown, timed, recorded."""
    run.cancellation.check()
    run.reporter.step_started(current_table(), event_type)
    with run.tracker.track(event_type) as event:
        yield event


def staged(tables: WarehouseTable, layouts: Layouts, changes: Changes, spool: Spool) -> Iterator[pl.DataFrame]:
    """The rows that go to staging: clean candidates, then one row a delete."""
    names = [*tables.names, *(column.name for column in STAGING_COLUMNS)]
    dropped = changes.dropped_positions.implode() if len(changes.dropped_positions) else None
    for frame in spool.frames():
        kept = frame if dropped is None else frame.filter(~pl.col(POSITION).is_in(dropped))
        yield kept.select(names)
    yield from delete_rows(changes.deleted_keys, tables, layouts.id)
