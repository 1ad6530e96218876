"""Healing and publishing: what an earlier run promoted to Stage and did not bring to Bronze is brought there first."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa

from connections.target import Session, Target
from data_load.index_management import create_one_active_index
from data_load.markers import last_instant, marker_table, unpromoted
from data_load.schema_utils import typed
from model import ops
from model.system_columns import STAGE_SYSTEM
from model.warehouse import Promotion, WarehouseTable
from orchestration.table_config import TableConfig
from scd2.engine import run_scd2

LOG = logging.getLogger("udm.healing")
_TICK = timedelta(microseconds=1)


def heal(target: Target, session: Session, config: TableConfig, batch: int) -> list[Promotion]:
    """Replay, in order and with their own instants, the batches that Stage holds and Bronze does not; publish what is not.

    Returns the promotions replayed.
    """
    tables = config.warehouse_table(target, batch)
    missing = unpromoted(target, tables)
    if missing:
        tables = config.warehouse_table(target, batch, stored=_shared_columns(target, tables))
    for promotion in missing:
        LOG.warning("batch %d ended between Stage and Bronze; promoting it now with its own instant", promotion.batch)
        run_scd2(target, session, tables, promotion, from_stage=True)
    _publish_promoted(target, tables)
    return missing


def _shared_columns(target: Target, tables: WarehouseTable) -> tuple[str, ...]:
    """The source columns that Stage holds; Bronze is given those that it lacks, for a run may have ended between the two."""
    with target.engine.begin() as connection:
        stage, bronze = (target.columns_of(connection, name) for name in (tables.stage, tables.bronze))
        known = {column.name for column in bronze}
        ours = [column for column in stage if column.name not in STAGE_SYSTEM]
        for column in typed(target, [column for column in ours if bronze and column.name not in known]):
            connection.execute(target.add_column(tables.bronze, column))
    return tuple(column.name for column in ours)


def next_instant(target: Target, tables: WarehouseTable) -> datetime:
    """The target's time, or just after the table's last instant where the clock has stepped back. Naive UTC, microseconds."""
    published = target.own(ops.TABLE_PUBLISHED).c
    latest = sa.select(sa.func.max(published.Instant)).where(*_of(published, tables))
    with target.engine.connect() as connection:
        now = target.now(connection)
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


def _publish_promoted(target: Target, tables: WarehouseTable) -> None:
    marker = marker_table(target, target.databases.bronze)
    published = target.own(ops.TABLE_PUBLISHED).c
    with target.engine.connect() as connection:
        done = set(connection.execute(sa.select(published.BatchId).where(*_of(published, tables))).scalars())
        rows = connection.execute(
            sa.select(marker.c.BatchId, marker.c.Instant).where(*_of(marker.c, tables)).order_by(marker.c.Instant)
        ).all()
    unpublished = [(batch, instant) for batch, instant in rows if batch not in done]
    if unpublished:
        # The index comes after the promotion's commit: the run that ended before publishing may have ended before that too.
        with target.engine.begin() as connection:
            create_one_active_index(target, connection, tables.bronze)
    for batch, instant in unpublished:
        publish(target, tables, batch, instant)


def _of(columns: sa.ColumnCollection[str, sa.Column[object]], tables: WarehouseTable) -> tuple[sa.ColumnElement[bool], ...]:
    return columns["SourceName"] == tables.source, columns["TableName"] == tables.table
