"""Conforming a frame: every value arrives exact or is refused by column; nothing is rounded, shifted, trimmed or repaired."""

from __future__ import annotations

import math
import traceback
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from model.conform import conform
from model.errors import IncompleteExtract, UnsupportedType, ValueNotExact
from model.types import (
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    Column,
    ColumnType,
    Kind,
    decimal,
    integer,
)

LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - instants travel naive
FIRST = datetime(1, 1, 1)  # noqa: DTZ001


def conformed(series: pl.Series, column_type: ColumnType) -> pl.Series:
    frame = conform("DNA.ACCT", pl.DataFrame({"BALANCE": series}), [Column(name="BALANCE", type=column_type)])
    assert frame.schema == {"BALANCE": column_type.dtype}
    return frame.get_column("BALANCE")


def decimals(*values: str | None, scale: int, precision: int = 38) -> pl.Series:
    return pl.Series([None if v is None else Decimal(v) for v in values], dtype=pl.Decimal(precision, scale))


def us(*values: datetime | None) -> pl.Series:
    return pl.Series(values, dtype=pl.Datetime("us"))


MIDNIGHT = datetime(9999, 12, 31)  # noqa: DTZ001
BEFORE_EPOCH = datetime(1969, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
NINES, MINUS_NINES = Decimal("9" * 38), Decimal("-" + "9" * 38)
LONG = Decimal("12345678901234567890.25")

EXACT: dict[str, tuple[pl.Series, ColumnType, list[object]]] = {
    "whole floats": (pl.Series([1.0, None, -(2.0**53)]), integer(64), [1, None, -(2**53)]),
    "a narrower integer that fits": (pl.Series([127, -128, None]), integer(8), [127, -128, None]),
    "integers as decimals": (pl.Series([7, None]), decimal(10, 2), [Decimal("7.00"), None]),
    "a scale that loses zeros": (decimals("1.5000", "-0.01", scale=4), decimal(9, 2), [Decimal("1.50"), Decimal("-0.01")]),
    "a wider scale": (decimals("1.5", scale=1), decimal(38, 20), [Decimal("1.5")]),
    "all 38 digits": (decimals("9" * 38, "-" + "9" * 38, scale=0), decimal(38, 0), [NINES, MINUS_NINES]),
    "text as a decimal": (pl.Series([str(LONG), "-0.50", None]), decimal(38, 2), [LONG, Decimal("-0.50"), None]),
    "a float that fits 32 bits": (pl.Series([0.5, math.inf, None]), FLOAT32, [0.5, math.inf, None]),
    "the last microsecond": (us(LAST, FIRST, None), TIMESTAMP, [LAST, FIRST, None]),
    "milliseconds": (us(FIRST).cast(pl.Datetime("ms")), TIMESTAMP, [FIRST]),
    "dates as timestamps": (pl.Series([MIDNIGHT.date(), FIRST.date()]), TIMESTAMP, [MIDNIGHT, FIRST]),
    "midnights as dates": (us(FIRST), DATE, [date(1, 1, 1)]),
    "whole microseconds": (pl.Series([-1_000], dtype=pl.Datetime("ns")), TIMESTAMP, [BEFORE_EPOCH]),
    "text as it is": (pl.Series([" a\t\n", "", None, "\x00", "\U0001f600"]), TEXT, [" a\t\n", "", None, "\x00", "\U0001f600"]),
    "a time of 24:00:00": (pl.Series(["24:00:00"]), TIME, ["24:00:00"]),
    "all NULL": (pl.Series([None, None], dtype=pl.Null), decimal(18, 2), [None, None]),
    "no rows": (pl.Series([], dtype=pl.String), integer(8), []),
}


@pytest.mark.parametrize("case", EXACT)
def test_a_value_that_fits_arrives_as_it_is(case: str) -> None:
    series, column_type, values = EXACT[case]
    assert conformed(series, column_type).to_list() == values


def test_another_time_zone_arrives_as_the_same_instant_in_utc() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    series = pl.Series([datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=zurich) for fold in (0, 1)])
    assert conformed(series, TIMESTAMPTZ).to_list() == [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]


def test_nan_stays_nan() -> None:
    [value] = conformed(pl.Series([math.nan]), FLOAT32).to_list()
    assert math.isnan(value)


INEXACT: dict[str, tuple[pl.Series, ColumnType]] = {
    "a fraction as an integer": (pl.Series([4711.5]), integer(64)),
    "NaN as an integer": (pl.Series([math.nan]), integer(64)),
    "infinity as an integer": (pl.Series([math.inf]), integer(64)),
    "an integer too wide": (pl.Series([4711]), integer(8)),
    "a negative as unsigned": (pl.Series([-4711]), integer(64, unsigned=True)),
    "an integer beyond 53 bits as a float": (pl.Series([2**53 + 1]), FLOAT64),
    "the greatest integer as a float": (pl.Series([2**63 - 1]), FLOAT64),
    "two as a boolean": (pl.Series([2]), BOOLEAN),
    "half a cent": (decimals("4711.005", scale=3), decimal(10, 2)),
    "half a cent to even": (decimals("4711.015", scale=3), decimal(10, 2)),
    "the last of 38 digits": (decimals("0." + "1" * 38, scale=38), decimal(38, 37)),
    "digits too many": (decimals("47110815", scale=0), decimal(5, 0)),
    "38 digits and a scale": (decimals("9" * 38, scale=0), decimal(38, 2)),
    "a decimal as a float": (decimals("12345678901234567.68", scale=2), FLOAT64),
    "a float as a decimal": (pl.Series([1e22]), decimal(38, 2)),
    "a short float as a decimal": (pl.Series([0.1]), decimal(38, 2)),
    "a narrow float as a decimal": (pl.Series([0.5], dtype=pl.Float32), decimal(38, 2)),
    "a decimal as a fraction of an integer": (decimals("4711.5", scale=1), integer(64)),
    "a float of 64 bits in 32": (pl.Series([0.1]), FLOAT32),
    "a great float in 32 bits": (pl.Series([1e300]), FLOAT32),
    "text with a digit too many": (pl.Series(["4711.005"]), decimal(10, 2)),
    "text with a blank": (pl.Series([" 4711.00"]), decimal(10, 2)),
    "text that is no number": (pl.Series(["4711x"]), integer(64)),
    "text with leading zeros": (pl.Series(["04711"]), integer(64)),
    "text that is empty": (pl.Series([""]), integer(64)),
    "nanoseconds": (pl.Series([4711], dtype=pl.Datetime("ns")), TIMESTAMP),
    "a time of day as a date": (us(datetime(2026, 1, 1, 0, 0, 0, 1)), DATE),  # noqa: DTZ001
    "an instant as a wall clock": (us(FIRST).dt.replace_time_zone("Europe/Zurich"), TIMESTAMP),
    "an instant as a date": (us(FIRST).dt.replace_time_zone("UTC"), DATE),
    "bytes that are no text": (pl.Series([b"4711\xff"]), TEXT),
    "a list as text": (pl.Series([["4711"]]), TEXT),
    "a struct as text": (pl.Series([{"a": 4711}]), TEXT),
    "an object as text": (pl.Series(["4711"], dtype=pl.Object), TEXT),
}


@pytest.mark.parametrize("case", INEXACT)
def test_a_value_that_does_not_fit_is_refused_by_column_and_never_shown(case: str) -> None:
    series, column_type = INEXACT[case]
    with pytest.raises(ValueNotExact) as caught:
        conformed(pl.concat([series, series.clear(1)]), column_type)
    assert "DNA.ACCT: column 'BALANCE' arrived as" in str(caught.value)
    assert str(column_type) in str(caught.value)
    assert caught.value.remedy
    # A log holds the traceback with its causes, and those of polars quote values.
    assert "4711" not in "".join(traceback.format_exception(caught.value))


def test_columns_come_in_the_catalogues_order_and_no_others() -> None:
    frame = pl.DataFrame({"c": ["x"], "extra": [1], "a": [1]})
    columns = [Column(name="a", type=integer(64)), Column(name="c", type=TEXT)]
    assert conform("DNA.ACCT", frame, columns).equals(pl.DataFrame({"a": [1], "c": ["x"]}))


def test_missing_columns_are_all_named() -> None:
    columns = [Column(name=name, type=TEXT) for name in ("ID", "NAME", "CITY")]
    with pytest.raises(IncompleteExtract, match=r"DNA\.ACCT: the extract lacks the columns NAME, CITY"):
        conform("DNA.ACCT", pl.DataFrame({"ID": ["1"]}), columns)


def test_the_type_of_an_all_null_frame_is_the_catalogues() -> None:
    # Type drift between all-NULL days.
    columns = [Column(name="a", type=decimal(18, 2)), Column(name="b", type=TIMESTAMP)]
    empty = pl.DataFrame({"a": [None], "b": [None]})
    full = pl.DataFrame({"a": [Decimal("1.25")], "b": [FIRST]})
    assert conform("T", empty, columns).schema == conform("T", full, columns).schema


def test_only_hashable_dtypes_leave() -> None:
    unhashable = Column(name="d", type=Durations(kind=Kind.TEXT))
    with pytest.raises(UnsupportedType, match=r"DNA\.ACCT: column 'd' arrived as Duration"):
        conform("DNA.ACCT", pl.DataFrame({"d": pl.Series([None], dtype=pl.Duration())}), [unhashable])


class Durations(ColumnType):
    """A type that a later version may add and forget to make hashable."""

    @property
    def dtype(self) -> pl.DataType:
        return pl.Duration()
