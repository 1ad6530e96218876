"""Stage and Bronze as a predecessor of the pipeline left them: made of what a run has loaded, without any trace of that run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa

from data_load.schema_utils import create_table, drop_table
from model import system_columns as sc
from model.ops import HASH_LAYOUT, PIPELINE_BATCH, PROMOTION_MARKER, TABLE_PUBLISHED
from model.types import BOOLEAN, TEXT, TIMESTAMP, Column, ColumnType, integer
from tests.contract.pipeline import Pipeline

LACKED = (sc.KEY_HASH, sc.HASH_LAYOUT)
"""What a predecessor's tables never have."""
BATCHES = 4_000
"""How far its batch numbers are ahead of ours."""
_SYSTEM = {
    sc.EXTRACTED_AT: TIMESTAMP,
    sc.CDC_OPERATION: TEXT,
    sc.CDC_VALID_FROM: TIMESTAMP,
    sc.CDC_VALID_TO: TIMESTAMP,
    sc.CDC_IS_CURRENT: BOOLEAN,
    sc.EFFECTIVE: TIMESTAMP,
    sc.END: TIMESTAMP,
    sc.ACTIVE: BOOLEAN,
    sc.SCD2_OPERATION: TEXT,
    **dict.fromkeys((sc.CDC_BATCH_ID, sc.BATCH_ID, sc.END_BATCH_ID, sc.SCD2_KEY), integer(64)),
}
_BATCHES = (sc.CDC_BATCH_ID, sc.BATCH_ID, sc.END_BATCH_ID)
Row = dict[str, Any]


def hex_of(value: bytes) -> str:
    """64 digits, as SHA-256 has them."""
    return hashlib.sha256(value).hexdigest()


def number_of(value: bytes) -> int:
    """A signed number of 64 bits."""
    return int.from_bytes(value[:8], "big", signed=True)


def leave(
    pipeline: Pipeline,
    table: str,
    *,
    without: Sequence[str] = (),
    types: Mapping[str, ColumnType] = {},
    change: Callable[[str, list[Row]], list[Row]] = lambda _, rows: rows,
    hashed: Callable[[bytes], str | int] = hex_of,
) -> None:
    """Make a predecessor's tables of a table's own two: `without` more of our columns, source columns of other `types`.

    `change` may alter the rows of a layer, which is "stage" or "bronze".
    """
    for layer in ("stage", "bronze"):
        name = pipeline.name(layer, table)
        rows = change(layer, pipeline.dump(layer, table))
        with pipeline.target.engine.connect() as connection:
            held = pipeline.target.columns_of(connection, name)
        kept = [column.name for column in held if column.name not in {*LACKED, *without}]
        hash_type = TEXT if hashed is hex_of else integer(64)
        kinds = {column.name: column.type for column in held} | dict.fromkeys((sc.ROW_HASH, sc.BRONZE_HASH), hash_type)
        kinds |= {**_SYSTEM, **types}
        columns = [Column(name=one, type=kinds[one]) for one in kept]
        sent = [{one: _left(one, row.get(one), hashed) for one in kept} for row in rows]
        frame = pl.DataFrame(sent, schema={column.name: column.type.dtype for column in columns}, orient="row")
        never_null = {one for one in kept if sent and all(row[one] is not None for row in sent)}
        target = pipeline.target
        with target.engine.begin() as connection:
            drop_table(target, connection, name)
            ours = [sa.Column(c.name, target.sql_type(c.type), nullable=c.name not in never_null) for c in columns]
            create_table(target, connection, name, ours)
        with target.engine.begin() as connection:
            target.bulk_load(connection, name, columns, [frame])
    _forget(pipeline)


def _left(name: str, value: Any, hashed: Callable[[bytes], str | int]) -> Any:
    if name in {sc.ROW_HASH, sc.BRONZE_HASH}:
        return hashed(bytes(value))
    if name in _BATCHES and value is not None:
        return value + BATCHES
    return value


def _forget(pipeline: Pipeline) -> None:
    target, databases = pipeline.target, pipeline.target.databases
    with target.engine.begin() as connection:
        for own in (HASH_LAYOUT, TABLE_PUBLISHED, PIPELINE_BATCH):
            connection.execute(sa.delete(target.own(own)))
    for database in (databases.stage, databases.bronze):
        with target.engine.begin() as connection:
            connection.execute(sa.delete(target.own(PROMOTION_MARKER, database)))
