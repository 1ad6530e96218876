"""A few rows as one parameterised INSERT: starting a bulk load costs more than it saves, and not every value fits into one.

What the server reads exactly from text travels as text and is cast there, so that neither the driver's rounding nor its date
arithmetic is in the way: decimals, dates, times, instants, UUIDs. Floats travel as the eight bytes they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from connections.mssql_types import LONGEST_VARBINARY, code_units
from connections.odbc import pyodbc
from model.types import Column, ColumnType, Kind

if TYPE_CHECKING:
    from pyodbc import Cursor

_ROWS = 1_000  # parameters of so many rows are held at once
_TEXT_SIZES = {Kind.DATE: 10, Kind.TIME: 15, Kind.TIMESTAMP: 26, Kind.TIMESTAMPTZ: 33, Kind.UUID: 36, Kind.DECIMAL: 41}
_TIMESTAMP = "%Y-%m-%d %H:%M:%S%.6f"


def statement(table: str, columns: Sequence[tuple[str, str]]) -> str:
    """INSERT of one row; `columns` are quoted names with their SQL Server types."""
    names = ", ".join(name for name, _ in columns)
    values = ", ".join(f"CAST(? AS {kind})" for _, kind in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({values})"  # noqa: S608 - quoted names


def insert(cursor: Cursor, sql: str, columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> int:
    """Run `statement`'s INSERT for every row; returns the rows sent."""
    cursor.fast_executemany = True
    sizes = [_size(column.type) for column in columns]
    sent = 0
    for frame in frames:
        ready = frame.select(_parameter(column) for column in columns)
        for part in ready.iter_slices(_ROWS):
            cursor.setinputsizes(sizes)
            cursor.executemany(sql, part.rows())
            sent += part.height
    return sent


def _parameter(column: Column) -> pl.Expr:
    held = pl.col(column.name)
    match column.type.kind:
        case Kind.TIMESTAMP:
            return held.dt.to_string(_TIMESTAMP)
        case Kind.TIMESTAMPTZ:
            return held.dt.to_string(f"{_TIMESTAMP} +00:00")
        case Kind.INTEGER if column.type.unsigned and column.type.bits == 64:  # noqa: PLR2004
            return held.cast(pl.String)
        case Kind.DECIMAL | Kind.DATE:
            return held.cast(pl.String)
        case Kind.INTEGER:
            return held.cast(pl.Int64)
        case _:
            return held


def _size(column_type: ColumnType) -> tuple[Any, int, int]:
    """SQL type, size and decimal digits of a parameter; size 0 is (max)."""
    odbc = pyodbc()
    kind, size = odbc.SQL_WVARCHAR, _TEXT_SIZES.get(column_type.kind, 0)
    match column_type.kind:
        case Kind.BOOLEAN:
            kind, size = odbc.SQL_BIT, 1
        case Kind.INTEGER if column_type.unsigned and column_type.bits == 64:  # noqa: PLR2004
            size = 20
        case Kind.INTEGER:
            kind, size = odbc.SQL_BIGINT, 19
        case Kind.FLOAT:
            kind, size = odbc.SQL_DOUBLE, 53
        case Kind.BINARY:
            length = column_type.length or 0
            kind, size = odbc.SQL_VARBINARY, length if length <= LONGEST_VARBINARY else 0
        case Kind.TEXT:
            size = code_units(column_type) or 0
        case _:
            pass
    return kind, size, 0
