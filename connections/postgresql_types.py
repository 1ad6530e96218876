"""PostgreSQL's types and the canonical ones, both ways, and the values that PostgreSQL cannot hold.

Sources: https://www.postgresql.org/docs/14/datatype.html and, for the dates, https://www.postgresql.org/docs/14/datatype-datetime.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl
from sqlalchemy.types import TypeEngine

from connections.calendar_years import outside_of_years
from connections.named_type import NamedType
from model.errors import ValueNotExact
from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIME_TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    UUID_TEXT,
    Column,
    ColumnType,
    Kind,
    decimal,
    integer,
)

_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
_MOST_DIGITS = 38
# As `format_type` spells them.
_EXACT = {
    "boolean": BOOLEAN,
    "smallint": integer(16),
    "integer": integer(32),
    "bigint": integer(64),
    "real": FLOAT32,
    "double precision": FLOAT64,
    "text": TEXT,
    "bytea": BINARY,
    "date": DATE,
    "time without time zone": TIME,
    "timestamp without time zone": TIMESTAMP,
    "timestamp with time zone": TIMESTAMPTZ,
    "uuid": UUID,
}
_NAMES = {kind.kind: name for name, kind in _EXACT.items() if kind.kind not in {Kind.INTEGER, Kind.FLOAT}}
# PostgreSQL has no unsigned integers: each goes into the next one that holds it.
_INTEGERS = {
    (8, False): "smallint",
    (16, False): "smallint",
    (32, False): "integer",
    (64, False): "bigint",
    (8, True): "smallint",
    (16, True): "integer",
    (32, True): "bigint",
    (64, True): "numeric(20,0)",
}

_TIME = f"^(?:{TIME_TEXT}|24:00:00)$"
_UUID = f"^{UUID_TEXT}$"
_TO_TEXT = "Load a view that casts the column to text."


def canonical_type(data_type: str) -> ColumnType | None:
    """The canonical type of a PostgreSQL type as `format_type` spells it, or None where there is none."""
    if (found := _NUMERIC.fullmatch(data_type)) and int(found[1]) <= _MOST_DIGITS:
        return decimal(int(found[1]), int(found[2]))
    return _EXACT.get(data_type)


def postgresql_type(column_type: ColumnType) -> TypeEngine[object]:
    """The PostgreSQL type that stores a canonical type without loss."""
    match column_type.kind:
        case Kind.INTEGER:
            name = _INTEGERS[column_type.bits, column_type.unsigned]
        case Kind.DECIMAL:
            name = f"numeric({column_type.precision},{column_type.scale})"
        case Kind.FLOAT:
            name = "real" if column_type == FLOAT32 else "double precision"
        case _:
            name = _NAMES[column_type.kind]
    return NamedType(name)


def integer_bits(column_type: ColumnType) -> int | None:
    """The bits of the PostgreSQL integer that stores a canonical one; None where only a numeric holds it."""
    return {"smallint": 16, "integer": 32, "bigint": 64}.get(_INTEGERS[column_type.bits, column_type.unsigned])


def travels_as_text(data_type: str) -> bool:
    """Whether a column is read back through `CAST(… AS text)`."""
    return data_type in {"time without time zone", "uuid"}


def check_storable(table: str, frame: pl.DataFrame, columns: Sequence[Column]) -> None:
    """Refuse values that PostgreSQL would reject, or store as another value, before any of them is sent.

    Raises:
        ValueNotExact: naming table and column, never the value.
    """
    rules = {column.name: rule for column in columns if (rule := _rule(column)) is not None}
    if not rules:
        return
    refused = frame.select(forbidden.any().alias(name) for name, (forbidden, _, _) in rules.items()).row(0)
    for (name, (_, what, remedy)), found in zip(rules.items(), refused, strict=True):
        if found:
            raise ValueNotExact(f"{table}: column {name!r} holds {what}, which PostgreSQL cannot store as it is.", remedy=remedy)


def _rule(column: Column) -> tuple[pl.Expr, str, str] | None:
    """What may not be in a column: the expression that finds it, its name, and the remedy."""
    value = pl.col(column.name)
    match column.type.kind:
        case Kind.TEXT:
            remedy = "Load a view that casts the column to binary, or replaces the character there."
            return value.str.contains("\0", literal=True), "text with a NUL character (U+0000)", remedy
        case Kind.TIME:
            return ~value.str.contains(_TIME), "a time that is not hh:mm:ss with at most six digits, the last not 0", _TO_TEXT
        case Kind.UUID:
            return ~value.str.contains(_UUID), "a UUID that is not spelled in lower case with hyphens", _TO_TEXT
        case Kind.DATE:
            return outside_of_years(column), "a date outside of the years 1 to 9999", _TO_TEXT
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return outside_of_years(column), "a timestamp outside of the years 1 to 9999", _TO_TEXT
        case _:
            return None
