"""A table whose columns all hold the same days, each in its own type, and the windows that split it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from extract.selection import Between, Expression, Literal, Selection, Value
from model.types import Column, Kind

DAY, NEXT = datetime(2026, 11, 25), datetime(2026, 11, 26)  # noqa: DTZ001 - the source's own clock
# None, the day before, the day at midnight and later, the next day at midnight; a far one at either end comes by type.
MOMENTS = (
    "2026-11-24 23:59:59.999999",
    "2026-11-25 00:00:00",
    "2026-11-25 12:00:00.5",
    "2026-11-25 23:59:59.999999",
    "2026-11-26 00:00:00",
)
# The places of rows that hold nothing, the first far moment, MOMENTS and the last one.
HELD = {"NULL": [0], "before": [1, 2], "day": [3, 4, 5], "after": [6, 7]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Several selections as one: what all of them select, or what any does."""

    parts: Sequence[Selection]
    how: Callable[..., sa.ColumnElement[bool]]

    def condition(self, bare: Callable[[str], Expression], literal: Literal) -> sa.ColumnElement[bool]:
        """AND binds more tightly than OR, so that no brackets are needed."""
        return self.how(*(part.condition(bare, literal) for part in self.parts))


def windows(columns: Sequence[Column]) -> Iterator[tuple[Selection, list[int]]]:
    """What each window of every column together, and of any, must hold: where both do, each column's does."""
    ends = {"NULL": (None, None), "before": (None, DAY), "day": (DAY, NEXT), "after": (NEXT, None)}
    for name, (start, end) in ends.items():
        parts = [Between(column=one, start=_spelled(one, start), end=_spelled(one, end)) for one in columns]
        for how in (sa.and_, sa.or_):
            yield Joined(parts=parts, how=how), HELD[name]


def _spelled(column: Column, moment: datetime | None) -> Value | None:
    if moment is None:
        return None
    kind, declared = column.type.kind, column.source_type.lower()
    if kind is Kind.TIMESTAMPTZ or declared.startswith("datetimeoffset"):
        return moment.replace(tzinfo=UTC)
    if kind is Kind.TEXT and "char" in declared:
        return f"{moment:%Y-%m-%d}"
    if kind is Kind.INTEGER:
        return int(f"{moment:%Y%m%d}")
    return moment.date() if kind is Kind.DATE else moment
