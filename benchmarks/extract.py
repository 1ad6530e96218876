"""``python -m benchmarks.extract``: each extractor beside a bare loop over the same driver and ``pandas.read_sql``.

The table is ``bench.WIDE`` of ``source_table.py``, made in a DuckDB file, a SQLite file, a PostgreSQL from the package and a
MariaDB of Debian's, and answered by a stand-in for Oracle; or, with ``--source URL SCHEMA.NAME``, one that is there. SQL
Server's other route takes part by itself, and PostgreSQL by ranges of its key, as PartitionOn reads it. Every reading is a
process of its own and has to give all rows; pandas takes part where this interpreter has it. Ratios are to ours, run by run.
Memory is the process's and its largest child's, each at its peak.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import make_url

from benchmarks.contenders import BENCHMARKS, clean_environment
from benchmarks.extract_places import KINDS, Place, made
from benchmarks.measure import run_measured, tail
from benchmarks.report import Run, render, summarise
from benchmarks.source_table import COLUMNS
from tests.mariadb_server import why_no_mariadb

OURS, PEERS = "udm", ("driver", "pandas")
_FURTHER = {"mssql": ["udm-mssql-python"], "postgresql": ["udm-ranges"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 1 where a reading failed or gave other rows, else 0."""
    options = parse(arguments)
    peers = [] if options.ours else list(PEERS)
    if peers and importlib.util.find_spec("pandas") is None:
        print("This interpreter has no pandas: it is left out.", file=sys.stderr)
        peers.remove("pandas")
    with tempfile.TemporaryDirectory(prefix="udm_bench_") as folder, places(options, Path(folder)) as found:
        runs = [
            run
            for repeat in range(options.repeat)
            for place in found
            for run in read_all(repeat, place, options.batch_rows, peers, Path(folder))
        ]
    print(render(f"{options.rows:,} rows x {COLUMNS} columns, {options.repeat} paired runs.", summarise(runs, OURS), {}))
    for run in (run for run in runs if run.error):
        print(f"FAILED, and in no median above: {run.who}, {run.day}: {run.error}")
    return 1 if any(run.error for run in runs) else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extract")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table that is made (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="paired runs (%(default)s)")
    parser.add_argument("--batch-rows", type=int, default=122_880, help="rows at a time, for all of them (%(default)s)")
    parser.add_argument("--ours", action="store_true", help="read by the extractors alone, for their memory")
    parser.add_argument("--kinds", help=f"kinds of source to make (without --source: {','.join(KINDS)})")
    parser.add_argument(
        "--source", nargs=2, action="append", default=[], metavar=("URL", "SCHEMA.NAME"), help="read a table that is there"
    )
    return parser.parse_args(arguments)


def read_all(repeat: int, place: Place, batch: int, peers: Sequence[str], folder: Path) -> Iterator[Run]:
    """One reading by each, in turns."""
    environment = {**clean_environment(), "PYTHONPATH": str(BENCHMARKS.parent)}
    further = _FURTHER.get(place.url.get_backend_name(), [])
    for who in (OURS, *further, *peers):
        log = folder / f"{place.name}_{who}.log"
        url = place.url.render_as_string(hide_password=False)
        command = (sys.executable, "-m", "benchmarks.extract_once", who, url, place.schema or "", place.table, str(batch))
        measured = run_measured(command, environment=environment, folder=folder, log=log)
        error = None
        if measured.status:
            error = f"exit status {measured.status}:\n{tail(log)}"
        else:
            rows, peak = log.read_text(encoding="utf-8").split()[-2:]
            measured = replace(measured, peak_gb=float(peak))
            if place.rows is not None and rows != str(place.rows):
                error = f"it gave {rows} rows, not {place.rows}"
        print(f"{repeat + 1} {place.name:<10} {who:<16} {measured.wall:7.2f} s {measured.peak_gb:6.2f} GB", file=sys.stderr)
        yield Run(repeat=repeat, day=place.name, who=who, measured=measured, steps={}, error=error)


@contextmanager
def places(options: argparse.Namespace, folder: Path) -> Iterator[list[Place]]:
    """The tables to read: those that are made, which are gone afterwards, then those that are there."""
    given = []
    for url, table in options.source:
        schema, _, name = table.rpartition(".")
        given.append(Place(name=make_url(url).get_backend_name(), url=make_url(url), schema=schema or None, table=name))
    kinds = options.kinds.split(",") if options.kinds else [] if given else list(KINDS)
    if "mysql" in kinds and (why := why_no_mariadb()):
        print(f"mysql is left out: {why}", file=sys.stderr)
        kinds.remove("mysql")
    with made(kinds, options.rows, options.batch_rows, folder) as found:
        yield [*found, *given]


if __name__ == "__main__":
    sys.exit(main())
