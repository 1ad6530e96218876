"""Who is measured, and what the benchmark has to know of each: how to start it, where its history is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.source_table import Expected

BENCHMARKS = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way of loading the table, with its own empty folder to load into."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    prepare: Callable[[], None] | None = None
    """Brings the empty folder into the state before the first load; not timed."""
    read_history: Callable[[Path], Expected] | None = None
    """Counts what the folder's history holds; runs in a process of its own, so a module-level function."""
    read_steps: Callable[[Path], dict[str, float]] | None = None
    """Seconds of each step of the newest run, by name; likewise."""


FLOOR = "floor"


def floor(python: str, source: Path, folder: Path) -> Contender:
    """Extract and hash alone."""
    return Contender(
        name=FLOOR,
        command=(python, str(BENCHMARKS / "floor.py"), str(source)),
        environment=clean_environment(),
        folder=folder,
    )


PEERS: Mapping[str, Sequence[str]] = {
    "dlt": ("--row-version", "hash64"),
    "dlt-md5": ("--row-version", "md5"),
    "dlt-table": ("--row-version", "md5", "--whole"),
    "dlt-helper": ("--row-version", "helper"),
}
"""The peers by name, with what tells ``peer_dlt.py`` how each makes its row version and reads."""
PEER_MODULES = "dlt, duckdb, pyarrow"


def peer(name: str, python: str, source: Path, folder: Path) -> Contender:
    """A variant of dlt's scd2, run by the interpreter ``python`` that has dlt."""
    script = (str(BENCHMARKS / "peer_dlt.py"), "--source", str(source), "--folder", str(folder))
    return Contender(
        name=name,
        command=(python, *script, *PEERS[name]),
        environment=clean_environment(),
        folder=folder,
        read_history=read_peer_history,
    )


def read_peer_history(folder: Path) -> Expected:
    """Open and all versions in dlt's table."""
    return count_versions(folder / "dlt.duckdb", "bronze.wide", '"_dlt_valid_to" IS NULL')


def count_versions(database: Path, table: str, is_open: str) -> Expected:
    """Count the rows of a history table, and those among them for which the SQL ``is_open`` holds."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(f"SELECT count(*) FILTER (WHERE {is_open}), count(*) FROM {table}").fetchone()
    assert found is not None
    return Expected(active=found[0], versions=found[1])


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead a run to somebody's real databases."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("UDM_", "PYTHON"))}
