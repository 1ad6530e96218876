"""Rows deleted a few at a time, each batch a transaction of its own, until none is left or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connections.target import Target

BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How many rows went, and whether others are left for another time."""

    rows: int = 0
    is_whole: bool = True

    def __add__(self, other: Purged) -> Purged:
        return Purged(rows=self.rows + other.rows, is_whole=self.is_whole and other.is_whole)


def purge(
    target: Target,
    engine: sa.Engine,
    table: sa.FromClause,
    conditions: Sequence[sa.ColumnElement[Any]],
    until: float,
    check: Callable[[], None] = lambda: None,
    batch_rows: int = BATCH_ROWS,
) -> Purged:
    """Delete the rows that meet all conditions; `until` is a time of `time.monotonic`, `check` raises where the run must end."""
    rows = 0
    while True:
        check()
        with engine.begin() as connection:
            gone = connection.execute(target.delete_some(table, conditions, batch_rows)).rowcount
        rows += gone
        if gone < batch_rows:
            return Purged(rows=rows)
        if time.monotonic() >= until:
            return Purged(rows=rows, is_whole=False)
