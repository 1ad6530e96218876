"""Many rows of PostgreSQL as frames: COPY as CSV, parsed by Arrow, for a cursor makes a Python object of every value.

CSV loses nothing here: NULL is nothing at all and '' is "", floats are written with as many digits as they need, bytea as hex
digits. What text looks like is set for the transaction.
Sources: https://www.postgresql.org/docs/14/sql-copy.html#id-1.9.3.55.9.3, https://arrow.apache.org/docs/python/csv.html
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa

from connections.postgresql_copy import read_rows
from model.errors import ValueNotExact

_BLOCK = 8 * 1024 * 1024
_MESSAGES = 4_096
_SPELLING = (
    "SELECT set_config('datestyle', 'ISO, YMD', true), set_config('timezone', 'UTC', true), "
    "set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true)"
)
_TYPES = {
    16: pa.bool_(),
    17: pa.string(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    25: pa.string(),
    700: pa.float32(),
    701: pa.float64(),
    1043: pa.string(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
}
_BYTEA, _NUMERIC = 17, 1700


def read_many(connection: psycopg.Connection, query: str, rows: int) -> Iterator[pl.DataFrame]:
    """Frames of a query, each column in the dtype of its PostgreSQL type; by a cursor where there is a type that CSV is not for.

    Raises:
        ValueNotExact: a stored value that Arrow has no counterpart of, infinity among dates for instance.
    """
    columns = _described(connection, query)
    types = [_type(column) for column in columns]
    if None in types:
        yield from read_rows(connection, query, rows)
        return
    schema = pa.schema([(f"c{number}", kind) for number, kind in enumerate(types)])
    names = {f"c{number}": column.name for number, column in enumerate(columns)}
    binary = [f"c{number}" for number, column in enumerate(columns) if column.type_code == _BYTEA]
    connection.execute(_SPELLING)
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)".encode()) as copy:
        for batch in _parsed(_Blocks(iter(copy)), schema):
            frame = pl.DataFrame(batch)
            yield frame.with_columns(pl.col(binary).str.slice(2).str.decode("hex")).rename(names)


def _described(connection: psycopg.Connection, query: str) -> list[psycopg.Column]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({query}) AS q LIMIT 0".encode())  # noqa: S608 - our own query
        return list(cursor.description or ())


def _type(column: psycopg.Column) -> pa.DataType | None:
    if column.type_code == _NUMERIC:
        return pa.decimal128(column.precision, column.scale) if column.precision and column.scale is not None else None
    return _TYPES.get(column.type_code)


def _parsed(blocks: io.RawIOBase, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv  # noqa: PLC0415 - takes 0.05 s to import

    try:
        reader = csv.open_csv(
            pa.PythonFile(io.BufferedReader(blocks, _BLOCK), mode="r"),
            # In one thread: what is read from belongs to this one.
            csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=schema.names),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
        yield from reader
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return
        # Arrow's message quotes the value.
        raise ValueNotExact(
            "A stored value cannot be read back: it is infinite, or out of Arrow's range.",
            remedy="Look for dates of the years before 1 and after 9999, and infinity, in the table's Stage and Bronze.",
        ) from None


class _Blocks(io.RawIOBase):
    """The messages of a COPY as one stream of bytes."""

    def __init__(self, messages: Iterator[bytes | bytearray | memoryview]) -> None:
        self._messages = messages
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What there is, up to what the buffer holds; 0 at the end."""
        if not self._left:
            # A message is a row: they are put together thousands at a time, for each step here costs more than its bytes.
            self._left = memoryview(b"".join(islice(self._messages, _MESSAGES)))
        room = memoryview(buffer).cast("B")
        part = self._left[: len(room)]
        room[: len(part)] = part
        self._left = self._left[len(part) :]
        return len(part)
