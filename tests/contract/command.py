"""The command as its entry point calls it, but in this process: settings from the environment, exit status as the result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from connections import open_target
from model.control import TABLES_LIST
from orchestration.arguments import parse_arguments
from orchestration.command import run_command
from orchestration.large_tables import run_large_tables
from orchestration.small_tables import run_small_tables
from orchestration.table_config import LOAD_TOOL
from tests.contract.pipeline import Pipeline

Command = Callable[..., int]


def list_tables(pipeline: Pipeline, *tables: str, **columns: object) -> None:
    """Enter tables into UdmTablesList."""
    about = {"SourceName": pipeline.source.name, "StageLoadTool": LOAD_TOOL, **columns}
    with pipeline.target.engine.begin() as connection:
        rows = [{**about, "SourceObjectName": table} for table in tables]
        connection.execute(sa.insert(pipeline.target.own(TABLES_LIST)), rows)


@contextmanager
def released(pipeline: Pipeline) -> Iterator[None]:
    """The target is let go while the block runs, so that something else can open it, and is open again after it."""
    pipeline.target.close()
    try:
        yield
    finally:
        pipeline.target = open_target(pipeline.settings)


@contextmanager
def own_logging() -> Iterator[None]:
    """The command sets up the pipeline's logger for its process; afterwards it is as it was."""
    logger = logging.getLogger("udm")
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers[:], logger.level, logger.propagate = before


def command_of(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, folder: Path, *, large: bool = False) -> Command:
    """`main_small_tables.py`, or `main_large_tables.py`, with these arguments, on the pipeline's target and source."""
    monkeypatch.chdir(folder)
    for name, value in {
        "UDM_TARGET": pipeline.settings.target.render_as_string(hide_password=False),
        f"UDM_SOURCE_{pipeline.source.name}": f"duckdb:///{pipeline.source.path}",
        **{f"{layer.upper()}_DB": getattr(pipeline.settings, f"{layer}_db") for layer in ("stage", "bronze", "general")},
        "UDM_DIGEST_KEY": "k",
        "SPOOL_DIR": str(folder),
    }.items():
        monkeypatch.setenv(name, value)

    def command(*arguments: str) -> int:
        with own_logging(), released(pipeline):
            parsed = parse_arguments(f"main_{'large' if large else 'small'}_tables.py", "", arguments, large=large)
            return run_command(parsed, large=large, load=run_large_tables if large else run_small_tables)

    return command
