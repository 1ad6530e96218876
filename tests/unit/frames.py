"""Frames for unit tests: columns by dtype, their layout, and hashes as hex, without a target or a source."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from model.row_hash import HashLayout, hash_expressions, layout_of
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH
from model.types import Column, ColumnType, decimal
from tests.unit.dtypes import DTYPES


def columns_of(frame: pl.DataFrame) -> tuple[Column, ...]:
    """The canonical columns of a frame."""
    return tuple(Column(name=name, type=type_of(dtype)) for name, dtype in frame.schema.items())


def type_of(dtype: pl.DataType) -> ColumnType:
    """The canonical type that travels in a dtype."""
    if isinstance(dtype, pl.Decimal):
        return decimal(dtype.precision or 38, dtype.scale)
    return next(column_type for column_type, known in DTYPES if known == dtype)


def layout(frame: pl.DataFrame, keys: Sequence[str]) -> HashLayout:
    """The layout of a frame with these key columns."""
    return layout_of(columns_of(frame), keys)


def hashed(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """`_key_hash` and `_row_hash` of every row."""
    return frame.select(hash_expressions(layout(frame, keys)))


def row_hashes(frame: pl.DataFrame) -> list[str]:
    """The row hashes of a frame without a key, as hex."""
    return hex_of(hashed(frame, ()).get_column(ROW_HASH))


def hex_of(hashes: pl.Series) -> list[str]:
    return [value.hex() for value in hashes.to_list()]


def stored(frame: pl.DataFrame, under: HashLayout, layout_id: int) -> pl.DataFrame:
    """What Stage holds of a frame's rows: key hash, row hash and the id of the layout they were made under."""
    return frame.select(*hash_expressions(under), pl.lit(layout_id, dtype=pl.Int64).alias(HASH_LAYOUT)).select(
        KEY_HASH, ROW_HASH, HASH_LAYOUT
    )
