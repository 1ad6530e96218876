"""Canonical types: the dtype their values travel in, and the way back from a dtype."""

from __future__ import annotations

import polars as pl
import pytest

from model.row_hash import check_hashable
from model.types import (
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIMESTAMPTZ,
    UUID,
    ColumnType,
    Kind,
    decimal,
    integer,
)
from tests.unit.dtypes import DTYPES

AS_TEXT = [TIME, UUID]


@pytest.mark.parametrize(("column_type", "dtype"), DTYPES, ids=str)
def test_a_type_travels_in_its_dtype(column_type: ColumnType, dtype: pl.DataType) -> None:
    assert column_type.dtype == dtype


@pytest.mark.parametrize("column_type", AS_TEXT, ids=str)
def test_time_and_uuid_travel_as_text(column_type: ColumnType) -> None:
    assert column_type.dtype == pl.String()


def test_every_kind_travels_in_a_dtype_that_can_be_hashed() -> None:
    kinds = {column_type.kind: column_type.dtype for column_type in [*(known for known, _ in DTYPES), *AS_TEXT]}
    assert kinds.keys() == set(Kind)
    check_hashable("T", pl.Schema({str(kind): dtype for kind, dtype in kinds.items()}))


def test_no_type_travels_in_nanoseconds() -> None:
    # Polars takes 9999-12-31 to 1816 in nanoseconds, in silence.
    assert {dtype.time_unit for _, dtype in DTYPES if isinstance(dtype, pl.Datetime)} == {"us"}


@pytest.mark.parametrize(
    ("column_type", "name"),
    [
        (integer(16), "int16"),
        (integer(64, unsigned=True), "uint64"),
        (decimal(18, 2), "decimal(18,2)"),
        (FLOAT32, "float32"),
        (FLOAT64, "float64"),
        (ColumnType(kind=Kind.TEXT, length=20), "text(20)"),
        (ColumnType(kind=Kind.BINARY, length=16), "binary(16)"),
        (TEXT, "text"),
        (TIMESTAMPTZ, "timestamptz"),
    ],
)
def test_a_type_is_spelled_with_its_size(column_type: ColumnType, name: str) -> None:
    assert str(column_type) == name


def test_kinds_keep_their_stored_spelling() -> None:
    # They stand in the hash layouts of tables that are loaded.
    assert [str(kind) for kind in Kind] == [
        *("boolean", "integer", "decimal", "float", "text", "binary"),
        *("date", "time", "timestamp", "timestamptz", "uuid"),
    ]
