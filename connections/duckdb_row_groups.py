"""Small row groups of a DuckDB file: merged once in a while, not at each checkpoint."""

from __future__ import annotations

import zlib

import duckdb

from model.ops import PROMOTION_MARKER

ONCE_IN = 16
AT_ONCE = 8  # merges at a table's checkpoint, each of at most three full row groups


def put_off_merging(root: duckdb.DuckDBPyConnection, database: str) -> None:
    """Let this run's checkpoints write what has changed, and merge a few row groups in about one run of sixteen.

    A promotion leaves a row group of as many rows as it brought. At its checkpoint DuckDB would merge it with its neighbours,
    and write several times 122,880 rows of all columns anew; after a first load day by day there are hundreds to be merged.
    Which run does some of it, the number of promotions so far decides.
    """
    count = "SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables() WHERE database_name = $1 AND table_name = $2"
    [(promotions,)] = root.execute(count, [database, PROMOTION_MARKER.name]).fetchall()
    root.execute(f"SET max_vacuum_tasks = {AT_ONCE if merges_after(int(promotions)) else 0}")


def merges_after(promotions: int) -> bool:
    """Spread, for a run may make any number of promotions, and a multiple of sixteen might never be met."""
    return zlib.crc32(str(promotions).encode()) % ONCE_IN == 0
