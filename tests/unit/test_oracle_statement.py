"""The SELECTs of Oracle sources: quoted names, no value pasted in, no hint that ends its comment, no row in two ranges."""

# ruff: noqa: DTZ001, DTZ901 - Oracle's dates have no zone

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracledb.arrow_impl import ArrowSchemaImpl  # type: ignore[import-not-found]

from extract.extractor import SourceTable
from extract.oracle_extractor.days import day_ranges
from extract.oracle_extractor.routes import oracle_route
from extract.oracle_extractor.statement import (
    OracleTable,
    Range,
    index_hint,
    requested_schema,
    rows_at_a_time,
    select_bounds,
    select_rows,
)
from model.errors import TerminalError, UnsupportedType
from model.types import Column, ColumnType, Kind
from tests.unit.test_oracle_routes import EXACT

PLACED = OracleTable(owner="OSIBANK", name="ACCT")


def table(**hints: str) -> SourceTable:
    return SourceTable(source="DNA", table="ACCT", index_hint=hints.get("index_hint"), date_column=hints.get("date_column"))


@pytest.mark.parametrize(
    ("given_hint", "written"),
    [
        ("IX_ACCT", "/*+ INDEX(t IX_ACCT) */ "),
        ("IX_ONE, IX_TWO", "/*+ INDEX(t IX_ONE IX_TWO) */ "),
        (' IX$1 "Mixed Case" ', '/*+ INDEX(t IX$1 "Mixed Case") */ '),
        ("", ""),
    ],
)
def test_the_hint_names_the_indexes(given_hint: str, written: str) -> None:
    assert index_hint(table(index_hint=given_hint)) == written


@pytest.mark.parametrize(
    "hint",
    [
        "IX */ , (SELECT 1 FROM dual) --",
        'IX"',
        '"a*/b"',
        "INDEX(t IX)",
        "IX;DROP",
        "1X",
        "IX\x00",
        "IX /* x",
        "Ö",
        ",",
        "IX,,",
    ],
)
def test_what_is_no_list_of_indexes_is_refused(hint: str) -> None:
    with pytest.raises(TerminalError, match="SourceIndexHint"):
        index_hint(table(index_hint=hint))


def test_names_of_every_kind_are_quoted() -> None:
    columns = [
        Column(name=name, type=_type("DATE"), source_type="DATE") for name in ("SELECT", "mixed Case", "Größe", "{}", ":x")
    ]
    text = select_rows(table(), OracleTable(owner="My Schema", name="order"), columns)
    assert text == (
        'SELECT t."SELECT" AS C0, t."mixed Case" AS C1, t."Größe" AS C2, t."{}" AS C3, t.":x" AS C4 FROM "My Schema"."order" t'
    )


def test_a_column_without_an_exact_route_is_named() -> None:
    with pytest.raises(UnsupportedType, match=r"DNA\.ACCT: column 'SHAPE' has the type MDSYS\.SDO_GEOMETRY"):
        select_rows(table(), PLACED, [Column(name="SHAPE", type=_type("CLOB"), source_type="MDSYS.SDO_GEOMETRY")])


def test_flashback_binds_its_scn() -> None:
    column = Column(name="AT", type=_type("TIMESTAMP(6) WITH LOCAL TIME ZONE"), source_type="TIMESTAMP(6) WITH LOCAL TIME ZONE")
    utc = 'CAST(SYS_EXTRACT_UTC({}(t."AT")) AS TIMESTAMP(6))'
    assert select_bounds(table(), PLACED, column) == (
        f'SELECT {utc.format("MIN")}, {utc.format("MAX")}, COUNT(*), COUNT(*) - COUNT(t."AT")'
        ' FROM "OSIBANK"."ACCT" AS OF SCN :scn t'
    )


def _type(declared: str) -> ColumnType:
    route = oracle_route(declared)
    assert route
    return route.type


def test_the_requested_schema_is_one_that_python_oracledb_takes_and_polars_reads_as_the_canonical_types() -> None:
    columns = [Column(name=f"N{place}", type=kind, source_type=declared) for place, (declared, kind, *_) in enumerate(EXACT)]
    schema = requested_schema(table(), columns)
    lobs = sum(declared in {"CLOB", "NCLOB", "BLOB"} for declared, *_ in EXACT)
    assert len(schema) == len(columns) + lobs
    ArrowSchemaImpl.from_arrow_schema(schema)  # what fetch_df_batches does with it: it raises for a format it has not
    arrived = pl.DataFrame(schema.empty_table()).dtypes
    for column, dtype in zip(columns, arrived, strict=False):
        assert dtype == (pl.Datetime("us") if column.type.kind is Kind.TIMESTAMPTZ else column.type.dtype), column


def test_large_values_come_in_smaller_batches() -> None:
    small, lob, json = (Column(name="C", type=_type(declared), source_type=declared) for declared in ("DATE", "CLOB", "JSON"))
    assert rows_at_a_time([small], 250_000) == 250_000
    assert rows_at_a_time([small, lob], 250_000) == 5_000
    assert rows_at_a_time([json], 250_000) == 5_000
    assert rows_at_a_time([lob], 100) == 100


class Table:
    """Dates, and the least of them in a range as Oracle would find it."""

    def __init__(self, dates: Sequence[datetime | None]) -> None:
        self.dates = dates
        self.looked_up: list[Range] = []

    def first(self, rows: Range) -> datetime | None:
        self.looked_up.append(rows)
        return min((found for found in self.inside(rows) if found is not None), default=None)

    def inside(self, rows: Range) -> list[datetime | None]:
        low, high = (rows.binds.get(name) for name in ("day_from", "day_to"))
        if rows.predicate.endswith("IS NULL"):
            return [found for found in self.dates if found is None]
        return [
            found
            for found in self.dates
            if (low is None and not rows.predicate)
            or (
                found is not None
                and isinstance(low, datetime)
                and low <= found
                and (not isinstance(high, datetime) or found < high)
            )
        ]


instants = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime.max)
ends = st.sampled_from([datetime(1, 1, 1), datetime(9999, 12, 30, 23, 59, 59), datetime(9999, 12, 31), datetime.max])


@given(dates=st.lists(st.one_of(st.none(), instants, ends), max_size=30))
def test_the_days_hold_every_row_once_and_none_of_them_is_empty(dates: list[datetime | None]) -> None:
    held = Table(dates)
    ranges = list(day_ranges("POSTED", held.first, nullable=True))
    read = [row for rows in ranges for row in held.inside(rows)]
    assert sorted(read, key=repr) == sorted(dates, key=repr)
    assert all(held.inside(rows) for rows in ranges[:-1])


def test_a_gap_of_years_costs_one_look_up() -> None:
    held = Table([datetime(2000, 1, 1, 12), datetime(2026, 7, 31, 23, 59)])
    ranges = list(day_ranges("POSTED", held.first, nullable=False))
    assert [rows.binds for rows in ranges] == [
        {"day_from": datetime(2000, 1, 1), "day_to": datetime(2000, 1, 2)},
        {"day_from": datetime(2026, 7, 31), "day_to": datetime(2026, 8, 1)},
    ]
    assert len(held.looked_up) == 3


def test_no_function_is_around_the_column_and_each_day_is_half_open() -> None:
    held = Table([datetime(2026, 7, 31) + timedelta(hours=3), None])
    day, without = day_ranges('x"y', held.first, nullable=True)
    assert day.predicate == 't."x""y" >= :day_from AND t."x""y" < :day_to'
    assert without == Range(predicate='t."x""y" IS NULL')


def test_a_column_that_cannot_be_null_is_not_asked_for_nulls() -> None:
    assert not list(day_ranges("POSTED", Table([]).first, nullable=False))
