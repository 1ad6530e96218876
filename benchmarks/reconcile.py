"""``python -m benchmarks.reconcile --target postgresql://…``: equal rows reconciled, beside reladiff on the same tables.

The benchmark's table is loaded once, and a copy of it on the same server becomes the source. ``udm`` is a whole
``--reconcile``: source, Stage and Bronze value by value, and the checks of the history; ``udm-counts`` its cheap
form. ``reladiff`` compares the source with Stage, ``reladiff-both`` with Stage and then with Bronze, for that is what
``udm`` does. Every run is a process of its own; what the server uses of the processors is in nobody's CPU time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from benchmarks.contenders import BENCHMARKS, Contender, clean_environment
from benchmarks.measure import in_child, run_measured, tail
from benchmarks.report import Run, render, summarise
from benchmarks.small_tables import _positive, generate
from benchmarks.source_table import SCHEMA, TABLE
from benchmarks.udm import NAME, SOURCE, udm
from config import load_settings
from connections import open_target
from connections.target import Target
from model.control import TABLES_LIST
from model.names import TableName, bronze_name, stage_name
from model.system_columns import STAGE_SYSTEM

_DAY = "equal"
_KEY = "ID"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 1 where a run failed or found a difference, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconcile")
    parser.add_argument("--target", metavar="URL", required=True, help="a PostgreSQL database to load into (see .env.example)")
    parser.add_argument("--rows", type=_positive, default=1_000_000, help="rows of the table (%(default)s)")
    parser.add_argument("--repeat", type=_positive, default=3, help="paired runs (%(default)s)")
    parser.add_argument("--peer-python", help="an interpreter with reladiff[postgresql]")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="udm_bench_") as folder:
        work = Path(folder)
        contenders = _prepared(options, work)
        runs = [_run(repeat, contender, work) for repeat in range(options.repeat) for contender in contenders]
    lines = summarise(runs, NAME)
    print(render(f"{options.rows:,} equal rows on PostgreSQL, {options.repeat} paired runs.", lines, {}))
    failed = [run for run in runs if run.error]
    for run in failed:
        print(f"FAILED, and in no median above: {run.who} in repeat {run.repeat + 1}: {run.error}")
    return int(bool(failed))


def _prepared(options: argparse.Namespace, work: Path) -> list[Contender]:
    """Load the table, make a source of it, and line everybody up."""
    sources = generate(work, options.rows)
    sources.turn_to("first")
    loader = udm(sys.executable, sources.path, work / NAME, target=options.target, suffix=f"_{int(time.time())}")
    loader.folder.mkdir()
    assert loader.prepare is not None
    loader.prepare()
    loaded = run_measured(loader.command, environment=loader.environment, folder=work, log=work / "load.log")
    if loaded.status:
        raise SystemExit(f"the load ended with {loaded.status}:\n{tail(work / 'load.log')}")
    pairs = in_child(make_source, loader.environment, loader.folder)
    environment = {**loader.environment, f"UDM_SOURCE_{SOURCE}": options.target}
    ours = [
        Contender(name=name, command=(*loader.command, *arguments), environment=environment, folder=loader.folder)
        for name, arguments in ((NAME, ("--reconcile",)), (f"{NAME}-counts", ("--reconcile", "counts")))
    ]
    return [*ours, *_peers(options, work, pairs)]


def _peers(options: argparse.Namespace, work: Path, pairs: Mapping[str, object]) -> list[Contender]:
    python = shutil.which(options.peer_python) if options.peer_python else None
    if python is None:
        print("No --peer-python: reladiff is skipped.", file=sys.stderr)
        return []
    common = (python, str(BENCHMARKS / "peer_reladiff.py"), "--url", options.target, "--key", _KEY)
    command = (*common, "--columns", str(pairs["columns"]))
    both = (json.dumps(pairs["stage"]), json.dumps(pairs["bronze"]))
    environment = clean_environment()
    return [
        Contender(name="reladiff", command=(*command, both[0]), environment=environment, folder=work),
        Contender(name="reladiff-both", command=(*command, *both), environment=environment, folder=work),
    ]


def make_source(environment: Mapping[str, str], folder: Path) -> dict[str, object]:
    """Copy the loaded rows into a table with a primary key, and list that; returns the tables to compare, and their columns."""
    target = open_target(load_settings(environment, folder))
    stage, bronze = stage_name(target.databases.stage, SOURCE, TABLE), bronze_name(target.databases.bronze, SOURCE, TABLE)
    place = TableName(database=target.databases.general, schema=SCHEMA, table=TABLE)
    target.create_schema(place.database, place.schema)
    with target.engine.begin() as connection:
        columns = [column.name for column in target.columns_of(connection, stage) if column.name not in STAGE_SYSTEM]
        listed = ", ".join(f'"{name}"' for name in columns)
        name = target.quoted(place)
        connection.execute(sa.text(f"CREATE TABLE {name} AS SELECT {listed} FROM {target.quoted(stage)}"))
        connection.execute(sa.text(f'ALTER TABLE {name} ADD PRIMARY KEY ("{_KEY}")'))
        connection.execute(sa.update(target.own(TABLES_LIST)).values(SourceSchemaName=target.schema(place.database, SCHEMA)))
    with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (place, stage, bronze):
            connection.execute(sa.text(f"VACUUM ANALYZE {target.quoted(table)}"))
    pairs = {layer: [_path(target, place), _path(target, one)] for layer, one in (("stage", stage), ("bronze", bronze))}
    target.close()
    return {**pairs, "columns": ",".join(name for name in columns if name != _KEY)}


def _path(target: Target, name: TableName) -> list[str]:
    return [target.schema(name.database, name.schema), name.table]


def _run(repeat: int, contender: Contender, work: Path) -> Run:
    log = work / f"{contender.name}_{repeat}.log"
    measured = run_measured(contender.command, environment=contender.environment, folder=work, log=log)
    error = f"exit status {measured.status}:\n{tail(log)}" if measured.status else None
    print(f"{contender.name}: {measured.wall:.1f} s{' FAILED' if error else ''}", file=sys.stderr)
    return Run(repeat=repeat, day=_DAY, who=contender.name, measured=measured, steps={}, error=error)


if __name__ == "__main__":
    sys.exit(main())
