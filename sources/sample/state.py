"""Opening a sample file and reading how far it has moved on; the file itself keeps that state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import SourceRefused, SourceUnavailable
from sources.sample.recipe import MACROS

if TYPE_CHECKING:
    import duckdb

SCHEMA = "udm_sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleState:
    """How far a sample file has moved on: its business day, counted from 0, and the date of its day 0."""

    day_number: int
    first_day: date


@contextmanager
def open_sample(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the file, with the recipes' macros; created when missing, closed at the end.

    DuckDB's errors, also those inside the block, become `SourceUnavailable` or `SourceRefused`, naming file and remedy.
    """
    import duckdb  # noqa: PLC0415  only what opens a file pays for the import

    try:
        connection = duckdb.connect(str(path))
        try:
            for macro in MACROS:
                connection.execute(macro)
            yield connection
        finally:
            connection.close()
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        if isinstance(error, duckdb.IOException) and "lock" in reason.lower():
            raise SourceUnavailable(
                f"The sample file {path} is in use by another process. {reason}",
                remedy="Wait until that process has ended, then try again.",
            ) from error
        raise SourceRefused(
            f"The sample file {path} cannot be used: {reason}",
            remedy="If it is damaged, delete it, and its .wal file; it is generated anew on the next use.",
        ) from error


def create_state(connection: duckdb.DuckDBPyConnection, first_day: date) -> None:
    """Note that the file holds its initial content, day 0."""
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    connection.execute(f"CREATE TABLE {SCHEMA}.sample_state (day_number BIGINT, business_date DATE, first_day DATE)")
    connection.execute(f"INSERT INTO {SCHEMA}.sample_state VALUES (0, $1, $1)", [first_day])


def read_state(connection: duckdb.DuckDBPyConnection, path: Path) -> SampleState:
    """The file's state; `SourceRefused` when the file holds none, and so is no sample."""
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = $1 AND table_name = 'sample_state'", [SCHEMA]
    ).fetchone()
    row = connection.execute(f"SELECT day_number, first_day FROM {SCHEMA}.sample_state").fetchone() if found else None
    if row is None:
        raise SourceRefused(
            f"The file {path} is not a sample source.",
            remedy="Move it away or choose another folder; a missing sample file is generated.",
        )
    return SampleState(day_number=row[0], first_day=row[1])


def read_first_day(path: Path) -> date | None:
    """The date of the file's day 0; None where another process is writing the file, or it is no sample."""
    import duckdb  # noqa: PLC0415  see above

    try:
        # Several processes may read at once.
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute(f"SELECT first_day FROM {SCHEMA}.sample_state").fetchall()
    except duckdb.Error:
        return None
    return rows[0][0] if rows else None


def write_state(connection: duckdb.DuckDBPyConnection, day_number: int, business_date: date) -> None:
    """Note that the file has reached a business day."""
    connection.execute(f"UPDATE {SCHEMA}.sample_state SET day_number = $1, business_date = $2", [day_number, business_date])
