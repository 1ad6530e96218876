"""Ranges of PartitionOn hold every value exactly once, whatever they were planned with, in Python and in SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from extract.connectorx_extractor.literals import sqlite_literal
from extract.partitions import Bounds, Part, Range, can_split, plan_ranges, skewed
from model.types import BOOLEAN, DATE, FLOAT64, TEXT, TIMESTAMP, TIMESTAMPTZ, Column, ColumnType, decimal, integer

INT64 = st.integers(-(2**63), 2**64 - 1)
KINDS: list[tuple[ColumnType, st.SearchStrategy[Any]]] = [
    (integer(64), INT64),
    (decimal(38, 0), st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal)),
    (decimal(38, 38), st.integers(-(10**38) + 1, 10**38 - 1).map(lambda digits: Decimal(f"{digits}E-38"))),
    (decimal(9, 2), st.decimals(-9_999_999, 9_999_999, places=2)),
    (DATE, st.dates()),
    (TIMESTAMP, st.datetimes()),
    (TIMESTAMPTZ, st.datetimes(timezones=st.just(UTC))),
]
AN_ORDER = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(
        st.just(kind[0]), st.lists(st.none() | kind[1], min_size=1, max_size=12), st.lists(kind[1], max_size=5)
    )
)


def planned(column_type: ColumnType, values: list[Any], wanted: int, least_rows: int = 1) -> tuple[Range, ...]:
    held = [value for value in values if value is not None]
    ends = (min(held), max(held)) if held else (None, None)
    bounds = Bounds(least=ends[0], greatest=ends[1], rows=len(values), nulls=len(values) - len(held))
    return plan_ranges(column_type, bounds, wanted, least_rows)


def shown(one: Range) -> str:
    return str(Part(column=Column(name="v", type=integer(64)), range=one).condition(sa.column, sqlite_literal))


@given(AN_ORDER, st.integers(1, 9))
def test_every_value_falls_into_exactly_one_range(order: tuple[ColumnType, list[Any], list[Any]], wanted: int) -> None:
    """Those that were planned with, those outside of them, and NULL."""
    column_type, values, others = order
    ranges = planned(column_type, values, wanted)
    assert 1 <= len(ranges) <= wanted
    for value in (*values, *others, None):
        assert sum(one.holds(value) for one in ranges) == 1, (value, ranges)


@given(AN_ORDER, st.integers(2, 9))
def test_the_ends_of_ranges_rise(order: tuple[ColumnType, list[Any], list[Any]], wanted: int) -> None:
    column_type, values, _ = order
    *ends, last = [one.end for one in planned(column_type, values, wanted) if one.values]
    assert last is None
    assert all(a < b for a, b in pairwise(ends))  # type: ignore[operator]


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30), st.integers(1, 6))
def test_sql_holds_what_python_holds(values: list[int | None], wanted: int) -> None:
    ranges = planned(integer(64), values, wanted)
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (v)")
        connection.exec_driver_sql("INSERT INTO t VALUES (?)", [(value,) for value in values])
        for one in ranges:
            found = [value for (value,) in connection.exec_driver_sql(f"SELECT v FROM t WHERE {shown(one)}")]
            assert sorted(found, key=repr) == sorted((v for v in values if one.holds(v)), key=repr)
    engine.dispose()


def test_a_decimal_is_written_without_an_exponent() -> None:
    """An exponent would make a float of it."""
    ranges = planned(decimal(38, 38), [Decimal("1E-38"), Decimal("5E-38")], 2)
    assert shown(ranges[0]) == f"v < 0.{'0' * 37}3 OR v IS NULL"


@pytest.mark.parametrize(
    ("column_type", "values", "texts"),
    [
        (integer(32), [0, 9], ["v < 5 OR v IS NULL", "v >= 5"]),
        (DATE, [date(2024, 1, 1), date(2024, 1, 10)], ["v < '2024-01-06' OR v IS NULL", "v >= '2024-01-06'"]),
        (
            TIMESTAMP,
            [datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2024-01-01 00:00:00.000002")],
            ["v < '2024-01-01 00:00:00.000001' OR v IS NULL", "v >= '2024-01-01 00:00:00.000001'"],
        ),
    ],
)
def test_a_range_as_text(column_type: ColumnType, values: list[Any], texts: list[str]) -> None:
    assert [shown(one) for one in planned(column_type, values, 2)] == texts


def test_nulls_have_a_range_of_their_own_where_they_are_many() -> None:
    few, many = planned(integer(32), [*range(99), None], 3), planned(integer(32), [*range(50), *[None] * 50], 3)
    assert [(one.nulls, one.values) for one in few] == [(True, True), (False, True), (False, True)]
    assert [(one.nulls, one.values) for one in many] == [(True, False), (False, True), (False, True)]
    assert shown(many[0]) == "v IS NULL"


@pytest.mark.parametrize(
    ("values", "wanted", "least_rows", "ranges"),
    [
        ([], 3, 1, 1),
        ([None, None], 3, 1, 1),
        ([7, 7, 7], 3, 1, 1),
        ([7, 8, 8], 3, 1, 2),
        (list(range(100)), 3, 34, 2),
        (list(range(100)), 3, 51, 1),
        ([7, *[None] * 9], 3, 1, 2),
    ],
)
def test_no_more_ranges_than_there_is_to_split(values: list[Any], wanted: int, least_rows: int, ranges: int) -> None:
    assert len(planned(integer(32), values, wanted, least_rows)) == ranges


def test_a_nan_is_not_split_by() -> None:
    bounds = Bounds(least=Decimal(1), greatest=Decimal("NaN"), rows=100, nulls=0)
    assert plan_ranges(decimal(9, 2), bounds, 3) == (Range(nulls=True),)


@pytest.mark.parametrize(
    ("counts", "place"),
    [([], None), ([9], None), ([9, 1], 0), ([3, 1], None), ([1, 4], 1), ([10, 10, 31], 2), ([10, 10, 30], None)],
)
def test_one_range_of_more_than_three_times_the_others_is_skewed(counts: list[int], place: int | None) -> None:
    assert skewed(counts) == place


def test_which_types_have_ranges() -> None:
    kinds = (integer(8), decimal(3, 1), DATE, TIMESTAMP, TIMESTAMPTZ, TEXT, FLOAT64, BOOLEAN)
    assert [can_split(Column(name="c", type=kind, source_type="")) for kind in kinds] == [True] * 5 + [False] * 3
