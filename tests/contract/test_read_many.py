"""The fast route for many rows gives what the other one gives, value by value."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from model.errors import ValueNotExact
from tests.contract.pipeline import Pipeline

COLUMNS = (
    "ID INTEGER PRIMARY KEY, T VARCHAR, B BLOB, F DOUBLE, G FLOAT, D DECIMAL(38,19), U UBIGINT, I BIGINT, S SMALLINT, "
    "O BOOLEAN, DAY DATE, WHEN_AT TIMESTAMP, Z TIMESTAMPTZ, CLOCK TIME, ID2 UUID"
)
ROWS = (
    ("''", "''", "-0.0", "1e-45", "-9999999999999999999.0000000000000000001", "18446744073709551615", "-9223372036854775808",
     "-1", "true", "'0001-01-01'", "'0001-01-01 00:00:00'", "'0001-01-01 00:00:00+00'", "'00:00:00'", "uuid()"),
    ("'\"'", "'\\x00\\xFF'", "5e-324", "3.4028235e38", "0.0000000000000000001", "0", "9223372036854775807", "32767",
     "false", "'9999-12-31'", "'9999-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999+00'", "'23:59:59.999999'", "uuid()"),
    ("'a\nb\r\n,\tc'", "'\\x0A'", "0.1", "0.1", "1.1", "1", "1", "0",
     "true", "'2026-02-28'", "'1969-12-31 23:59:59.9'", "'1969-12-31 23:59:59.9+05:30'", "'12:00:00.5'", "uuid()"),
    ("'\\.'", "'\\x00'", "1.7976931348623157e308", "-0.0", "-0.1", "1", "1", "0", *["NULL"] * 6),
    (*["NULL"] * 14,),
    ("' trailing '", *["NULL"] * 13),
)  # fmt: skip


def test_both_routes_give_the_same_values(pipeline: Pipeline) -> None:
    pipeline.source.table("T", COLUMNS)
    pipeline.source.execute(*(f"INSERT INTO T VALUES ({number}, {', '.join(row)})" for number, row in enumerate(ROWS)))
    pipeline.load("T")
    target, bronze = pipeline.target, pipeline.name("bronze", "T")
    with target.engine.connect() as connection:
        columns = target.columns_of(connection, bronze)
        table = target.table(bronze, ("_scd2_key",))
        others = (target.travelling(column) for column in columns if column.name != "_scd2_key")
        query = sa.select(table.c["_scd2_key"], *others).select_from(table)
        one, other = (pl.concat(read(connection, query, 2)).sort("ID") for read in (target.read, target.read_many))
        assert one.height == len(ROWS)
        assert other.schema == one.schema
        for name in one.columns:
            assert [repr(value) for value in other.get_column(name)] == [repr(value) for value in one.get_column(name)], name
        none = query.where(table.c["_scd2_key"] < 0)
        assert sum(frame.height for frame in target.read_many(connection, none, 2)) == 0


def test_a_value_that_arrow_cannot_hold_is_told_without_it(pipeline: Pipeline) -> None:
    if pipeline.backend.name != "postgresql":
        pytest.skip("DuckDB's infinity is a date beyond all others, and SQL Server has none")
    target = pipeline.target
    columns: list[Any] = [sa.literal_column("'infinity'::date AS d"), sa.literal_column("1 AS n")]
    query = sa.select(*columns)
    with target.engine.connect() as connection, pytest.raises(ValueNotExact) as raised:
        list(target.read_many(connection, query, 2))
    assert "infinity'" not in str(raised.value)
