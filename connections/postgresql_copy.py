"""COPY, PostgreSQL's bulk protocol: frames to a table in binary, rows from a query as frames.

Source: https://www.postgresql.org/docs/14/sql-copy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import polars as pl
import psycopg
from psycopg.copy import QueuedLibpqWriter

from connections.postgresql_types import check_storable
from model.errors import ValueNotExact
from model.types import Column

_DTYPES: dict[int, pl.DataType] = {
    16: pl.Boolean(),
    17: pl.Binary(),
    20: pl.Int64(),
    21: pl.Int16(),
    23: pl.Int32(),
    25: pl.String(),
    700: pl.Float32(),
    701: pl.Float64(),
    1043: pl.String(),
    1082: pl.Date(),
    1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"),
}
_NUMERIC = 1700
_REFUSING = ("22", "23", "54")
"""SQLSTATE classes: data exception, integrity constraint, limit exceeded."""
_IN_COLUMN = re.compile(r", column (.+?)(?:: |$)", re.MULTILINE)


class _Stopped(Exception):
    """Ends a COPY in place of what really happened: the server logs the text of the error that it is ended with."""


def copy_in(
    connection: psycopg.Connection, table: str, statement: str, columns: Sequence[Column], frames: Iterable[pl.DataFrame]
) -> int:
    """`COPY … FROM STDIN (FORMAT binary)` of frames; a frame is written while the server still reads the one before.

    Raises:
        ValueNotExact: naming the column, before or while loading.
    """
    # Here, for Arrow's functions take 0.05 s to import and a run that finds nothing changed has no use for them.
    from connections.postgresql_binary import HEADER, TRAILER, binary_rows  # noqa: PLC0415

    failure: BaseException | None = None
    cursor = connection.cursor()
    try:
        with suppress(_Stopped), cursor.copy(statement, writer=QueuedLibpqWriter(cursor)) as copy:
            try:
                copy.write(HEADER)
                for frame in frames:
                    check_storable(table, frame, columns)
                    copy.write(binary_rows(frame, columns))
                copy.write(TRAILER)
            except psycopg.Error:
                raise
            except BaseException as error:  # noqa: BLE001 - raised again below
                failure = error
                raise _Stopped from None
    except psycopg.Error as error:
        raise _without_values(table, error, columns) from None
    if failure is not None:
        raise failure
    return cursor.rowcount


def _without_values(table: str, error: psycopg.Error, columns: Sequence[Column]) -> Exception:
    """A refused value as an error that names the column alone: the server's message and its context quote the value."""
    if not (error.sqlstate or "").startswith(_REFUSING):
        return error
    named = {column.name for column in columns}
    found = _IN_COLUMN.search(error.diag.context or "")
    where = f"column {found[1]!r}: " if found and found[1] in named else ""
    return ValueNotExact(
        f"{table}: {where}the target refused a value while loading ({type(error).__name__}).",
        remedy="Load a view that casts the column to text.",
    )


def read_rows(connection: psycopg.Connection, query: str, rows: int) -> Iterator[pl.DataFrame]:
    """Frames of any query through a server-side cursor in binary, each column in the dtype of its PostgreSQL type."""
    with connection.cursor(name="udm_read", binary=True) as cursor:
        cursor.execute(query.encode())
        schema = {column.name: _dtype(column) for column in cursor.description or ()}
        while batch := cursor.fetchmany(rows):
            values = zip(*batch, strict=True)
            yield pl.DataFrame([pl.Series(n, list(v), dtype=t) for (n, t), v in zip(schema.items(), values, strict=True)])


def _dtype(column: psycopg.Column) -> pl.DataType:
    if column.type_code == _NUMERIC:
        return pl.Decimal(column.precision or 38, column.scale or 0)
    return _DTYPES[column.type_code]
