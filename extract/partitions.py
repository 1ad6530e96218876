"""A table as ranges of one column, to be read side by side: pure planning, and the ranges as conditions.

Half-open ranges of which the first has no lower end and the last no upper one hold every value exactly once, whatever the
column holds; NULLs belong to one of them. Only how even they are depends on what was planned with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import sqlalchemy as sa

from extract.selection import Between, Expression, Literal
from model.types import MAX_DECIMAL_DIGITS, Column, ColumnType, Kind

Value = int | Decimal | date | datetime
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all that is not of a zone
_MICROSECOND = timedelta(microseconds=1)
_SKEWED = 3
_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a snapshot holds in a column: its ends (None where it has no value), its rows, and how many of them are NULL."""

    least: Value | None
    greatest: Value | None
    rows: int
    nulls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Values from `start` to below `end`, None being no end on that side; `nulls`: and the NULLs; not `values`: only those."""

    start: Value | None = None
    end: Value | None = None
    nulls: bool = False
    values: bool = True

    def holds(self, value: Value | None) -> bool:
        """Whether a row with this value belongs to the range."""
        if value is None:
            return self.nulls
        above = self.start is None or value >= self.start  # type: ignore[operator]
        return self.values and above and (self.end is None or value < self.end)  # type: ignore[operator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows whose `column` lies in `range`."""

    column: Column
    range: Range

    def condition(self, bare: Callable[[str], Expression], literal: Literal) -> sa.ColumnElement[bool]:
        """A selection's condition: the values, the NULLs or both."""
        start, end = self.range.start, self.range.end
        nulls = Between(column=self.column).condition(bare, literal)
        ends = Between(column=self.column, start=start, end=end)
        values = bare(self.column.name).is_not(None) if start is None is end else ends.condition(bare, literal)
        return sa.or_(*([values] if self.range.values else []), *([nulls] if self.range.nulls else []))


def can_split(column: Column) -> bool:
    """Whether a column's type has ranges: whole numbers, decimals, dates and timestamps."""
    return column.type.kind in _SCALES


def plan_ranges(column_type: ColumnType, bounds: Bounds, wanted: int, least_rows: int = 1) -> tuple[Range, ...]:
    """At most `wanted` ranges of equal width over the values, none of them meant for fewer than `least_rows` rows.

    NULLs have a range of their own where they are as many as half a range's rows. One range is the whole table.
    """
    wanted = min(wanted, bounds.rows // max(least_rows, 1))
    to_number, to_value = _SCALES[column_type.kind]
    apart = wanted > 1 and bounds.nulls * wanted * 2 >= bounds.rows
    ends = (bounds.least, bounds.greatest)
    if wanted < 2 or None in ends or not all(_is_finite(end) for end in ends):  # noqa: PLR2004 - two are the least that is several
        return (Range(nulls=True),) if not apart or None in ends else _with_nulls((Range(),), apart=True)
    least, greatest = (to_number(end, column_type) for end in ends)
    ranges = min(wanted - apart, greatest - least + 1)
    cuts = [to_value(least + (greatest - least + 1) * place // ranges, column_type) for place in range(1, ranges)]
    values = tuple(Range(start=start, end=end) for start, end in zip([None, *cuts], [*cuts, None], strict=True))
    return _with_nulls(values, apart=apart)


def _with_nulls(ranges: Sequence[Range], *, apart: bool) -> tuple[Range, ...]:
    first, *others = ranges
    return (Range(nulls=True, values=False), *ranges) if apart else (replace(first, nulls=True), *others)


def skewed(counts: Sequence[int]) -> int | None:
    """The place of a range that holds more than three times what the others hold on average; None where none does."""
    most = max(counts, default=0)
    others = sum(counts) - most
    return counts.index(most) if len(counts) > 1 and most * (len(counts) - 1) > _SKEWED * others else None


def _is_finite(value: Any) -> bool:
    return not isinstance(value, Decimal) or value.is_finite()


def _unscaled(value: Any, column_type: ColumnType) -> int:
    return int(Decimal(value).scaleb(column_type.scale or 0, _EXACT))


def _scaled(number: int, column_type: ColumnType) -> Decimal:
    return Decimal(number).scaleb(-(column_type.scale or 0), _EXACT)


def _microseconds(value: Any, _: ColumnType) -> int:
    return int((value - _EPOCH) // _MICROSECOND)


def _instant(value: Any, _: ColumnType) -> int:
    return int((value - _EPOCH.replace(tzinfo=UTC)) // _MICROSECOND)


# To whole numbers that keep the order, and back.
_SCALES: dict[Kind, tuple[Callable[[Any, ColumnType], int], Callable[[int, ColumnType], Value]]] = {
    Kind.INTEGER: (lambda value, _: int(value), lambda number, _: number),
    Kind.DECIMAL: (_unscaled, _scaled),
    Kind.DATE: (lambda value, _: value.toordinal(), lambda number, _: date.fromordinal(number)),
    Kind.TIMESTAMP: (_microseconds, lambda number, _: _EPOCH + number * _MICROSECOND),
    Kind.TIMESTAMPTZ: (_instant, lambda number, _: _EPOCH.replace(tzinfo=UTC) + number * _MICROSECOND),
}
