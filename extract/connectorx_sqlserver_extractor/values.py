"""From what either driver delivers to the canonical types: the same values by both."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from extract.connectorx_extractor.values import canonical
from model.types import Column, Kind


def as_canonical(table: str, frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The frame, whose columns come in the order of `columns`, under their names and in their types.

    Raises:
        ValueNotExact: a value is none of its column's type; names the column.
    """
    arrived = zip(frame.get_columns(), columns, strict=True)
    return canonical(table, pl.DataFrame([_spelled(values, column.type.kind) for values, column in arrived]), columns)


def _spelled(values: pl.Series, kind: Kind) -> pl.Series:
    """UUIDs in lower case, times without the zeros that their declaration adds behind the last digit of a second."""
    if values.dtype != pl.String:
        return values
    if kind is Kind.UUID:
        return values.str.to_lowercase()  # mssql-python writes them in capitals
    if kind is Kind.TIME:
        # No zero is behind a point in a time of whole seconds, whose own zeros must stay.
        return values.str.replace(r"(\.\d*?)0+$", "${1}").str.strip_suffix(".")
    return values
