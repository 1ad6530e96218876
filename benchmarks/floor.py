"""The floor: read the table out of DuckDB in Arrow batches and hash it, and nothing else.

Whatever compares by hash has to do this much, so this is the time that no design of the rest can get below.
"""

from __future__ import annotations

import sys

import duckdb
import polars as pl
import polars_hash as plh

BATCH_ROWS = 122_880
KEY = "ID"


def hash_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """The 16-byte key hash and row hash of each row of ``frame``."""
    rest = sorted(column for column in frame.columns if column != KEY)
    return frame.select(_hash([KEY]).alias("key"), _hash(rest).alias("row"))


def _hash(columns: list[str]) -> pl.Expr:
    encoded = plh.hash_rows(*columns, version=1)
    hashed: pl.Expr = encoded.nchash.xxh3_128(return_binary=True, byte_order="big")
    return hashed


def main(source: str, where: str = "true") -> int:
    """Extract and hash ``bench.WIDE`` of the DuckDB file ``source``, or some of its rows; returns their number."""
    rows = 0
    with duckdb.connect(source, read_only=True) as connection:
        for batch in connection.sql(f"SELECT * FROM bench.WIDE WHERE {where}").to_arrow_reader(BATCH_ROWS):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            rows += hash_columns(frame).height
    return rows


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
