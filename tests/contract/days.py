"""A fixed history of one table that shows every kind of change once, for tests that look at what it left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.contract.pipeline import Pipeline, Row

TABLE = "ACCT"
COLUMNS = "ID INTEGER PRIMARY KEY, NAME VARCHAR, BALANCE DECIMAL(18,3)"
DAYS: tuple[tuple[Row, ...], ...] = (
    ((1, "stays", 1), (2, "before", 2), (3, "goes", 3), (4, "goes, comes back changed", 4), (5, "goes, comes back", 5)),
    ((1, "stays", 1), (2, "after", 2), (6, "new", 6)),
    ((1, "stays", 1), (2, "after", "2.001"), (6, "new", 6)),
    ((1, "stays", 1), (2, "after", "2.001"), (4, "changed", 4), (5, "goes, comes back", 5)),
    ((1, "stays", 1), (2, "after", "2.001"), (4, "changed", 4), (5, "goes, comes back", 5)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What Stage and Bronze hold after all days; batch and instant of each day (day 1 is element 0)."""

    pipeline: Pipeline
    batches: tuple[int, ...]
    instants: tuple[datetime, ...]
    stage: list[dict[str, Any]]
    bronze: list[dict[str, Any]]

    def events(self, key: int) -> list[dict[str, Any]]:
        """A key's rows in Stage, in order; a delete after the row that it closes."""
        rows = [row for row in self.stage if row["ID"] == key]
        return sorted(rows, key=lambda row: (row["_cdc_valid_from"], row["_cdc_operation"] != "D"))

    def versions(self, key: int) -> list[dict[str, Any]]:
        """A key's rows in Bronze, in order."""
        return sorted((row for row in self.bronze if row["ID"] == key), key=lambda row: row["UdmEffectiveDateTime"])


def play(pipeline: Pipeline, table: str = TABLE, days: tuple[tuple[Row, ...], ...] = DAYS) -> History:
    """Load the days one after another."""
    batches = []
    for rows in days:
        pipeline.source.table(table, COLUMNS, rows)
        pipeline.load(table)
        batches.append(pipeline.batch)
    query = 'SELECT "BatchId", "Instant" FROM {ops}."TablePublished" WHERE "TableName" = :name'
    published: dict[int, datetime] = dict(pipeline.query(query, name=table))
    stage, bronze = pipeline.dumps(table)
    return History(
        pipeline=pipeline,
        batches=tuple(batches),
        instants=tuple(published[batch] for batch in batches),
        stage=stage,
        bronze=bronze,
    )
