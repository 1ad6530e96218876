"""Promotion markers: which batches of which tables a database holds, written in the transaction that changed it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from connections.target import Target
from model.ops import PROMOTION_MARKER
from model.warehouse import Promotion, WarehouseTable


def write_marker(
    target: Target, connection: sa.Connection, database: str, tables: WarehouseTable, promotion: Promotion
) -> None:
    """Record, in the transaction that changes a database, that it holds this batch of this table."""
    marker = marker_table(target, database)
    connection.execute(
        sa.insert(marker).values(
            SourceName=tables.source,
            TableName=tables.table,
            BatchId=promotion.batch,
            Instant=promotion.instant,
            RowsInserted=promotion.inserted,
            RowsUpdated=promotion.updated,
            RowsDeleted=promotion.deleted,
        )
    )


def marker_table(target: Target, database: str) -> sa.Table:
    """The promotion markers of one database."""
    return target.own(PROMOTION_MARKER, database)


def last_instant(target: Target, connection: sa.Connection, tables: WarehouseTable) -> datetime | None:
    """The instant of the table's latest promotion, or None before the first."""
    marker = marker_table(target, target.databases.stage)
    query = sa.select(sa.func.max(marker.c.Instant)).where(
        marker.c.SourceName == tables.source, marker.c.TableName == tables.table
    )
    instant: datetime | None = connection.execute(query).scalar_one()
    return instant


def unpromoted(target: Target, tables: WarehouseTable) -> list[Promotion]:
    """The batches that Stage holds and Bronze does not, in the order of their instants."""
    stage, bronze = (marker_table(target, database) for database in (target.databases.stage, target.databases.bronze))
    query = sa.select(stage).where(stage.c.SourceName == tables.source, stage.c.TableName == tables.table)
    query_done = sa.select(bronze.c.BatchId).where(bronze.c.SourceName == tables.source, bronze.c.TableName == tables.table)
    with target.engine.connect() as connection:
        done = set(connection.execute(query_done).scalars())
        rows = connection.execute(query.order_by(stage.c.Instant)).all()
    return [
        Promotion(
            batch=row.BatchId,
            instant=row.Instant,
            inserted=row.RowsInserted,
            updated=row.RowsUpdated,
            deleted=row.RowsDeleted,
        )
        for row in rows
        if row.BatchId not in done
    ]
