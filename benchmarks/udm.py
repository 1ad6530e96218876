"""UDM Pipeline as a contender: an empty warehouse with one row in its list of tables.

Without a URL that is a folder of DuckDB files. On a server every repeat has databases (on PostgreSQL schemas) of its own, named
after the moment, and leaves them there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.contenders import BENCHMARKS, Contender, clean_environment
from benchmarks.measure import in_child
from benchmarks.source_table import SCHEMA, TABLE, Expected
from config import load_settings
from connections import open_target
from connections.target import Target
from model.control import TABLES_LIST
from model.names import bronze_name
from model.ops import PIPELINE_EVENT_LOG
from model.system_columns import ACTIVE, END

NAME = "udm"
MODULE = "main_small_tables"
IMPORTED = "orchestration.arguments, orchestration.command, orchestration.small_tables"
SOURCE = "BENCH"
_REPOSITORY = BENCHMARKS.parent


def udm(python: str, source: Path, folder: Path, *, target: str | None = None, suffix: str = "") -> Contender:
    """The pipeline, loading `source` into DuckDB files under `folder`, or into the server at the URL `target`."""
    environment = udm_environment(source, folder, target=target, suffix=suffix)
    main = (python, str(_REPOSITORY / f"{MODULE}.py"))
    return Contender(
        name=NAME,
        command=(*main, "--table", TABLE, "--source", SOURCE, "--no-progress"),
        environment=environment,
        folder=folder,
        prepare=partial(_prepare, (*main, "--list-tables", "--create-databases"), environment, folder),
        read_history=partial(read_history, environment),
        read_steps=partial(read_steps, environment),
    )


def udm_environment(source: Path, folder: Path, *, target: str | None = None, suffix: str = "") -> dict[str, str]:
    """What a run needs to find its source and its target. Other settings pass through."""
    return {
        **clean_environment(),
        "STAGE_DB": f"UDM_Stage{suffix}",
        "BRONZE_DB": f"UDM_Bronze{suffix}",
        "GENERAL_DB": f"General{suffix}",
        "UDM_TARGET": target or f"duckdb:///{folder.absolute()}",
        f"UDM_SOURCE_{SOURCE}": f"duckdb:///{source.absolute()}",
        "PYTHONPATH": str(_REPOSITORY),
    }


def _prepare(command: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
    """Let `--list-tables` create the control tables, then list the one table."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"--list-tables ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    in_child(list_table, environment, folder)


def list_table(environment: Mapping[str, str], folder: Path) -> None:
    """Put the benchmark's table, and nothing else, into `General.dbo.UdmTablesList`."""
    target = _opened(environment, folder)
    tables = target.own(TABLES_LIST)
    row = {"SourceName": SOURCE, "SourceObjectName": TABLE, "SourceSchemaName": SCHEMA, "StageLoadTool": "Python"}
    with target.engine.begin() as connection:
        connection.execute(sa.delete(tables))
        connection.execute(sa.insert(tables).values(row))
    target.close()


def read_history(environment: Mapping[str, str], folder: Path) -> Expected:
    """Active and all versions in Bronze."""
    target = _opened(environment, folder)
    bronze = target.table(bronze_name(target.databases.bronze, SOURCE, TABLE), (ACTIVE, END))
    every = sa.select(sa.func.count()).select_from(bronze)
    with target.engine.connect() as connection:
        active = connection.execute(every.where(bronze.c[ACTIVE] == sa.true(), bronze.c[END].is_(None))).scalar_one()
        versions = connection.execute(every).scalar_one()
    target.close()
    return Expected(active=active, versions=versions)


def read_steps(environment: Mapping[str, str], folder: Path) -> dict[str, float]:
    """Seconds of each step of the newest batch by `General.ops.PipelineEventLog`, in order."""
    target = _opened(environment, folder)
    log = target.own(PIPELINE_EVENT_LOG).c
    newest = sa.select(sa.func.max(log.BatchId)).scalar_subquery()
    query = sa.select(log.EventType, log.DurationMs).where(log.BatchId == newest).order_by(log.EventNumber)
    with target.engine.connect() as connection:
        steps = {step: milliseconds / 1000.0 for step, milliseconds in connection.execute(query)}
    target.close()
    return steps


def _opened(environment: Mapping[str, str], folder: Path) -> Target:
    return open_target(load_settings(environment, folder))
