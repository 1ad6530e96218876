"""DuckDB's types and the canonical ones, both ways, for DuckDB sources and the DuckDB target alike."""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from connections.named_type import NamedType
from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    ColumnType,
    Kind,
    decimal,
    integer,
)

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_EXACT = {
    "BOOLEAN": BOOLEAN,
    "TINYINT": integer(8),
    "SMALLINT": integer(16),
    "INTEGER": integer(32),
    "BIGINT": integer(64),
    "UTINYINT": integer(8, unsigned=True),
    "USMALLINT": integer(16, unsigned=True),
    "UINTEGER": integer(32, unsigned=True),
    "UBIGINT": integer(64, unsigned=True),
    "FLOAT": FLOAT32,
    "DOUBLE": FLOAT64,
    "VARCHAR": TEXT,
    "JSON": TEXT,
    "BLOB": BINARY,
    "DATE": DATE,
    "TIMESTAMP": TIMESTAMP,
    "TIMESTAMP_S": TIMESTAMP,
    "TIMESTAMP_MS": TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ,
    "TIME": TIME,
    "UUID": UUID,
}
# What Arrow would alter in silence (UHUGEINT's maximum, nanoseconds past 2262, offsets) or has no type for.
_AS_TEXT = {
    "HUGEINT",
    "UHUGEINT",
    "BIGNUM",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE_NS",
    "TIME_NS",
    "TIME WITH TIME ZONE",
    "INTERVAL",
    "BIT",
}
_DUCKDB_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}
_DUCKDB_NAMES = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TEXT: "VARCHAR",
    Kind.BINARY: "BLOB",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
    Kind.UUID: "UUID",
}


def canonical_type(data_type: str) -> ColumnType | None:
    """The canonical type of a DuckDB type name as `duckdb_columns()` spells it, or None where there is none."""
    if found := _DECIMAL.fullmatch(data_type):
        return decimal(int(found[1]), int(found[2]))
    if data_type in _AS_TEXT or data_type.startswith("ENUM("):
        return TEXT
    return _EXACT.get(data_type)


def travels_as_text(data_type: str) -> bool:
    """Whether a DuckDB column is read through `CAST(… AS VARCHAR)`."""
    return data_type in _AS_TEXT or data_type in {"TIME", "UUID"} or data_type.startswith("ENUM(")


def duckdb_type(column_type: ColumnType) -> TypeEngine[object]:
    """The DuckDB type that stores a canonical type without loss."""
    match column_type.kind:
        case Kind.INTEGER:
            name = ("U" if column_type.unsigned else "") + _DUCKDB_INTEGERS[column_type.bits]
        case Kind.DECIMAL:
            name = f"DECIMAL({column_type.precision},{column_type.scale})"
        case Kind.FLOAT:
            name = "FLOAT" if column_type == FLOAT32 else "DOUBLE"
        case _:
            name = _DUCKDB_NAMES[column_type.kind]
    return NamedType(name)


def cast_text(column: str) -> sa.ColumnElement[object]:
    """`CAST(column AS VARCHAR)`."""
    return sa.cast(sa.column(column), NamedType("VARCHAR")).label(column)
