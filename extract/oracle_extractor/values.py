"""From what python-oracledb delivers to the canonical types, exactly or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import oracledb
import polars as pl
import pyarrow as pa

from extract.extractor import SourceTable
from extract.oracle_extractor.statement import route_of
from model.conform import conform
from model.errors import ValueNotExact
from model.types import Column, Kind


def canonical(table: SourceTable, batch: oracledb.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """A batch of `select_rows` under the columns' names and in their types.

    Raises:
        ValueNotExact: a text is not valid UTF-8, or a value none of its column's type; names the column.
    """
    arrived = pa.table(batch)
    for column, values in zip(columns, arrived.columns, strict=False):
        if pa.types.is_large_string(values.type):
            _check_text(table, column, values)
    frame = pl.DataFrame(arrived)
    routes = [route_of(table, column.name, column.source_type) for column in columns]
    empties = iter(frame.get_columns()[len(columns) :])
    values = []
    for series, column, route in zip(frame.get_columns(), columns, routes, strict=False):
        told_apart = _with_empties(series, next(empties), column) if route.lob else series
        values.append(finished(told_apart, column, number=route.number))
    return conform(str(table), pl.DataFrame(values), columns)


def finished(series: pl.Series, column: Column, *, number: bool) -> pl.Series:
    """The series under its column's name; a number's text with a zero before its point, instants in UTC."""
    if number:
        series = series.str.replace(r"^(-?)\.", "${1}0.")
    if column.type.kind is Kind.TIMESTAMPTZ:
        series = series.dt.replace_time_zone("UTC")
    return series.alias(column.name)


def _with_empties(series: pl.Series, empties: pl.Series, column: Column) -> pl.Series:
    if empties.null_count() == empties.len():
        return series
    empty = pl.Series([b"" if column.type.kind is Kind.BINARY else ""], dtype=series.dtype)
    return series.zip_with(series.is_not_null() | empties.is_null(), empty)


def _check_text(table: SourceTable, column: Column, values: pa.ChunkedArray) -> None:
    """Polars takes any bytes for UTF-8; the server sends what is stored where its character set is UTF-8 itself."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:  # its message tells where, and nothing of the value; nothing more than the column is needed
        raise text_not_exact(table, [column]) from None


def number_not_exact(table: SourceTable, columns: Sequence[Column]) -> ValueNotExact:
    """The driver met a number that its column's type cannot hold, and does not say in which column."""
    numbers = [f"{column.name!r} ({column.source_type})" for column in columns if column.type.kind is Kind.DECIMAL]
    return ValueNotExact(
        f"{table}: one of the columns {', '.join(numbers)} holds a number beyond the digits that the catalogue gives it.",
        remedy="Load a view that casts the column to NUMBER without precision, which is carried as text.",
    )


def text_not_exact(table: SourceTable, columns: Sequence[Column]) -> ValueNotExact:
    """One of some columns has bytes that are no text."""
    named = ", ".join(f"{column.name!r} ({column.source_type})" for column in columns)
    return ValueNotExact(
        f"{table}: column {named} holds text that is not valid in its character set.",
        remedy="Correct it at the source, or load a view that reads the column as UTL_RAW.CAST_TO_RAW(…).",
    )


def regrouped(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of at least `rows` rows but for the last: a day may have few, and each frame costs its consumer."""
    waiting: list[pl.DataFrame] = []
    height = 0
    for frame in frames:
        waiting.append(frame)
        height += frame.height
        if height >= rows:
            yield pl.concat(waiting)
            waiting, height = [], 0
    if waiting:
        yield pl.concat(waiting)
