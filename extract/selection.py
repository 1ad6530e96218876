"""Some of a table's rows, as a condition: those of a window of its date column, or those with certain keys.

A condition is built over the bare columns, so that the source can use its indexes, and over values that each source spells in
its own way. What text a source's own comparison takes for equal may bring more rows than asked for: whoever asks looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import polars as pl
import sqlalchemy as sa

from model.types import Column

_SEVERAL_COLUMNS_AT_ONCE = 250
Value = bool | int | float | Decimal | date | datetime | str | bytes
Expression = sa.ColumnElement[Any]
Literal = Callable[[Column, Value], Expression]


class Selection(Protocol):
    """Which rows of a table are read."""

    def condition(self, bare: Callable[[str], Expression], literal: Literal) -> sa.ColumnElement[bool]:
        """The rows as a condition; `bare` gives a column by its name, `literal` a value as it is compared with a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Values of a column from `start` to below `end`, None being no end on that side; both None are the rows where it is NULL.

    The ends are of the column's kind: a date, a timestamp (naive), a timestamp with its zone (UTC), a number, or text. Where a
    date or timestamp of the source travels as text (`Kind.TEXT`) they are naive timestamps, with a zone if the source's are.
    """

    column: Column
    start: Value | None = None
    end: Value | None = None

    def condition(self, bare: Callable[[str], Expression], literal: Literal) -> sa.ColumnElement[bool]:
        """A half-open range, or IS NULL."""
        column = bare(self.column.name)
        ends = [column >= literal(self.column, self.start)] if self.start is not None else []
        ends += [column < literal(self.column, self.end)] if self.end is not None else []
        return sa.and_(*ends) if ends else column.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithKeys:
    """The rows whose key is one of `keys`: a frame of the key's `columns` in their dtypes, at least one row, no NULL."""

    columns: tuple[Column, ...]
    keys: pl.DataFrame

    def condition(self, bare: Callable[[str], Expression], literal: Literal) -> sa.ColumnElement[bool]:
        """`key IN (…)`, or for a composite key one comparison of all its columns a row, for not every source has row values."""
        rows = self.keys.select(column.name for column in self.columns).iter_rows()
        if len(self.columns) == 1:
            [column] = self.columns
            return bare(column.name).in_([literal(column, value) for (value,) in rows])
        return sa.or_(
            *(
                sa.and_(*(bare(column.name) == literal(column, value) for column, value in zip(self.columns, row, strict=True)))
                for row in rows
            )
        )


def with_keys(columns: tuple[Column, ...], keys: pl.DataFrame, at_once: int) -> Iterator[WithKeys]:
    """So many keys in selections of `at_once`, where the key is one column; comparisons of several get long sooner."""
    size = at_once if len(columns) == 1 else _SEVERAL_COLUMNS_AT_ONCE
    for start in range(0, keys.height, size):
        yield WithKeys(columns=columns, keys=keys.slice(start, size))
