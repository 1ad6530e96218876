"""UDM Pipeline as a contender: an embedded warehouse in a folder, with one row in its list of tables."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.contenders import BENCHMARKS, Contender, clean_environment, count_versions
from benchmarks.measure import in_child
from benchmarks.source_table import SCHEMA, TABLE, Expected

NAME = "udm"
MODULE = "main_small_tables"
IMPORTED = "orchestration.arguments, orchestration.command, orchestration.small_tables"
SOURCE = "BENCH"
_REPOSITORY = BENCHMARKS.parent
_DATABASES = {"STAGE_DB": "UDM_Stage", "BRONZE_DB": "UDM_Bronze", "GENERAL_DB": "General"}


def udm(python: str, source: Path, folder: Path) -> Contender:
    """The pipeline, loading ``source`` into DuckDB files under ``folder``."""
    environment = udm_environment(source, folder)
    main = (python, str(_REPOSITORY / f"{MODULE}.py"))
    return Contender(
        name=NAME,
        command=(*main, "--table", TABLE, "--source", SOURCE, "--no-progress"),
        environment=environment,
        folder=folder,
        prepare=partial(_prepare, main, environment, folder),
        read_history=read_history,
        read_steps=read_steps,
    )


def udm_environment(source: Path, folder: Path) -> dict[str, str]:
    """What a run needs to find its source and its target. Other settings pass through."""
    return {
        **clean_environment(),
        **_DATABASES,
        "UDM_TARGET": f"duckdb:///{folder.absolute()}",
        f"UDM_SOURCE_{SOURCE}": f"duckdb:///{source.absolute()}",
        "PYTHONPATH": str(_REPOSITORY),
    }


def _prepare(main: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
    """Let ``--list-tables`` create the control tables, then list the one table."""
    done = subprocess.run([*main, "--list-tables"], env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"--list-tables ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    in_child(list_table, folder)


def list_table(folder: Path) -> None:
    """Put the benchmark's table, and nothing else, into ``General.dbo.UdmTablesList``."""
    with duckdb.connect(str(folder / "General.duckdb")) as connection:
        connection.execute("DELETE FROM dbo.UdmTablesList")
        connection.execute(
            "INSERT INTO dbo.UdmTablesList (SourceName, SourceObjectName, SourceSchemaName, StageLoadTool) "
            "VALUES (?, ?, ?, 'Python')",
            [SOURCE, TABLE, SCHEMA],
        )


def read_history(folder: Path) -> Expected:
    """Active and all versions in Bronze."""
    bronze = f"{SOURCE}.{TABLE}_scd2_python"
    return count_versions(folder / "UDM_Bronze.duckdb", bronze, "UdmActiveFlag AND UdmEndDateTime IS NULL")


def read_steps(folder: Path) -> dict[str, float]:
    """Seconds of each step of the newest batch by ``General.ops.PipelineEventLog``, in order."""
    with duckdb.connect(str(folder / "General.duckdb"), read_only=True) as connection:
        rows = connection.sql(
            "SELECT EventType, sum(DurationMs) / 1000.0 FROM ops.PipelineEventLog "
            "WHERE BatchId = (SELECT max(BatchId) FROM ops.PipelineEventLog) "
            "GROUP BY EventType ORDER BY max(EventNumber)"
        ).fetchall()
    return {step: float(seconds) for step, seconds in rows}
