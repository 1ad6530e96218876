"""SQL Server's types: every canonical type has one, its spelling maps back, and what it cannot hold is refused."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from connections.mssql_types import catalogue_type, code_units, is_known, key_type, mssql_type
from connections.mssql_values import checked
from connections.named_type import NamedType
from model import types as t
from model.errors import ValueNotExact
from model.names import TableName
from model.types import Column, ColumnType, Kind

NAME = TableName(database="UDM_Stage", schema="DNA", table="_staging_ACCT_1")


def text(length: int | None) -> ColumnType:
    return ColumnType(kind=Kind.TEXT, length=length)


def binary(length: int | None) -> ColumnType:
    return ColumnType(kind=Kind.BINARY, length=length)


# What the catalogue says of a column: DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION.
STORED: list[tuple[ColumnType, str, tuple[str, int | None, int | None, int | None, int | None]]] = [
    (t.BOOLEAN, "bit", ("bit", None, None, None, None)),
    (t.integer(8), "smallint", ("smallint", None, 5, 0, None)),
    (t.integer(16), "smallint", ("smallint", None, 5, 0, None)),
    (t.integer(32), "int", ("int", None, 10, 0, None)),
    (t.integer(64), "bigint", ("bigint", None, 19, 0, None)),
    (t.integer(8, unsigned=True), "tinyint", ("tinyint", None, 3, 0, None)),
    (t.integer(16, unsigned=True), "int", ("int", None, 10, 0, None)),
    (t.integer(32, unsigned=True), "bigint", ("bigint", None, 19, 0, None)),
    (t.integer(64, unsigned=True), "decimal(20,0)", ("decimal", None, 20, 0, None)),
    (t.decimal(38, 10), "decimal(38,10)", ("decimal", None, 38, 10, None)),
    (t.FLOAT32, "real", ("real", None, 24, None, None)),
    (t.FLOAT64, "float(53)", ("float", None, 53, None, None)),
    (t.TEXT, "nvarchar(max)", ("nvarchar", -1, None, None, None)),
    (text(50), "nvarchar(100)", ("nvarchar", 100, None, None, None)),
    (text(2000), "nvarchar(4000)", ("nvarchar", 4000, None, None, None)),
    (text(2001), "nvarchar(max)", ("nvarchar", -1, None, None, None)),
    (text(0), "nvarchar(max)", ("nvarchar", -1, None, None, None)),
    (t.BINARY, "varbinary(max)", ("varbinary", -1, None, None, None)),
    (binary(16), "varbinary(16)", ("varbinary", 16, None, None, None)),
    (binary(8001), "varbinary(max)", ("varbinary", -1, None, None, None)),
    (t.DATE, "date", ("date", None, None, None, 0)),
    (t.TIME, "time(6)", ("time", None, None, None, 6)),
    (t.TIMESTAMP, "datetime2(6)", ("datetime2", None, None, None, 6)),
    (t.TIMESTAMPTZ, "datetimeoffset(6)", ("datetimeoffset", None, None, None, 6)),
    (t.UUID, "uniqueidentifier", ("uniqueidentifier", None, None, None, None)),
]


@pytest.mark.parametrize(("canonical", "name", "catalogue"), STORED, ids=str)
def test_a_type_and_its_spelling_in_the_catalogue_are_one(canonical: ColumnType, name: str, catalogue: Any) -> None:
    stored = mssql_type(canonical)
    assert isinstance(stored, NamedType)
    held, spelled = catalogue_type(*catalogue)
    assert (stored.name, spelled) == (name, name)
    assert held.kind is canonical.kind or canonical.unsigned


@pytest.mark.parametrize(
    ("declared", "stored", "units"),
    [
        (t.TEXT, "nvarchar(450)", 450),
        (text(0), "nvarchar(450)", 450),
        (text(20), "nvarchar(40)", 40),
        (text(3000), "nvarchar(4000)", 4000),
        (t.BINARY, "varbinary(900)", None),
        (binary(16), "varbinary(16)", None),
        (t.integer(64), "bigint", None),
    ],
    ids=str,
)
def test_a_key_is_never_max(declared: ColumnType, stored: str, units: int | None) -> None:
    """Never again: NVARCHAR(MAX) keys that cannot be indexed."""
    kind = mssql_type(key_type(declared))
    assert isinstance(kind, NamedType)
    assert (kind.name, code_units(key_type(declared))) == (stored, units)
    assert key_type(declared).dtype == declared.dtype


def refusal(kind: ColumnType, *values: object) -> str:
    frame = pl.DataFrame({"fine": [1] * len(values), "Column": pl.Series(values, dtype=kind.dtype, strict=True)})
    columns = (Column(name="fine", type=t.integer(64)), Column(name="Column", type=kind))
    try:
        assert list(checked(NAME, columns, [frame])) == [frame] or True
    except ValueNotExact as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (t.FLOAT64, [float("nan")]),
        (t.FLOAT32, [float("-inf")]),
        (t.TIME, ["24:00:00.000"]),
        (t.TIME, ["12:00:00+02"]),
        (t.TIME, ["12:00:00.1234567"]),
        (t.TIME, ["12:00:00.50"]),
        (t.UUID, ["6F9619FF-8B86-D011-B42D-00C04FC964FF"]),
        (t.UUID, ["{6f9619ff-8b86-d011-b42d-00c04fc964ff}"]),
        (text(2), ["abcde"]),
        (text(2), ["\U0001f600\U0001f600a"]),
        (binary(2), [b"abc"]),
    ],
    ids=str,
)
def test_what_it_cannot_hold_is_refused_by_column_and_without_the_value(kind: ColumnType, values: list[Any]) -> None:
    message = refusal(kind, None, *values)
    assert "'Column'" in message
    assert "view" in message
    assert str(values[0]) not in message


def test_a_date_beyond_the_years_of_sql_server_is_refused() -> None:
    column = (Column(name="Column", type=t.DATE),)
    for days in (-719_163, 2_932_897):  # the day before 0001-01-01 and the day after 9999-12-31
        frame = pl.DataFrame({"Column": pl.Series([days], dtype=pl.Int32).cast(pl.Date)})
        with pytest.raises(ValueNotExact, match="'Column'"):
            list(checked(NAME, column, [frame]))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (t.FLOAT64, [0.0, -0.0, 5e-324, 1.7976931348623157e308]),
        (t.TIME, ["00:00:00", "23:59:59.999999", "12:00:00.5"]),
        (t.UUID, ["6f9619ff-8b86-d011-b42d-00c04fc964ff"]),
        (text(2), ["\U0001f600\U0001f600", "abcd", ""]),
        (binary(2), [b"", b"ab"]),
        (t.DATE, [date(1, 1, 1), date(9999, 12, 31)]),
        (t.TIMESTAMP, [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]),  # noqa: DTZ001
        (t.TEXT, ["x" * 10_000, "\0"]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_it_can_hold_passes(kind: ColumnType, values: list[Any]) -> None:
    assert refusal(kind, None, *values) == ""


@pytest.mark.parametrize(
    ("catalogue", "known"),
    [
        (("datetime2", None, None, None, 7), True),
        (("varchar", 40, None, None, None), True),
        (("numeric", None, 18, 2, None), True),
        # ALTER COLUMN makes thirds of a millisecond of one, and blanks at the end of the other are none of its text.
        (("datetime", None, None, None, 3), False),
        (("char", 4, None, None, None), False),
    ],
)
def test_which_types_of_a_predecessor_the_server_converts(catalogue: Any, known: bool) -> None:
    assert is_known(catalogue_type(*catalogue)[1]) is known
