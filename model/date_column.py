"""The date column of a large table: how a window's ends look among its values, and which values lie in a window. Pure.

A column of dates or timestamps is what its type says. A whole number is a date as yyyymmdd. Text is a date in the format that
SourceAggregateColumnType declares, which must begin with the year: only then the order of the texts is that of the days, and
an index on the column serves. What is a date or a timestamp at the source but travels as text is compared as what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from model.errors import UnusableDateColumn
from model.region import Region
from model.types import Column, Kind
from model.windows import NO_DATE, Interval

T = TypeVar("T")
Value = int | Decimal | date | datetime | str
_FORMAT = re.compile(r"YYYY(?P<first>[-/. ]?)MM(?P<second>[-/. ]?)DD(?:[ T]?HH.*)?", re.ASCII)
# Types of timestamps, of any source, that are carried as text for what they hold beyond microseconds in one zone.
_ZONED_TEXT = re.compile(r"datetimeoffset|timestamp.*with time zone|timestamptz|TIMESTAMP WITH TIME ZONE_NS", re.IGNORECASE)
_NAIVE_TEXT = re.compile(r"datetime2|timestamp|datetime", re.IGNORECASE)
_MOMENT = r"^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?)?"
_OFFSET = r" ?([+-])(\d{2}):?(\d{2})?"
# What may stand behind the moment: an offset, with the name of its region behind it, or what means UTC.
_ZONED = _MOMENT + r" ?(?:Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?(?: .*)?)?$"
# The clocks of no two places on Earth differ by more.
_FARTHEST = timedelta(hours=26)
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - of any clock


@dataclass(frozen=True, slots=True, kw_only=True)
class DateColumn:
    """A date column, and the time zone of its source, in which instants are days."""

    column: Column
    zone: ZoneInfo
    spelled: Callable[[datetime], Value]
    """A naive moment of the source's clock as a value of the column."""
    comparable: Callable[[pl.Series], pl.Series]
    """The column's values as they are compared with such values."""
    stored: Callable[[datetime], Value]
    """The same moment among the values that the warehouse stores."""
    margin: timedelta = timedelta()
    """By how much stored values may lie aside of the moment that they mean: texts of other offsets."""
    has_time: bool = True

    def ends(self, window: Interval) -> tuple[Value | None, Value | None]:
        """From where to below where the values of a window lie at the source; both None for NULL."""
        return _ends(window, self.spelled)

    def stored_ends(self, window: Interval) -> tuple[Value | None, Value | None]:
        """The same for stored values; with a margin they enclose some of other windows too."""
        start, end = window.start, window.end
        return _ends(window, self.stored, start and start - self.margin, end and end + self.margin)

    def enclosing(self, windows: Iterable[Interval], dates: Iterable[pl.Series] = ()) -> Region | None:
        """What encloses the stored rows of windows, and those of the `dates` that they hold; None where that is no range."""
        ends: list[tuple[Any, Any]] = [self.stored_ends(window) for window in windows]
        # The greatest date has no end of its own kind behind it.
        ends += [(None if values.null_count() else values.min(), None) for values in dates if len(values)]
        if not ends or any(start is None for start, _ in ends):
            return None
        end = None if any(stop is None for _, stop in ends) else max(stop for _, stop in ends)
        return Region(column=self.column.name, start=min(start for start, _ in ends), end=end)

    def within_any(self, values: pl.Series, windows: Iterable[Interval]) -> pl.Series:
        """Which values lie in one of the windows."""
        found = pl.repeat(value=False, n=len(values), dtype=pl.Boolean, eager=True)
        for window in windows if len(values) else ():
            found |= self.within(values, window)
        return found

    def days(self, values: pl.Series) -> pl.Series:
        """The day of each value of the column, in the dtype that it travels in, or what is alike for all values of one."""
        comparable = self.comparable(values)
        match comparable.dtype:
            case pl.Datetime() as instants:
                local = comparable.dt.convert_time_zone(self.zone.key) if instants.time_zone else comparable
                return local.dt.date()
            case pl.String:
                return comparable.str.head(len(str(self.spelled(_SOME_DAY))))
            case _:
                return comparable

    def within(self, values: pl.Series, window: Interval) -> pl.Series:
        """Which values of the column, in the dtype that they travel in, lie in a window."""
        if window == NO_DATE:
            return values.is_null()
        start, end = self.ends(window)
        comparable = self.comparable(values)
        within = comparable.is_not_null()
        if start is not None:
            within &= comparable >= start
        if end is not None:
            within &= comparable < end
        return within.fill_null(value=False)


def _ends(
    window: Interval, spelled: Callable[[datetime], Value], start: datetime | None = None, end: datetime | None = None
) -> tuple[Value | None, Value | None]:
    first, last = start or window.start, end or window.end
    return (spelled(first) if first else None, spelled(last) if last else None)


def date_column(table: str, column: Column, declared: str | None, zone: ZoneInfo) -> DateColumn:
    """How windows look in a column; `declared` is SourceAggregateColumnType, which only columns of text need.

    Raises:
        UnusableDateColumn: its type has no order of days, or its format is not declared or does not begin with the year.
    """
    match column.type.kind:
        case Kind.DATE:
            return _of(column, zone, datetime.date, has_time=False)
        case Kind.TIMESTAMP:
            return _of(column, zone, _itself)
        case Kind.TIMESTAMPTZ:
            return _of(column, zone, lambda moment: _instant(moment, zone))
        case Kind.INTEGER | Kind.DECIMAL if column.type.kind is Kind.INTEGER or column.type.scale == 0:
            number = int if column.type.kind is Kind.INTEGER else Decimal
            return _of(column, zone, lambda moment: number(f"{moment:%Y%m%d}"), has_time=False)
        case Kind.TEXT:
            return _text_column(table, column, declared, zone)
    raise UnusableDateColumn(
        f"{table}: SourceAggregateColumnName {column.name!r} is {column.source_type or column.type}, which holds no dates.",
        remedy="Name a column of dates, timestamps, whole numbers as yyyymmdd or text that begins with the year.",
    )


def _of(column: Column, zone: ZoneInfo, spelled: Callable[[datetime], Value], *, has_time: bool = True) -> DateColumn:
    return DateColumn(column=column, zone=zone, spelled=spelled, comparable=_itself, stored=spelled, has_time=has_time)


def _text_column(table: str, column: Column, declared: str | None, zone: ZoneInfo) -> DateColumn:
    if _ZONED_TEXT.search(column.source_type):
        return DateColumn(
            column=column,
            zone=zone,
            spelled=lambda moment: _instant(moment, zone),
            comparable=partial(_instants, table, column.name),
            stored=_as_text,
            margin=_FARTHEST,
        )
    if _NAIVE_TEXT.search(column.source_type):
        return DateColumn(
            column=column, zone=zone, spelled=_itself, comparable=_moments, stored=_as_text
        )
    found = _FORMAT.fullmatch((declared or "").strip().upper())
    if found is None:
        raise UnusableDateColumn(
            f"{table}: SourceAggregateColumnName {column.name!r} is text, and SourceAggregateColumnType is "
            f"{'not set' if not declared else 'no format that begins with year, month and day'}.",
            remedy="Set SourceAggregateColumnType to the format, like YYYY-MM-DD or YYYYMMDD. Where the year does not come first "
            "no range of texts is a day: name another column, or load a view with a date.",
        )
    pattern = f"%Y{found['first']}%m{found['second']}%d"
    return _of(column, zone, lambda moment: moment.strftime(pattern), has_time=False)


def _itself(value: T) -> T:
    return value


def _instant(moment: datetime, zone: ZoneInfo) -> datetime:
    # The first of two, where clocks are put back; what lies between two such moments leaves no gap and comes once.
    return moment.replace(tzinfo=zone).astimezone(UTC)


def _as_text(moment: datetime) -> str:
    """Below no spelling of the same moment: midnight as its day alone."""
    return f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00")


def _moments(values: pl.Series) -> pl.Series:
    """'2026-11-25 10:00:00.1234567', with or without an offset behind it or a time, as a naive timestamp."""
    day, minute, second = (values.str.extract(_MOMENT, group) for group in (1, 2, 3))
    spelled = day + " " + minute.fill_null("00:00") + second.fill_null(":00")
    return spelled.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)


def _instants(table: str, column: str, values: pl.Series) -> pl.Series:
    """'2026-11-25 10:00:00.1234567 +01:00' as an instant; without an offset it is UTC.

    Raises:
        UnusableDateColumn: something else stands behind a moment, so that it is not known which instant it is.
    """
    if (values.str.contains(_MOMENT) & ~values.str.contains(_ZONED)).any():
        raise UnusableDateColumn(
            f"{table}: column {column!r} holds times with a zone of a form that cannot be read.",
            remedy="+01:00, +0100, +01, Z and UTC can. Load a view that writes it so, or name another date column.",
        )
    sign, hours, minutes = (values.str.extract(_MOMENT + _OFFSET, group) for group in (4, 5, 6))
    offset = (hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64).fill_null(0)).fill_null(0)
    ahead = (offset * 60_000_000).cast(pl.Duration("us"))
    local = _moments(values)
    behind = (sign == "-").fill_null(value=False)
    return (local - ahead).zip_with(~behind, local + ahead).dt.replace_time_zone("UTC")
