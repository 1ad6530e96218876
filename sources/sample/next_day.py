"""Move the sample sources one business day on: inserts, updates, deletes, and deleted keys that come back."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from sources.sample.business_days import business_date
from sources.sample.catalogue import SAMPLE_SOURCES
from sources.sample.files import ensure_samples, sample_path
from sources.sample.recipe import (
    SourceRecipe,
    TableRecipe,
    delete_statement,
    deleted_seeds,
    insert_statement,
    inserted_seeds,
    returned_seeds,
    update_statement,
    updated_seeds,
)
from sources.sample.state import open_sample, read_state, write_state

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySummary:
    """What one business day changed in one table, in rows. `returned` keys existed before and are not in
    `inserted`.
    """

    source_name: str
    schema_name: str
    object_name: str
    day_number: int
    business_date: date
    inserted: int
    updated: int
    deleted: int
    returned: int


def next_day(folder: Path) -> list[DaySummary]:
    """Move every sample source in `folder` to the next business day; one summary for each table and day.

    Missing files are generated first and catch up with the others. Files that lag behind because an earlier
    call was killed catch up, and then that is all this call does. One transaction per file and day. Raises
    `SourceUnavailable` for a file that is locked, `SourceRefused` for one that is damaged or no sample; every file
    is opened before the first is changed.
    """
    existing = {source.name for source in SAMPLE_SOURCES if sample_path(folder, source.name).exists()}
    paths = ensure_samples(folder)
    with ExitStack() as stack:
        connections = {name: stack.enter_context(open_sample(path)) for name, path in paths.items()}
        states = {name: read_state(connections[name], path) for name, path in paths.items()}
        target = _target_day([states[name].day_number for name in existing])
        return [
            summary
            for source in SAMPLE_SOURCES
            for day in range(states[source.name].day_number + 1, target + 1)
            for summary in _move(connections[source.name], source, states[source.name].first_day, day)
        ]


def _target_day(reached: list[int]) -> int:
    """The business day to move to, from the days that the existing files have reached."""
    if not reached:
        return 1
    return max(reached) if min(reached) < max(reached) else max(reached) + 1


def _move(connection: duckdb.DuckDBPyConnection, source: SourceRecipe, first_day: date, day: int) -> list[DaySummary]:
    """Bring one file from business day `day - 1` to `day`, in one transaction."""
    connection.execute("BEGIN")
    summaries = [_change_table(connection, source, table, first_day, day) for table in source.tables]
    write_state(connection, day, business_date(first_day, day))
    connection.execute("COMMIT")
    return summaries


def _change_table(
    connection: duckdb.DuckDBPyConnection, source: SourceRecipe, table: TableRecipe, first_day: date, day: int
) -> DaySummary:
    def rows(statement: str) -> int:
        counted = connection.execute(statement).fetchone()
        return int(counted[0]) if counted else 0

    columns = _columns_outside_key(connection, source, table)
    return DaySummary(
        source_name=source.name,
        schema_name=source.schema_name,
        object_name=table.name,
        day_number=day,
        business_date=business_date(first_day, day),
        deleted=rows(delete_statement(source, table, deleted_seeds(table, day), first_day)),
        updated=rows(update_statement(source, table, updated_seeds(table, day), first_day, columns)),
        inserted=rows(insert_statement(source, table, inserted_seeds(table, day), first_day)),
        returned=rows(insert_statement(source, table, returned_seeds(table, day), first_day)),
    )


def _columns_outside_key(connection: duckdb.DuckDBPyConnection, source: SourceRecipe, table: TableRecipe) -> list[str]:
    found = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = $1 AND table_name = $2 ORDER BY column_index",
        [source.schema_name, table.name],
    ).fetchall()
    return [name for (name,) in found if name not in table.key]
