"""The hashes of Stage's current rows, read back from PostgreSQL: thousands of rows a message, or a row a message.

A message costs either side more than finding the row does: 0.5 s of the server's and 1 s of our time for a million of them. An
index is walked instead in 256 ranges of the key hash, each of which comes as two long strings: 0.2 s and 0.02 s.
Sources: https://www.postgresql.org/docs/14/sql-copy.html, https://www.postgresql.org/docs/14/functions-aggregate.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import psycopg
import pyarrow as pa

from model.errors import IntegrityError
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH

# Of a binary COPY: https://www.postgresql.org/docs/14/sql-copy.html#id-1.9.3.55.9.4
_SIGNATURE = 19
_TRAILER = 2
_HASH, _LAYOUT = 16, 8
_LENGTHS = (_HASH, _HASH, _LAYOUT)
_RECORD = 2 + sum(4 + length for length in _LENGTHS)
_STARTS = (6, 6 + _HASH + 4, 6 + 2 * (_HASH + 4))
# The bytes between the values: the number of fields and each field's length; NULL would be a length of -1.
_FRAMING = ((0, b"\x00\x03\x00\x00\x00\x10"), (22, b"\x00\x00\x00\x10"), (42, b"\x00\x00\x00\x08"))
_NAMES = (KEY_HASH, ROW_HASH, HASH_LAYOUT)

_FEW_ROWS = 10_000
# Whether an index is there and most of its table's pages are marked as visible to all, without which each row found in the index
# is looked up in the table, at random. The mark goes with a page's change and comes back with VACUUM.
# https://www.postgresql.org/docs/14/indexes-index-only-scans.html
_SERVES = f"""
    SELECT x.indisvalid AND t.reltuples >= {_FEW_ROWS} AND 2 * (t.relallvisible - pg_stat_get_dead_tuples(t.oid)) >= t.relpages
    FROM pg_index AS x JOIN pg_class AS t ON t.oid = x.indrelid WHERE x.indexrelid = to_regclass(%s)
"""  # noqa: S608 - a constant


def read_hashes(connection: psycopg.Connection, index: str, query: str, rows: int) -> Iterator[pl.DataFrame]:
    """Frames of about `rows` rows of a query of two 16-byte hashes and a BIGINT; none of the three is ever NULL.

    `index` is the quoted name of the one over `_key_hash` that answers the query by itself, where it exists.

    Raises:
        IntegrityError: a value is NULL or a hash has another length.
    """
    found = connection.execute(_SERVES, (index,)).fetchone()
    return copy_ranges(connection, query, rows) if found is not None and found[0] else copy_hashes(connection, query, rows)


def in_ranges(query: str) -> str:
    r"""The query's rows by first byte of the key hash and layout: the layout, how many, whether all are hashes, and the hashes.

    Both strings are put together in the order in which the rows come, so that the nth of one belongs to the nth of the other.
    """
    first = r"set_byte('\x00'::bytea, 0, b.first)"
    return (
        f"SELECT part.* FROM generate_series(0, 255) AS b (first) CROSS JOIN LATERAL (SELECT h.{HASH_LAYOUT}, count(*), "  # noqa: S608 - constants and our own query
        f"bool_and(octet_length(h.{KEY_HASH}) = {_HASH} AND octet_length(h.{ROW_HASH}) = {_HASH}), "
        f"string_agg(h.{KEY_HASH}, ''::bytea), string_agg(h.{ROW_HASH}, ''::bytea) FROM ({query}) AS h "
        rf"WHERE h.{KEY_HASH} BETWEEN {first} AND {first} || '\x{'ff' * (_HASH - 1)}'::bytea GROUP BY h.{HASH_LAYOUT}) AS part"
    )


def copy_ranges(connection: psycopg.Connection, query: str, rows: int) -> Iterator[pl.DataFrame]:
    """`read_hashes` through `in_ranges`."""
    parts: list[tuple[int, int, bytes, bytes]] = []
    with connection.cursor() as cursor, cursor.copy(f"COPY ({in_ranges(query)}) TO STDOUT (FORMAT binary)".encode()) as copy:
        copy.set_types(["int8", "int8", "bool", "bytea", "bytea"])
        for layout, count, whole, keys, hashes in copy.rows():
            if not whole or not len(keys) == len(hashes) == count * _HASH:
                raise _broken()
            parts.append((layout, count, keys, hashes))
            if sum(part[1] for part in parts) >= rows:
                yield _joined(parts)
                parts = []
    yield _joined(parts)


def _joined(parts: Sequence[tuple[int, int, bytes, bytes]]) -> pl.DataFrame:
    layouts = [pl.repeat(layout, count, dtype=pl.Int64, eager=True) for layout, count, _, _ in parts]
    keys, hashes = (_binary(b"".join(blocks)) for blocks in ((part[2] for part in parts), (part[3] for part in parts)))
    return pl.DataFrame([keys, hashes, pl.concat(layouts) if layouts else pl.Series(dtype=pl.Int64)], schema=_NAMES)


def _binary(block: bytes) -> pl.Series:
    return pl.Series(pa.FixedSizeBinaryArray.from_buffers(pa.binary(_HASH), len(block) // _HASH, [None, pa.py_buffer(block)]))


def copy_hashes(connection: psycopg.Connection, query: str, rows: int) -> Iterator[pl.DataFrame]:
    """`read_hashes` row by row: all records have one length, so that a block of them is an Arrow array."""
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as copy:
        block, skipped = bytearray(), _SIGNATURE
        for data in copy:
            block += data
            if len(block) >= rows * _RECORD + skipped + _TRAILER:
                whole = skipped + (len(block) - skipped) // _RECORD * _RECORD
                yield _hashes(bytes(block[skipped:whole]))
                del block[:whole]
                skipped = 0
        yield _hashes(bytes(block[skipped : len(block) - _TRAILER]))


def _hashes(block: bytes) -> pl.DataFrame:
    count, rest = divmod(len(block), _RECORD)
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(_RECORD), count, [None, pa.py_buffer(block)])
    records = pl.DataFrame({"record": pl.from_arrow(array)})
    record = pl.col("record").bin
    framed = [(record.slice(start, len(bytes_)) == bytes_).all() for start, bytes_ in _FRAMING]
    if rest or not all(records.select(flag.alias(str(n)) for n, flag in enumerate(framed)).row(0)):
        raise _broken()
    fields = [record.slice(start, length).alias(name) for name, start, length in zip(_NAMES, _STARTS, _LENGTHS, strict=True)]
    layout = pl.col(HASH_LAYOUT).bin.reinterpret(dtype=pl.Int64, endianness="big")
    return records.select(fields).with_columns(layout)


def _broken() -> IntegrityError:
    return IntegrityError(
        "Stage holds a current row without its hashes, or with hashes of another length.",
        remedy="Nothing was compared. Run a reconciliation of this table.",
    )
