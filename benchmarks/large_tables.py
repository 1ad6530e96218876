"""``python -m benchmarks.large_tables``: the daily run of a large table, beside extracting and hashing its days alone.

For each length of history the table is loaded day by day into an empty target; then, repeat by repeat, 1 % of the rows of the
days that a daily run reads again are updated, 0.1 % inserted and 0.1 % deleted, and a run is timed beside the floor, which reads
and hashes the same days and does nothing else. A run should cost the same however long the history is. ``--source`` puts the
table into a PostgreSQL, where the floor reads it by the pipeline's own extractor; else it is in a DuckDB file.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks.contenders import BENCHMARKS
from benchmarks.large_source import DATE, LOOKBACK, LargeSource, large_source
from benchmarks.measure import Measurement, in_child, run_measured, tail
from benchmarks.small_tables import work_folder
from benchmarks.source_table import COLUMNS, TABLE
from benchmarks.udm import SOURCE, udm_environment
from config import load_settings
from connections import open_target
from model.control import TABLES_LIST

MAIN = BENCHMARKS.parent / "main_large_tables.py"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a run failed, else 0."""
    options = parse(arguments)
    print(f"{options.rows:,} rows a day x {COLUMNS} columns, lookback {LOOKBACK} days, {options.repeat} daily runs; s, GB")
    print("   history  first load   peak   daily     CPU   peak   floor     CPU  ratio")
    with work_folder(options.keep) as work:
        for days in options.history:
            with large_source(work, days, options.rows, options.source, keep=bool(options.keep)) as source:
                print(measure(work, source, options))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_tables")
    parser.add_argument("--rows", type=int, default=300_000, help="rows a day (%(default)s)")
    parser.add_argument("--history", type=_numbers, default=(10, 100), help="days of history, each measured (10,100)")
    parser.add_argument("--repeat", type=int, default=3, help="daily runs (%(default)s)")
    parser.add_argument("--source", type=_postgresql, metavar="URL", help="read from this PostgreSQL, not from a DuckDB file")
    parser.add_argument("--target", metavar="URL", help="load into this server, not into DuckDB (see UDM_TARGET in .env.example)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there, and leave everything there")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _postgresql(text: str) -> str:
    if make_url(text).drivername != "postgresql":
        raise argparse.ArgumentTypeError("must be postgresql://…")
    return text


def measure(work: Path, source: LargeSource, options: argparse.Namespace) -> str:
    """One line of the report: a history of so many days."""
    folder = work / f"target_{source.days}"
    folder.mkdir(exist_ok=True)
    suffix = f"_{int(time.time())}_{source.days}" if options.target else ""
    environment = udm_environment(source.file, folder, target=options.target, suffix=suffix)
    environment[f"UDM_SOURCE_{SOURCE}"] = source.location
    _timed([sys.executable, str(MAIN), "--list-tables", "--create-databases"], environment, folder)
    in_child(list_table, environment, folder, source)
    load = [sys.executable, str(MAIN), "--no-progress"]
    began = _timed(load, environment, folder)
    runs, floors = [], []
    for repeat in range(options.repeat):
        in_child(source.change, repeat)
        floors.append(_timed([sys.executable, *source.floor], environment, folder))
        runs.append(_timed(load, environment, folder))
        print(f"{repeat + 1} floor {floors[-1].wall:.2f} s, daily run {runs[-1].wall:.2f} s", file=sys.stderr)
    if not options.keep:
        shutil.rmtree(folder)
    ratio = median(run.wall / floor.wall for run, floor in zip(runs, floors, strict=True))
    daily, floor = (
        f"{median(one.wall for one in some):>6.2f}  {median(one.cpu for one in some):>6.2f}" for some in (runs, floors)
    )
    peak = max(run.peak_gb for run in runs)
    return f"{source.days:>5} days  {began.wall:>10.1f}  {began.peak_gb:>5.2f}  {daily}  {peak:>5.2f}  {floor}  {ratio:.2f}x"


def _timed(command: Sequence[str], environment: dict[str, str], folder: Path) -> Measurement:
    log = folder / "run.log"
    measured = run_measured(command, environment=environment, folder=folder, log=log)
    if measured.status:
        raise SystemExit(f"{' '.join(command)} ended with {measured.status}:\n{tail(log)}")
    return measured


def list_table(environment: dict[str, str], folder: Path, source: LargeSource) -> None:
    """Put the benchmark's table, and nothing else, into `General.dbo.UdmTablesList`."""
    target = open_target(load_settings(environment, folder))
    tables = target.own(TABLES_LIST)
    row = {"SourceName": SOURCE, "SourceObjectName": TABLE, "SourceSchemaName": source.schema, "StageLoadTool": "Python"}
    large = {"SourceAggregateColumnName": DATE, "FirstLoadDate": source.first, "LookbackDays": LOOKBACK}
    with target.engine.begin() as connection:
        connection.execute(sa.delete(tables))
        connection.execute(sa.insert(tables).values({**row, **large}))
    target.close()


if __name__ == "__main__":
    sys.exit(main())
