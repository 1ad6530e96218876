"""The hashes of Stage's current rows, read back from PostgreSQL thousands a message.

A message costs either side more than finding a row does: row by row a million take 0.5 s of the server's time and 1 s of ours.
So the server puts the hashes of a part of the table together, into two long strings: 0.2 s and 0.02 s. The parts are ranges of
the key in the current index or, where that would look too many rows up in the table, ranges of the table's blocks.
Sources: https://www.postgresql.org/docs/14/functions-aggregate.html, https://www.postgresql.org/docs/14/indexes-index-only-scans.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import polars as pl
import psycopg
import pyarrow as pa

from model.errors import IntegrityError
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH

_BYTES = 16
_BLOCKS = 512
# Whether an index is there and spares more than it costs: it answers alone for pages that are marked as visible to all, a mark
# that goes with a page's change and comes back with VACUUM. A row of another page is looked up, at random, for half a page's.
_SERVES = """
    SELECT x.indisvalid
       AND (t.relpages - t.relallvisible + pg_stat_get_dead_tuples(t.oid)) * t.reltuples <= 2 * t.relpages::float8 ^ 2
    FROM pg_index AS x JOIN pg_class AS t ON t.oid = x.indrelid WHERE x.indexrelid = to_regclass(%s)
"""
_FIRST = r"set_byte('\x00'::bytea, 0, part.first)"
_KEYS = (
    "generate_series(0, 255) AS part (first)",
    rf"h.{KEY_HASH} BETWEEN {_FIRST} AND {_FIRST} || '\x{'ff' * (_BYTES - 1)}'::bytea",
)


def index_serves(connection: psycopg.Connection, index: str) -> bool:
    """Whether `by_key` is the faster way, given the quoted name of the index that holds all that is read back."""
    found = connection.execute(_SERVES, (index,)).fetchone()
    return found is not None and bool(found[0])


def by_key(query: str) -> str:
    """A query of key hash, row hash and layout, in 256 parts by the first byte of the key hash."""
    return _in_parts(query, *_KEYS)


def by_block(query: str, table: str) -> str:
    """A query of key hash, row hash, layout and `ctid` of a table, whose quoted name is given, in parts of 512 blocks."""
    name = table.replace("'", "''")
    parts = f"generate_series(0, pg_relation_size('{name}') / current_setting('block_size')::int, {_BLOCKS})"
    start, end = (f"('(' || {block} || ',0)')::tid" for block in ("part.first", f"part.first + {_BLOCKS}"))
    return _in_parts(query, f"{parts} AS part (first)", f"h.ctid >= {start} AND h.ctid < {end}")


def by_hash(query: str) -> str:
    """A query of key hash, row hash and layout that runs once; its rows are put together by the first byte of the key hash."""
    return f"{_gathered(query)} GROUP BY h.{HASH_LAYOUT}, get_byte(h.{KEY_HASH}, 0)"


def _in_parts(query: str, parts: str, condition: str) -> str:
    grouped = f"{_gathered(query)} WHERE {condition} GROUP BY h.{HASH_LAYOUT}"
    return f"SELECT rows.* FROM {parts} CROSS JOIN LATERAL ({grouped}) AS rows"  # noqa: S608 - constants and our own query


def _gathered(query: str) -> str:
    """The query's rows, of one layout: the layout, how many, whether all are hashes, and the hashes.

    Both strings are put together in the order in which the rows come, so that the nth of one belongs to the nth of the other.
    """
    return (
        f"SELECT h.{HASH_LAYOUT}, count(*), "  # noqa: S608 - constants and our own query
        f"bool_and(octet_length(h.{KEY_HASH}) = {_BYTES} AND octet_length(h.{ROW_HASH}) = {_BYTES}), "
        f"string_agg(h.{KEY_HASH}, ''::bytea), string_agg(h.{ROW_HASH}, ''::bytea) FROM ({query}) AS h"
    )


def copy_hashes(connection: psycopg.Connection, query: str, rows: int) -> Iterator[pl.DataFrame]:
    """Frames of at least `rows` rows of what `by_key` or `by_block` made, of key hash, row hash and layout.

    Raises:
        IntegrityError: one of them is NULL or a hash has another length.
    """
    parts: list[tuple[int, int, bytes, bytes]] = []
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as copy:
        copy.set_types(["int8", "int8", "bool", "bytea", "bytea"])
        for layout, count, whole, keys, hashes in copy.rows():
            if layout is None or not whole or not len(keys) == len(hashes) == count * _BYTES:
                raise IntegrityError(
                    "Stage holds a current row without its hashes, or with hashes of another length.",
                    remedy="Nothing was compared. Run a reconciliation of this table.",
                )
            parts.append((layout, count, keys, hashes))
            if sum(part[1] for part in parts) >= rows:
                yield _joined(parts)
                parts = []
    yield _joined(parts)


def _joined(parts: Sequence[tuple[int, int, bytes, bytes]]) -> pl.DataFrame:
    layouts = [pl.repeat(layout, count, dtype=pl.Int64, eager=True) for layout, count, _, _ in parts]
    keys, hashes = (_array(b"".join(blocks)) for blocks in ((part[2] for part in parts), (part[3] for part in parts)))
    # As a table: for an array polars would import pyarrow.compute, which takes 0.05 s.
    frame = cast("pl.DataFrame", pl.from_arrow(pa.table({KEY_HASH: keys, ROW_HASH: hashes})))
    return frame.with_columns((pl.concat(layouts) if layouts else pl.Series(dtype=pl.Int64)).alias(HASH_LAYOUT))


def _array(block: bytes) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(_BYTES), len(block) // _BYTES, [None, pa.py_buffer(block)])
