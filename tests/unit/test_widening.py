"""Which types hold all values of others, and what each target does as a change of metadata."""

from __future__ import annotations

import pytest

from connections.mssql_types import is_metadata
from model.types import BINARY, DATE, FLOAT32, FLOAT64, TEXT, TIMESTAMP, ColumnType, Kind, decimal, integer
from model.widening import widens


def text(length: int) -> ColumnType:
    return ColumnType(kind=Kind.TEXT, length=length)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (integer(32), integer(64)),
        (integer(32, unsigned=True), integer(64)),
        (decimal(18, 2), decimal(20, 2)),
        (decimal(18, 2), decimal(20, 4)),
        (FLOAT32, FLOAT64),
        (text(10), text(11)),
        (text(10), TEXT),
        (ColumnType(kind=Kind.BINARY, length=16), BINARY),
    ],
)
def test_wider_types_and_never_the_way_back(before: ColumnType, after: ColumnType) -> None:
    assert widens(before, after)
    assert widens(before, before)
    assert not widens(after, before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (decimal(18, 2), decimal(18, 4)),  # fewer digits ahead of the point
        (integer(32), integer(64, unsigned=True)),  # no negative numbers
        (integer(64), decimal(38, 0)),  # another kind: the values hash otherwise
        (DATE, TIMESTAMP),
        (integer(32), TEXT),
    ],
)
def test_what_is_no_widening(before: ColumnType, after: ColumnType) -> None:
    assert not widens(before, after)


def test_sql_server_has_only_more_room_as_metadata() -> None:
    assert is_metadata("nvarchar(20)", "nvarchar(40)")
    assert is_metadata("varbinary(20)", "varbinary(8000)")
    for before, after in [
        ("nvarchar(20)", "nvarchar(max)"),
        ("varchar(20)", "nvarchar(40)"),
        ("int", "bigint"),
        ("decimal(18,2)", "decimal(20,2)"),
        ("real", "float(53)"),
    ]:
        assert not is_metadata(before, after)
