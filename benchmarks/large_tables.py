"""``python -m benchmarks.large_tables``: the daily run of a large table, beside extracting and hashing its days alone.

For each length of history the table is loaded day by day into an empty target; then, repeat by repeat, 1 % of the rows of the
days that a daily run reads again are updated, 0.1 % inserted and 0.1 % deleted, and a run is timed beside the floor, which reads
and hashes the same days and does nothing else. A run should cost the same however long the history is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb
import sqlalchemy as sa

from benchmarks.contenders import BENCHMARKS, clean_environment
from benchmarks.measure import Measurement, in_child, run_measured, tail
from benchmarks.small_tables import work_folder
from benchmarks.source_table import COLUMNS, SCHEMA, TABLE, rows_query
from benchmarks.udm import SOURCE, udm_environment
from config import load_settings
from connections import open_target
from model.control import TABLES_LIST

LOOKBACK = 7
MAIN = BENCHMARKS.parent / "main_large_tables.py"
_SCALE = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a run failed, else 0."""
    options = parse(arguments)
    print(f"{options.rows:,} rows a day x {COLUMNS} columns, lookback {LOOKBACK} days, {options.repeat} daily runs; s, GB")
    print("   history  first load   peak   daily     CPU   peak   floor     CPU  ratio")
    with work_folder(options.keep) as work:
        for days in options.history:
            print(measure(work, days, options))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_tables")
    parser.add_argument("--rows", type=int, default=300_000, help="rows a day (%(default)s)")
    parser.add_argument("--history", type=_numbers, default=(10, 100), help="days of history, each measured (10,100)")
    parser.add_argument("--repeat", type=int, default=3, help="daily runs (%(default)s)")
    parser.add_argument("--target", metavar="URL", help="load into this server, not into DuckDB (see UDM_TARGET in .env.example)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there, and leave everything there")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def measure(work: Path, days: int, options: argparse.Namespace) -> str:
    """One line of the report: a history of so many days."""
    source, folder = work / f"source_{days}.duckdb", work / f"target_{days}"
    folder.mkdir(exist_ok=True)
    source.unlink(missing_ok=True)
    first = date.today() - timedelta(days=days - 1)  # noqa: DTZ011 - the pipeline's own day
    in_child(write_days, source, first, days, options.rows)
    suffix = f"_{int(time.time())}_{days}" if options.target else ""
    environment = udm_environment(source, folder, target=options.target, suffix=suffix)
    _timed([sys.executable, str(MAIN), "--list-tables", "--create-databases"], environment, folder)
    in_child(list_table, environment, folder, first)
    load = [sys.executable, str(MAIN), "--no-progress"]
    began = _timed(load, environment, folder)
    runs, floors = [], []
    for repeat in range(options.repeat):
        in_child(change_days, source, days, options.rows, repeat)
        read = ["-m", "benchmarks.floor", str(source), f"POSTED >= current_date - {LOOKBACK}"]
        floors.append(_timed([sys.executable, *read], {**clean_environment(), "PYTHONPATH": str(BENCHMARKS.parent)}, folder))
        runs.append(_timed(load, environment, folder))
    if not options.keep:
        shutil.rmtree(folder)
        source.unlink()
    ratio = median(run.wall / floor.wall for run, floor in zip(runs, floors, strict=True))
    daily, floor = (
        f"{median(one.wall for one in some):>6.2f}  {median(one.cpu for one in some):>6.2f}" for some in (runs, floors)
    )
    peak = max(run.peak_gb for run in runs)
    return f"{days:>5} days  {began.wall:>10.1f}  {began.peak_gb:>5.2f}  {daily}  {peak:>5.2f}  {floor}  {ratio:.2f}x"


def _timed(command: Sequence[str], environment: dict[str, str], folder: Path) -> Measurement:
    log = folder / "run.log"
    measured = run_measured(command, environment=environment, folder=folder, log=log)
    if measured.status:
        raise SystemExit(f"{' '.join(command)} ended with {measured.status}:\n{tail(log)}")
    return measured


def write_days(path: Path, first: date, days: int, rows: int) -> None:
    """The source: `bench.WIDE` with a date, as many rows a day, and an index on neither, for a DuckDB file is its own."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        names = ", ".join(f"c{number}" for number in range(2, COLUMNS + 1))
        posted = f"DATE '{first}' + (ID // {rows})::INTEGER AS POSTED"
        select = f"SELECT *, {posted} FROM ({rows_query(days * rows, changed=False)}) AS r (ID, {names})"
        connection.execute(f"CREATE TABLE {SCHEMA}.{TABLE} AS {select}")
        connection.execute(f"ALTER TABLE {SCHEMA}.{TABLE} ALTER ID SET NOT NULL")
        connection.execute(f"ALTER TABLE {SCHEMA}.{TABLE} ADD PRIMARY KEY (ID)")


def change_days(path: Path, days: int, rows: int, repeat: int) -> None:
    """1 % updates, 0.1 % inserts and 0.1 % deletes in the days that a daily run reads again."""
    table = f"{SCHEMA}.{TABLE}"
    recent = f"POSTED >= current_date - {LOOKBACK}"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"UPDATE {table} SET c14 = coalesce(c14, 0) + 1 WHERE {recent} AND ID % 100 = {3 + repeat}")
        connection.execute(f"DELETE FROM {table} WHERE {recent} AND ID % {_SCALE} = {17 + repeat}")
        new = f"SELECT * REPLACE ({days * rows * (repeat + 2)} + ID AS ID) FROM {table} WHERE {recent} AND ID % {_SCALE} = 500"
        connection.execute(f"INSERT INTO {table} {new}")


def list_table(environment: dict[str, str], folder: Path, first: date) -> None:
    """Put the benchmark's table, and nothing else, into `General.dbo.UdmTablesList`."""
    target = open_target(load_settings(environment, folder))
    tables = target.own(TABLES_LIST)
    row = {"SourceName": SOURCE, "SourceObjectName": TABLE, "SourceSchemaName": SCHEMA, "StageLoadTool": "Python"}
    large = {"SourceAggregateColumnName": "POSTED", "FirstLoadDate": first, "LookbackDays": LOOKBACK}
    with target.engine.begin() as connection:
        connection.execute(sa.delete(tables))
        connection.execute(sa.insert(tables).values({**row, **large}))
    target.close()


if __name__ == "__main__":
    sys.exit(main())
