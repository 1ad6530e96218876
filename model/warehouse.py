"""What one source table is in the warehouse, and what one batch promotes: values, no connections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from model.names import TableName
from model.types import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseTable:
    """The Stage, Bronze and staging tables of one source table in one batch, and its columns by where they are.

    `columns` are the source's, as they arrive; `stored` the source columns that Stage and Bronze hold, which include columns that
    have vanished at the source.
    """

    source: str
    table: str
    stage: TableName
    bronze: TableName
    staging: TableName
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    stored: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The source's column names."""
        return tuple(column.name for column in self.columns)

    @property
    def stored_names(self) -> tuple[str, ...]:
        """The source columns that the targets hold, the vanished ones last."""
        known = set(self.names)
        return (*self.names, *(name for name in self.stored if name not in known))

    def __str__(self) -> str:
        return f"{self.source}.{self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One batch's changes to one table: its id, its instant (naive UTC, microseconds) and what it changes, in rows."""

    batch: int
    instant: datetime
    inserted: int
    updated: int
    deleted: int

    @property
    def rows(self) -> int:
        """All rows that change."""
        return self.inserted + self.updated + self.deleted


def names_differing_in_case(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that a target comparing without case takes for one."""
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            pairs.append((other, name))
    return pairs
