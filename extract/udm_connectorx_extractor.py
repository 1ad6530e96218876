"""Reads back from Stage, by the target's fastest exact route: hashes only, but for rows that must be hashed anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import sqlalchemy as sa

from connections.target import Target
from model.names import TableName
from model.system_columns import CDC_IS_CURRENT, HASH_LAYOUT, KEY_HASH, ROW_HASH
from model.types import Column

_ROWS = 500_000


def read_current_hashes(target: Target, connection: sa.Connection, stage: TableName) -> Iterator[pl.DataFrame]:
    """Frames of `_key_hash`, `_row_hash` and `_hash_layout` of a Stage table's current rows, in no order."""
    yield from target.read_hashes(connection, stage, current_hashes(target, stage), _ROWS)


def current_hashes(target: Target, stage: TableName) -> sa.Select[tuple[object, ...]]:
    """The query of a Stage table's current rows' hashes; on servers an index answers it without the table."""
    table = target.table(stage, (KEY_HASH, ROW_HASH, HASH_LAYOUT, CDC_IS_CURRENT))
    return sa.select(table.c[KEY_HASH], table.c[ROW_HASH], table.c[HASH_LAYOUT]).where(table.c[CDC_IS_CURRENT] == sa.true())


def read_current_rows(
    target: Target, connection: sa.Connection, stage: TableName, columns: Sequence[Column], layouts: Sequence[int]
) -> Iterator[pl.DataFrame]:
    """Frames of `_key_hash` and `columns` of the current rows that carry one of these layouts."""
    table = target.table(stage, (KEY_HASH, HASH_LAYOUT, CDC_IS_CURRENT))
    query = (
        sa.select(table.c[KEY_HASH], *(target.travelling(column) for column in columns))
        .select_from(table)
        .where(table.c[CDC_IS_CURRENT] == sa.true(), table.c[HASH_LAYOUT].in_([sa.literal_column(str(i)) for i in layouts]))
    )
    yield from target.read(connection, query, _ROWS)
