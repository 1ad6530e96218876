"""Healing and publishing: what an earlier run began to promote and did not bring to its end is brought there first."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa

from cdc.engine import run_cdc
from connections.target import Session, Target
from data_load.index_management import create_one_active_index
from data_load.markers import Pending, is_complete, last_instant, marker_table, rows_of, unpromoted
from data_load.schema_utils import typed
from model import ops
from model.chunks import planned
from model.errors import IntegrityError
from model.system_columns import BEFORE, STAGE_SYSTEM, STAGING_SYSTEM
from model.warehouse import Promotion, WarehouseTable
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from scd2.engine import run_scd2
from schema.altering import alter_column
from schema.evolution import Widened
from schema.staging_cleanup import drop_staging

LOG = logging.getLogger("udm.healing")
_TICK = timedelta(microseconds=1)


def heal(run: RunContext, session: Session, config: TableConfig) -> list[Promotion]:
    """Finish, in order and with their own instants, the batches that Stage and Bronze do not hold whole; publish what is not.

    Returns the promotions finished.
    """
    target, tables = run.target, config.warehouse_table(run.target, run.batch)
    missing = unpromoted(target, tables)
    if missing:
        tables = config.warehouse_table(target, run.batch, stored=_shared_columns(target, tables))
    for pending in missing:
        if not pending.stage.is_complete:
            _resume_cdc(run, session, config, pending, tables.stored)
        progress = pending.bronze or planned(pending.promotion.rows, run.max_tx_rows)
        LOG.warning("batch %d ended between Stage and Bronze; promoting it now with its own instant", pending.promotion.batch)
        again = run.retry.transaction
        run_scd2(target, session, tables, pending.promotion, from_stage=True, progress=progress, again=again)
    _publish_promoted(target, tables)
    for pending in missing:
        if not pending.stage.is_complete:
            drop_staging(target, config.warehouse_table(target, pending.promotion.batch).staging)
    return [pending.promotion for pending in missing]


def _resume_cdc(run: RunContext, session: Session, config: TableConfig, pending: Pending, stored: tuple[str, ...]) -> None:
    """Bring the chunks to Stage that it lacks of a batch, from the batch's own staging table.

    Raises:
        IntegrityError: that table is gone, and with it what only it held.
    """
    target, promotion, progress = run.target, pending.promotion, pending.stage
    names = config.warehouse_table(target, promotion.batch)
    with target.engine.connect() as connection:
        held = target.columns_of(connection, names.staging)
    if not held:
        raise IntegrityError(
            f"{config}: {names.stage} holds {progress.done} of {progress.chunks} chunks of batch {promotion.batch}, and "
            f"{names.staging}, which held the others, does not exist.",
            remedy=f"Restore it from a backup. Or give the others up, and the next extract brings them: in "
            f"{target.databases.stage}.ops.PromotionMarker set Chunks to ChunksDone for this table and batch, and RowsInserted, "
            "RowsUpdated and RowsDeleted to how many I, U and D rows "
            f"{names.stage} holds with _cdc_batch_id = {promotion.batch}.",
        )
    LOG.warning("batch %d ended after chunk %d of %d to Stage; going on", promotion.batch, progress.done, progress.chunks)
    columns = tuple(column for column in held if column.name not in STAGING_SYSTEM)
    tables = config.warehouse_table(target, promotion.batch, columns, stored=stored)
    run_cdc(target, session, tables, promotion, progress=progress, again=run.retry.transaction)


def _shared_columns(target: Target, tables: WarehouseTable) -> tuple[str, ...]:
    """The source columns that Stage holds. Bronze is given those that it lacks or holds narrower: it may be an older backup."""
    with target.engine.begin() as connection:
        stage, bronze = (target.columns_of(connection, name) for name in (tables.stage, tables.bronze))
        known = {column.name: column for column in bronze}
        ours = [column for column in stage if column.name not in {*STAGE_SYSTEM, *BEFORE.values()}]
        for column in typed(target, [column for column in ours if bronze and column.name not in known]):
            connection.execute(target.add_column(tables.bronze, column))
    for wanted in ours:
        held = known.get(wanted.name, wanted)
        if held.source_type != wanted.source_type and (how := target.widening(held, wanted.type)):
            before, after = held.source_type, wanted.source_type
            wider = Widened(column=wanted.name, before=before, wanted=wanted.type, after=after, how=how)
            alter_column(target, tables.bronze, wider)
    return tuple(wanted.name for wanted in ours)


def next_instant(target: Target, tables: WarehouseTable, now: datetime | None = None) -> datetime:
    """The target's time, `now` if it was read before, or just after the table's last instant where that is later.

    Naive UTC, microseconds.
    """
    published = target.own(ops.TABLE_PUBLISHED)
    latest = sa.select(sa.func.max(published.c.Instant)).where(*rows_of(published, tables))
    with target.engine.connect() as connection:
        now = now or target.now(connection)
        promoted = last_instant(target, connection, tables)
        announced: datetime | None = connection.execute(latest).scalar_one()
    return max([now, *(instant + _TICK for instant in (promoted, announced) if instant is not None)])


def publish(target: Target, tables: WarehouseTable, batch: int, instant: datetime) -> None:
    """Announce that Bronze holds the table as of `instant`, so that consumers can read on from this batch."""
    with target.engine.begin() as connection:
        connection.execute(
            sa.insert(target.own(ops.TABLE_PUBLISHED)).values(
                SourceName=tables.source,
                TableName=tables.table,
                BatchId=batch,
                Instant=instant,
                PublishedAt=target.now(connection),
            )
        )


def is_published(target: Target, tables: WarehouseTable, batch: int) -> bool:
    """Whether a batch of the table has been announced."""
    published = target.own(ops.TABLE_PUBLISHED)
    query = sa.select(published.c.BatchId).where(*rows_of(published, tables, batch))
    with target.engine.connect() as connection:
        return bool(connection.execute(query).all())


def _publish_promoted(target: Target, tables: WarehouseTable) -> None:
    marker = marker_table(target, target.databases.bronze)
    published = target.own(ops.TABLE_PUBLISHED)
    with target.engine.connect() as connection:
        done = set(connection.execute(sa.select(published.c.BatchId).where(*rows_of(published, tables))).scalars())
        rows = connection.execute(
            sa.select(marker.c.BatchId, marker.c.Instant)
            .where(*rows_of(marker, tables), is_complete(marker))
            .order_by(marker.c.Instant)
        ).all()
    unpublished = [(batch, instant) for batch, instant in rows if batch not in done]
    if unpublished:
        # The index comes after the promotion's commit: the run that ended before publishing may have ended before that too.
        with target.engine.begin() as connection:
            create_one_active_index(target, connection, tables.bronze)
    for batch, instant in unpublished:
        publish(target, tables, batch, instant)
