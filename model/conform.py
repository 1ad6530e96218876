"""Bring a frame to the canonical types of its columns, or refuse it by column. Never rounds, trims or repairs."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import polars.exceptions as plx

from model.errors import IncompleteExtract, ValueNotExact
from model.row_hash import check_hashable
from model.types import Column

# Polars takes 1e22 to 9999999999999999832227.84 and back to 1e22, so no round trip proves a cast between these.
_NEVER_EXACT = ({pl.Float32, pl.Decimal}, {pl.Float64, pl.Decimal})


def conform(table: str, frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The frame with exactly `columns`, in their order, each in its `ColumnType.dtype`.

    Raises:
        IncompleteExtract: a column is missing.
        ValueNotExact: a value does not survive the cast; names the column, never the value.
        UnsupportedType: a dtype that cannot be hashed.
    """
    missing = [column.name for column in columns if column.name not in frame.columns]
    if missing:
        raise IncompleteExtract(f"{table}: the extract lacks the columns {', '.join(missing)}.")
    conformed = pl.DataFrame([_conform(table, frame.get_column(column.name), column) for column in columns])
    check_hashable(table, conformed.schema)
    return conformed


def _conform(table: str, series: pl.Series, column: Column) -> pl.Series:
    wanted = column.type.dtype
    if series.dtype == wanted:
        return series
    if series.dtype == pl.Null:
        return series.cast(wanted)
    if {type(series.dtype), type(wanted)} in _NEVER_EXACT or (_has_zone(series.dtype) and not _has_zone(wanted)):
        raise _refusal(table, column, series.dtype)
    try:
        cast = _cast(series, column)
        survives = cast.cast(series.dtype).eq_missing(series).all()
    except (plx.InvalidOperationError, plx.ComputeError):
        # `from None`: polars' message shows the values.
        raise _refusal(table, column, series.dtype) from None
    if not survives:
        raise _refusal(table, column, series.dtype)
    return cast


def _cast(series: pl.Series, column: Column) -> pl.Series:
    wanted = column.type.dtype
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone:
        # The wanted type has a zone too, or the caller has refused.
        return series.dt.convert_time_zone("UTC").cast(wanted)
    if isinstance(series.dtype, pl.Decimal) and isinstance(wanted, pl.Decimal) and series.dtype.scale > wanted.scale:
        # Polars rounds where it narrows a scale; only zeros may go, and the caller's round trip proves it.
        return series.round(wanted.scale).cast(wanted)
    return series.cast(wanted, strict=True)


def _has_zone(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None


def _refusal(table: str, column: Column, dtype: pl.DataType) -> ValueNotExact:
    return ValueNotExact(
        f"{table}: column {column.name!r} arrived as {dtype} and holds a value that {column.type} cannot hold exactly.",
        remedy="Load a view that casts the column to a type wide enough, for instance to text.",
    )
