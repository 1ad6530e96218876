"""One load with dlt's ``scd2`` merge strategy, DuckDB to DuckDB, the way a dlt user would for speed.

A script of its own: it runs under an interpreter that has dlt, duckdb and pyarrow, and needs nothing else
of this repository. The choices, all of them in dlt's favour:

- Arrow record batches straight from DuckDB, not Python rows and not one big table (but with ``--whole``): dlt
  passes them through without touching a value, holds one batch at a time, and adds neither ``_dlt_id`` nor
  ``_dlt_load_id`` to them.
- Parquet as the loader's file format, and no index, no telemetry, no trace, no copy of the loaded files
  kept.
- dlt's own defaults for the rest: other batch sizes, no Parquet compression, and several files loaded in
  parallel were tried and gained nothing.

dlt compares rows by a row version that the source has to bring for Arrow data
(https://dlthub.com/docs/general-usage/merge-loading#scd2-strategy). Three ways, by ``--row-version``:

- ``hash64``: DuckDB's own ``hash()`` while it reads, 63 bits as an integer. The fastest there is. Two rows
  of ten million share one by chance once in 200,000 tables, and DuckDB does not promise the same hash in
  its next version.
- ``md5``: 128 bits of the row as JSON, so that NULL is not ``''`` and no delimiter can mislead; as strong
  as the hash of the pipeline that it is compared with.
- ``helper``: ``add_row_hash_to_table``, what dlt's documentation shows; 64 bits by way of pandas, which it
  needs. Do without pandas for the other two: dlt imports it when it is there, and takes 0.3 s longer.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

# dlt reads these when it is imported or first used.
os.environ.update(
    RUNTIME__DLTHUB_TELEMETRY="false",
    RUNTIME__LOG_LEVEL="ERROR",
    ENABLE_RUNTIME_TRACE="false",
    LOAD__DELETE_COMPLETED_JOBS="true",
    RESTORE_FROM_DESTINATION="false",
)

import dlt  # type: ignore[import-not-found]
import duckdb
import pyarrow as pa

ROW_VERSION = "row_version"
QUERIES = {
    "hash64": f"SELECT *, (hash(*COLUMNS(*)) >> 1)::BIGINT AS {ROW_VERSION} FROM bench.WIDE",
    "md5": f"SELECT *, md5(to_json(WIDE)) AS {ROW_VERSION} FROM bench.WIDE",
    "helper": "SELECT * FROM bench.WIDE",
}
BATCH_ROWS = 122_880


def read_batches(source: Path, query: str, *, whole: bool) -> Iterator[pa.RecordBatch | pa.Table]:
    """Every row of the source's table with its row version, in Arrow record batches or as one table."""
    with duckdb.connect(str(source), read_only=True) as connection:
        if whole:
            yield connection.sql(query).to_arrow_table()
        else:
            yield from connection.sql(query).to_arrow_reader(BATCH_ROWS)


def run(source: Path, folder: Path, row_version: str, *, whole: bool) -> None:
    """Merge the source's current state into ``folder/dlt.duckdb``; dlt's own state is kept beside it."""
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="bronze",
    )
    resource = dlt.resource(
        read_batches(source, QUERIES[row_version], whole=whole),
        name="wide",
        write_disposition={
            "disposition": "merge",
            "strategy": "scd2",
            "row_version_column_name": ROW_VERSION,
        },
    )
    if row_version == "helper":
        # Imports pandas, which the other two do without.
        from dlt.sources.helpers.transform import add_row_hash_to_table  # type: ignore[import-not-found]  # noqa: PLC0415

        resource.add_map(add_row_hash_to_table(ROW_VERSION))
    pipeline.run(resource, loader_file_format="parquet").raise_on_failed_jobs()


def main() -> None:
    """Parse the command line and load once."""
    parser = argparse.ArgumentParser(prog="peer_dlt")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--row-version", choices=QUERIES, default="hash64")
    parser.add_argument("--whole", action="store_true", help="as one Arrow table, which is the simplest to write")
    arguments = parser.parse_args()
    run(arguments.source, arguments.folder, arguments.row_version, whole=arguments.whole)


if __name__ == "__main__":
    main()
