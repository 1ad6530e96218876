"""Which values of a date column lie in a window, and how its ends look at the source and in the warehouse."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from model.date_column import date_column
from model.errors import UnusableDateColumn
from model.region import Region
from model.types import DATE, TEXT, TIMESTAMP, TIMESTAMPTZ, Column, ColumnType, decimal, integer
from model.windows import NO_DATE, day_window, later_window

BERLIN = ZoneInfo("Europe/Berlin")
DAY = day_window(date(2026, 10, 25))  # of 25 hours in Berlin


def column(kind: ColumnType, source_type: str = "") -> Column:
    return Column(name="D", type=kind, source_type=source_type)


def at(day: int, hour: int = 0, **more: int) -> datetime:
    return datetime(2026, 10, day, hour, **more)  # type: ignore[arg-type] # noqa: DTZ001


def utc(day: int, hour: int = 0) -> datetime:
    return at(day, hour).replace(tzinfo=UTC)


OFFSETS = ["2026-10-25 00:00:00.0000000 +02:00", "2026-10-25 23:59:59.9999999 +01:00", "2026-10-25 10:00:00.1 -05:00 US/Eastern"]
SPELLED = ["2026-10-25T00:00:00+0200", "2026-10-25 23:59:59+01", "2026-10-24T22:00Z", "2026-10-25 12:00 UTC", "2026-10-25 12:00"]
CASES: list[tuple[str, Column, str | None, tuple[Any, Any], list[Any], list[Any]]] = [
    ("date", column(DATE), None, (date(2026, 10, 25), date(2026, 10, 26)), [date(2026, 10, 25)], [date(2026, 10, 26)]),
    ("timestamp", column(TIMESTAMP), None, (at(25), at(26)), [at(25), at(25, 23, microsecond=999_999)], [at(26), at(24, 23)]),
    # Summer time ends in the night: the day begins at ten in the evening before, in UTC, and ends at eleven.
    ("instant", column(TIMESTAMPTZ), None, (utc(24, 22), utc(25, 23)), [utc(24, 22), utc(25, 22)], [utc(25, 23), utc(24, 21)]),
    ("number", column(integer(32)), None, (20261025, 20261026), [20261025], [20261026, 0, 99999999]),
    ("decimal", column(decimal(8, 0)), None, (Decimal(20261025), Decimal(20261026)), [Decimal(20261025)], [Decimal(20261024)]),
    ("text", column(TEXT), "YYYY-MM-DD", ("2026-10-25", "2026-10-26"), ["2026-10-25", "2026-10-25 23:59"], ["2026-10-26"]),
    ("packed", column(TEXT), "yyyymmddhh24miss", ("20261025", "20261026"), ["20261025235959"], ["20261026000000", ""]),
    ("naive text", column(TEXT, "datetime2(7)"), None, (at(25), at(26)), ["2026-10-25 23:59:59.9", "2026-10-25"], ["2026-10-26"]),
    ("zoned text", column(TEXT, "datetimeoffset(7)"), None, (utc(24, 22), utc(25, 23)), OFFSETS, ["2026-10-25 23:30:00 +00:00"]),
    ("other zones", column(TEXT, "timestamptz"), None, (utc(24, 22), utc(25, 23)), SPELLED, ["2026-10-25T23:30Z", "later"]),
]


@pytest.mark.parametrize(("which", "declared", "ends", "inside", "outside"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_window_in_each_kind_of_column(
    which: Column, declared: str | None, ends: tuple[Any, Any], inside: list[Any], outside: list[Any]
) -> None:
    dates = date_column("T", which, declared, BERLIN)
    assert dates.ends(DAY) == ends
    values = pl.Series([*inside, *outside, None], dtype=which.type.dtype)
    assert dates.within(values, DAY).to_list() == [True] * len(inside) + [False] * (len(outside) + 1)
    assert dates.within(values, NO_DATE).to_list() == [False] * (len(values) - 1) + [True]
    assert dates.ends(NO_DATE) == dates.stored_ends(NO_DATE) == (None, None)
    assert dates.ends(later_window(date(2026, 10, 25))) == (ends[0], None)


def test_stored_texts_of_other_offsets_are_enclosed() -> None:
    dates = date_column("T", column(TEXT, "TIMESTAMP(6) WITH TIME ZONE"), None, BERLIN)
    start, end = dates.stored_ends(DAY)
    # The last minute of the day in Berlin, where it is a day later, and its first where it is a day earlier.
    assert start <= "2026-10-24 10:00:00 -12:00"  # type: ignore[operator]
    assert end > "2026-10-26 13:00:00 +14:00"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("which", "declared", "said"),
    [
        (column(TEXT, "VARCHAR2(10)"), None, "is not set"),
        (column(TEXT, "VARCHAR2(10)"), "DD.MM.YYYY", "begins with year"),
        (column(decimal(8, 2)), None, "holds no dates"),
        (column(ColumnType(kind="boolean")), None, "holds no dates"),  # type: ignore[arg-type]
    ],
)
def test_what_holds_no_days_in_order_is_refused(which: Column, declared: str | None, said: str) -> None:
    with pytest.raises(UnusableDateColumn, match=said):
        date_column("T", which, declared, BERLIN)


@pytest.mark.parametrize("value", ["2026-10-25 10:00:00 CET", "2026-10-25 10:00 +1:00", "2026-10-25 10:00:00 Europe/Berlin"])
def test_a_zone_that_cannot_be_read_is_refused_by_column(value: str) -> None:
    dates = date_column("CRM.T", column(TEXT, "timestamptz"), None, BERLIN)
    with pytest.raises(UnusableDateColumn, match=r"CRM\.T: column 'D' holds times with a zone .* \+01:00") as caught:
        dates.within(pl.Series([None, "2026-10-25 10:00:00Z", value]), DAY)
    assert value not in str(caught.value)


def test_what_encloses_windows_and_dates() -> None:
    dates = date_column("T", column(DATE), None, BERLIN)
    days = [day_window(date(2026, 10, day)) for day in (25, 20)]
    held = pl.Series([date(2026, 10, 3), date(2026, 10, 9)])
    assert ends_of(dates.enclosing(days)) == (date(2026, 10, 20), date(2026, 10, 26))
    assert ends_of(dates.enclosing([*days, later_window(date(2026, 10, 27))])) == (date(2026, 10, 20), None)
    assert ends_of(dates.enclosing(days, [held, held.clear()])) == (date(2026, 10, 3), None)
    assert ends_of(dates.enclosing([], [held])) == (date(2026, 10, 3), None)


def test_rows_without_a_date_lie_in_no_range() -> None:
    dates = date_column("T", column(DATE), None, BERLIN)
    held = pl.Series([date(2026, 10, 3), None])
    assert dates.enclosing([DAY, NO_DATE]) is None
    assert dates.enclosing([DAY], [held]) is None
    assert dates.enclosing([]) is None


def ends_of(region: Region | None) -> tuple[Any, Any]:
    assert region is not None
    assert region.column == "D"
    return region.start, region.end
