"""Rows of an Oracle table that are asked for: bare columns, values as binds of the column's type, converted on their own side."""

# ruff: noqa: DTZ001 - Oracle's dates have no zone

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import oracledb
import polars as pl
import pytest

from extract import partitions
from extract.extractor import SourceTable
from extract.oracle_extractor.routes import oracle_route
from extract.oracle_extractor.selection import part, selected
from extract.oracle_extractor.statement import Bound, Range
from extract.selection import Between, Value, WithKeys
from model.errors import TerminalError
from model.types import Column

TABLE = SourceTable(source="DNA", table="RTXN")
FORMAT = "SYYYY-MM-DD HH24:MI:SS.FF9"
LOCAL = "CAST({} AS TIMESTAMP(9) WITH LOCAL TIME ZONE)"
ZONED = f"TO_TIMESTAMP_TZ(:v0, '{FORMAT} TZH:TZM')"
NOON, MICRO = datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 12, 0, 0, 1)
EAST = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
TEXT = "2026-07-01 12:00:00.123456789"


def column(declared: str, name: str = "C") -> Column:
    route = oracle_route(declared)
    assert route
    return Column(name=name, type=route.type, source_type=declared)


def only(selection: Between | WithKeys) -> Range:
    [rows] = selected(TABLE, selection)
    return rows


@pytest.mark.parametrize(
    ("declared", "value", "sql", "kind", "bound"),
    [
        ("DATE", NOON, ":v0", oracledb.DB_TYPE_DATE, NOON),
        ("DATE", MICRO, ":v0", oracledb.DB_TYPE_TIMESTAMP, MICRO),
        ("TIMESTAMP(6)", NOON, ":v0", oracledb.DB_TYPE_TIMESTAMP, NOON),
        ("TIMESTAMP(9)", MICRO, ":v0", oracledb.DB_TYPE_TIMESTAMP, MICRO),
        ("TIMESTAMP(9)", TEXT, f"TO_TIMESTAMP(:v0, '{FORMAT}')", oracledb.DB_TYPE_VARCHAR, f" {TEXT}"),
        ("TIMESTAMP(9)", f"-{TEXT}", f"TO_TIMESTAMP(:v0, '{FORMAT}')", oracledb.DB_TYPE_VARCHAR, f"-{TEXT}"),
        ("TIMESTAMP(6) WITH TIME ZONE", EAST, "FROM_TZ(:v0, '+00:00')", oracledb.DB_TYPE_TIMESTAMP, datetime(2026, 7, 1, 10)),
        (
            "TIMESTAMP(6) WITH TIME ZONE",
            f"{TEXT} +02:00 Europe/Berlin",
            ZONED,
            oracledb.DB_TYPE_VARCHAR,
            f" {TEXT} +02:00",
        ),
        (
            "TIMESTAMP(6) WITH LOCAL TIME ZONE",
            EAST.astimezone(UTC),
            LOCAL.format("FROM_TZ(:v0, '+00:00')"),
            oracledb.DB_TYPE_TIMESTAMP,
            datetime(2026, 7, 1, 10),
        ),
        ("TIMESTAMP(9) WITH LOCAL TIME ZONE", f"{TEXT} +00:00", LOCAL.format(ZONED), oracledb.DB_TYPE_VARCHAR, f" {TEXT} +00:00"),
        ("NUMBER(8,0)", Decimal(20260701), ":v0", oracledb.DB_TYPE_NUMBER, Decimal(20260701)),
        ("NUMBER", "1E+125", ":v0", oracledb.DB_TYPE_NUMBER, Decimal("1E+125")),
        ("BINARY_DOUBLE", 0.1, ":v0", oracledb.DB_TYPE_BINARY_DOUBLE, 0.1),
        ("CHAR(8)", "20260701", ":v0", oracledb.DB_TYPE_CHAR, "20260701"),
        ("NVARCHAR2(9)", "Ω", ":v0", oracledb.DB_TYPE_NVARCHAR, "Ω"),
        ("INTERVAL DAY(2) TO SECOND(6)", "+000000001 00:00:00.0", "TO_DSINTERVAL(:v0)", oracledb.DB_TYPE_VARCHAR, None),
    ],
)  # fmt: skip
def test_a_value_is_bound_as_its_column_is(
    declared: str, value: Value, sql: str, kind: oracledb.DbType, bound: object
) -> None:
    rows = only(Between(column=column(declared, "a:b %"), start=value))
    assert rows == Range(predicate=f't."a:b %" >= {sql}', binds={"v0": Bound(type=kind, value=value if bound is None else bound)})


def test_no_value_stands_in_the_sql_and_composite_keys_are_compared_column_by_column() -> None:
    columns = (column("VARCHAR2(20)", "A"), column("NUMBER(4,0)", "B"))
    keys = pl.DataFrame({"A": ["' OR 1=1 --", ":x"], "B": [1, 2]}, {"A": pl.String, "B": pl.Decimal(4, 0)})
    rows = only(WithKeys(columns=columns, keys=keys))
    assert rows.predicate == 't."A" = :v0 AND t."B" = :v1 OR t."A" = :v2 AND t."B" = :v3'
    values = [bound.value for bound in rows.binds.values() if isinstance(bound, Bound)]
    assert values == ["' OR 1=1 --", Decimal(1), ":x", Decimal(2)]


def test_ends_are_half_open_and_none_are_nulls() -> None:
    posted = column("DATE", "POSTED")
    both = only(Between(column=posted, start=NOON, end=NOON + timedelta(days=1)))
    assert both.predicate == 't."POSTED" >= :v0 AND t."POSTED" < :v1'
    assert only(Between(column=posted)) == Range(predicate='t."POSTED" IS NULL')


@pytest.mark.parametrize(("declared", "value"), [("CLOB", "x"), ("BLOB", b"x"), ("DATE", "2026-07-01"), ("NUMBER", "2026-07-01")])
def test_what_oracle_cannot_compare_is_refused_by_name_and_without_the_value(declared: str, value: Value) -> None:
    with pytest.raises(TerminalError, match=rf"^DNA\.RTXN: column 'C' \({declared}\)") as caught:
        only(Between(column=column(declared), start=value))
    assert "2026" not in str(caught.value)


def test_ranges_hold_every_row_once_with_the_nulls() -> None:
    ranges = partitions.plan_ranges(
        column("NUMBER(9,0)").type, partitions.Bounds(least=1, greatest=9, rows=90, nulls=0), 3
    )  # fmt: skip
    assert [part(TABLE, column("NUMBER(9,0)"), one).predicate for one in ranges] == [
        't."C" < :v0 OR t."C" IS NULL',
        't."C" >= :v0 AND t."C" < :v1',
        't."C" >= :v0',
    ]
    assert part(TABLE, column("DATE"), partitions.Range(nulls=True, values=False)).predicate == 't."C" IS NULL'
    assert part(TABLE, column("DATE"), partitions.Range()).predicate == 't."C" IS NOT NULL'
