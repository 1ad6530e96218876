"""Every canonical type that has a dtype of its own, with that dtype."""

from __future__ import annotations

import polars as pl

from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    decimal,
    integer,
)

DTYPES: list[tuple[ColumnType, pl.DataType]] = [
    (BOOLEAN, pl.Boolean()),
    (integer(8), pl.Int8()),
    (integer(16), pl.Int16()),
    (integer(32), pl.Int32()),
    (integer(64), pl.Int64()),
    (integer(8, unsigned=True), pl.UInt8()),
    (integer(16, unsigned=True), pl.UInt16()),
    (integer(32, unsigned=True), pl.UInt32()),
    (integer(64, unsigned=True), pl.UInt64()),
    (decimal(38, 10), pl.Decimal(38, 10)),
    (decimal(1, 0), pl.Decimal(1, 0)),
    (FLOAT32, pl.Float32()),
    (FLOAT64, pl.Float64()),
    (TEXT, pl.String()),
    (BINARY, pl.Binary()),
    (DATE, pl.Date()),
    (TIMESTAMP, pl.Datetime("us")),
    (TIMESTAMPTZ, pl.Datetime("us", "UTC")),
]
