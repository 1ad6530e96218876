"""From what ConnectorX delivers to the canonical types, exactly or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl
import polars.exceptions as plx

from model.conform import conform
from model.errors import ValueNotExact
from model.types import Column, Kind

_TEMPORAL: dict[Kind, tuple[pl.Date | pl.Datetime, str]] = {
    Kind.DATE: (pl.Date(), "%Y-%m-%d"),
    Kind.TIMESTAMP: (pl.Datetime("us"), "%Y-%m-%d %H:%M:%S%.f"),
    Kind.TIMESTAMPTZ: (pl.Datetime("us", "UTC"), "%Y-%m-%d %H:%M:%S%.f"),
}
_FIRST, _LAST = date(1, 1, 1), date(9999, 12, 31)


def canonical(table: str, frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The frame, whose columns come in the order of `columns`, under their names and in their types.

    Raises:
        ValueNotExact: a value is none of its column's type; names the column.
    """
    arrived = zip(frame.get_columns(), columns, strict=True)
    return conform(
        table, pl.DataFrame([_parsed(table, values.alias(column.name), column) for values, column in arrived]), columns
    )


def _parsed(table: str, values: pl.Series, column: Column) -> pl.Series:
    """Dates and instants parsed where they arrive as text, and proven to lie in the years 1 to 9999.

    ConnectorX hands PostgreSQL's infinity over as the last day of the year 262142, in silence; MySQL has 0000-00-00.
    """
    if column.type.kind not in _TEMPORAL:
        return values
    dtype, form = _TEMPORAL[column.type.kind]
    try:
        if values.dtype == pl.String:
            values = values.str.strptime(dtype, form, strict=True)
        days = values.dt.date()
        refused = bool(((days < _FIRST) | (days > _LAST)).any())
    except (plx.InvalidOperationError, plx.ComputeError):  # its message quotes the values
        refused = True
    if refused:
        raise ValueNotExact(
            f"{table}: column {column.name!r} ({column.source_type}) holds what is no day of the years 1 to 9999, for instance"
            " infinity, a year BC or 0000-00-00.",
            remedy="Correct it at the source, or load a view that casts the column to text.",
        )
    return values
