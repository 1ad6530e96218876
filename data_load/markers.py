"""Promotion markers: which batches of which tables a database holds, written in the transaction that changed it.

A promotion in chunks writes its marker with the first and counts on with each further one; it is complete when all are done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connections.target import Session, Target
from model.chunks import WHOLE, KeyRange, Progress
from model.ops import PROMOTION_MARKER
from model.warehouse import Promotion, WarehouseTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A batch that Stage has begun to hold and Bronze does not hold whole. `bronze` None: not begun there."""

    promotion: Promotion
    stage: Progress
    bronze: Progress | None


def write_marker(
    target: Target,
    connection: sa.Connection,
    database: str,
    tables: WarehouseTable,
    promotion: Promotion,
    keys: KeyRange = WHOLE,
) -> None:
    """Record, in the transaction that changes a database, that it holds this batch of this table, or this chunk of it."""
    marker = marker_table(target, database)
    if keys.number > 1:
        one = rows_of(marker, tables, promotion.batch)
        connection.execute(sa.update(marker).values(ChunksDone=keys.number).where(*one))
        return
    connection.execute(
        sa.insert(marker).values(
            SourceName=tables.source,
            TableName=tables.table,
            BatchId=promotion.batch,
            Instant=promotion.instant,
            RowsInserted=promotion.inserted,
            RowsUpdated=promotion.updated,
            RowsDeleted=promotion.deleted,
            Chunks=keys.of,
            ChunksDone=keys.number,
        )
    )


def marker_table(target: Target, database: str) -> sa.Table:
    """The promotion markers of one database."""
    return target.own(PROMOTION_MARKER, database)


def is_chunk_in(
    target: Target, session: Session, database: str, tables: WarehouseTable, promotion: Promotion, keys: KeyRange
) -> bool:
    """Whether a database holds a chunk: the answer where a COMMIT's own was lost."""
    marker = marker_table(target, database)
    query = sa.select(marker.c.Chunks, marker.c.ChunksDone).where(*rows_of(marker, tables, promotion.batch))
    with session.begin() as connection:
        found = connection.execute(query).all()
    return any(_progress(row).done >= keys.number for row in found)


def last_instant(target: Target, connection: sa.Connection, tables: WarehouseTable) -> datetime | None:
    """The instant of the table's latest promotion, or None before the first."""
    marker = marker_table(target, target.databases.stage)
    query = sa.select(sa.func.max(marker.c.Instant)).where(*rows_of(marker, tables))
    instant: datetime | None = connection.execute(query).scalar_one()
    return instant


def unpromoted(target: Target, tables: WarehouseTable) -> list[Pending]:
    """The batches that Stage holds, or has begun to, and Bronze does not hold whole, in the order of their instants."""
    stage, bronze = (marker_table(target, database) for database in (target.databases.stage, target.databases.bronze))
    query = sa.select(stage).where(*rows_of(stage, tables)).order_by(stage.c.Instant)
    query_done = sa.select(bronze.c.BatchId, bronze.c.Chunks, bronze.c.ChunksDone).where(*rows_of(bronze, tables))
    with target.engine.connect() as connection:
        begun = {row.BatchId: _progress(row) for row in connection.execute(query_done)}
        rows = connection.execute(query).all()
    pending = (_pending(row, begun.get(row.BatchId)) for row in rows)
    return [one for one in pending if one.bronze is None or not one.bronze.is_complete]


def half_staged(target: Target, tables: WarehouseTable, batches: Iterable[int]) -> set[int]:
    """Those of these batches of which Stage holds a part only; the rest of them is nowhere but in their staging tables."""
    marker = marker_table(target, target.databases.stage)
    query = sa.select(marker.c.BatchId, marker.c.Chunks, marker.c.ChunksDone).where(*rows_of(marker, tables))
    wanted = set(batches)
    with target.engine.connect() as connection:
        return {row.BatchId for row in connection.execute(query) if row.BatchId in wanted and not _progress(row).is_complete}


def is_complete(marker: sa.Table) -> sa.ColumnElement[bool]:
    """The condition that a marker's promotion is whole."""
    return sa.or_(marker.c.Chunks.is_(None), marker.c.ChunksDone == marker.c.Chunks)


def _pending(row: Any, bronze: Progress | None) -> Pending:
    promotion = Promotion(
        batch=row.BatchId,
        instant=row.Instant,
        inserted=row.RowsInserted,
        updated=row.RowsUpdated,
        deleted=row.RowsDeleted,
    )
    return Pending(promotion=promotion, stage=_progress(row), bronze=bronze)


def _progress(row: Any) -> Progress:
    return Progress(done=1) if row.Chunks is None else Progress(chunks=row.Chunks, done=row.ChunksDone)


def rows_of(own: sa.Table, tables: WarehouseTable, batch: int | None = None) -> list[sa.ColumnElement[bool]]:
    """The conditions for a table's rows, or those of one batch, in one of the pipeline's own tables."""
    conditions = [own.c.SourceName == tables.source, own.c.TableName == tables.table]
    return conditions if batch is None else [*conditions, own.c.BatchId == batch]
