"""SQL Server's types and the canonical ones, both ways.

Text is NVARCHAR, counted in UTF-16 code units: a character beyond the BMP takes two, so a column of n characters has room for
2n. Source: https://learn.microsoft.com/sql/t-sql/data-types/nchar-and-nvarchar-transact-sql
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from connections.named_type import NamedType
from model.types import (
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

LONGEST_NVARCHAR, LONGEST_VARBINARY = 4000, 8000  # in code units and in bytes; beyond them (max)
_KEY_CHARACTERS = 225  # NVARCHAR(450), 900 bytes: what fits into every index
_INTEGERS = {8: "smallint", 16: "smallint", 32: "int", 64: "bigint"}
# TINYINT is unsigned. There is no other unsigned type: each is stored in the next that holds it.
_UNSIGNED = {8: "tinyint", 16: "int", 32: "bigint", 64: "decimal(20,0)"}
_NAMES = {
    Kind.BOOLEAN: "bit",
    Kind.DATE: "date",
    Kind.TIME: "time(6)",
    Kind.TIMESTAMP: "datetime2(6)",
    Kind.TIMESTAMPTZ: "datetimeoffset(6)",
    Kind.UUID: "uniqueidentifier",
}
_EXACT = {
    "bit": BOOLEAN,
    "tinyint": integer(8, unsigned=True),
    "smallint": integer(16),
    "int": integer(32),
    "bigint": integer(64),
    "real": FLOAT32,
    "float": FLOAT64,
    "date": DATE,
    "time": TIME,
    "datetime2": TIMESTAMP,
    "datetimeoffset": TIMESTAMPTZ,
    "uniqueidentifier": UUID,
}


def mssql_type(column_type: ColumnType) -> TypeEngine[object]:
    """The SQL Server type that stores a canonical type without loss."""
    match column_type.kind:
        case Kind.INTEGER:
            name = (_UNSIGNED if column_type.unsigned else _INTEGERS)[column_type.bits]
        case Kind.DECIMAL:
            name = f"decimal({column_type.precision},{column_type.scale})"
        case Kind.FLOAT:
            name = "real" if column_type == FLOAT32 else "float(53)"
        case Kind.TEXT:
            name = _sized("nvarchar", None if column_type.length is None else column_type.length * 2, LONGEST_NVARCHAR)
        case Kind.BINARY:
            name = _sized("varbinary", column_type.length, LONGEST_VARBINARY)
        case _:
            name = _NAMES[column_type.kind]
    return NamedType(name)


def _sized(name: str, size: int | None, longest: int) -> str:
    # A length of 0 is how some catalogues say that they know none.
    return f"{name}({size})" if size and size <= longest else f"{name}(max)"


def is_metadata(before: str, after: str) -> bool:
    """Whether ALTER COLUMN to this wider type leaves the rows alone: only more room in NVARCHAR and VARBINARY, not (max).

    Microsoft promises it of no other type that is used here: integers only where rows are compressed, decimals not at all.
    https://learn.microsoft.com/sql/t-sql/statements/alter-table-transact-sql#alter-column
    """
    (name, _, _), (other, _, size) = before.partition("("), after.partition("(")
    return name == other and name in {"nvarchar", "varbinary"} and size != "max)"


def is_known(held: str) -> bool:
    """Whether a type that is none of ours is one that a predecessor may have and that the server itself converts to ours.

    Text of a code page is text of ours; times of seven digits have to prove that the last one is 0.
    """
    return held.partition("(")[0] in {"numeric", "varchar", "time", "datetime2", "datetimeoffset"}


def key_type(column_type: ColumnType) -> ColumnType:
    """The type of a key column: bounded, for (MAX) cannot be indexed, and users join on their keys."""
    longest = {Kind.TEXT: LONGEST_NVARCHAR // 2, Kind.BINARY: LONGEST_VARBINARY}.get(column_type.kind)
    if longest is None or (column_type.length and column_type.length <= longest):
        return column_type
    unknown = _KEY_CHARACTERS if column_type.kind is Kind.TEXT else _KEY_CHARACTERS * 4
    return replace(column_type, length=longest if column_type.length else unknown)


def code_units(column_type: ColumnType) -> int | None:
    """How many UTF-16 code units a text column has room for; None where it has no bound."""
    if column_type.kind is Kind.TEXT and column_type.length and column_type.length * 2 <= LONGEST_NVARCHAR:
        return column_type.length * 2
    return None


def catalogue_type(
    name: str, length: int | None, precision: int | None, scale: int | None, fraction: int | None
) -> tuple[ColumnType, str]:
    """A column's canonical type, and its SQL Server type spelled as `mssql_type` spells it, from INFORMATION_SCHEMA.COLUMNS.

    `length` is in characters or bytes (-1: max), `fraction` the digits of a second. A type that is not canonical is text.
    """
    name = name.lower()
    match name:
        case "decimal" | "numeric":
            return decimal(precision or 0, scale or 0), f"{name}({precision},{scale})"
        case "nvarchar" | "varchar" | "varbinary":
            bound = None if length in {None, -1} else length
            kind = ColumnType(
                kind=Kind.BINARY if name == "varbinary" else Kind.TEXT,
                length=bound and -(-bound // 2) if name == "nvarchar" else bound,
            )
            return kind, f"{name}({'max' if bound is None else bound})"
        case "binary":
            return ColumnType(kind=Kind.BINARY, length=length), f"binary({length})"
        case "time" | "datetime2" | "datetimeoffset":
            return _EXACT[name], f"{name}({fraction})"
        case "float":
            # FLOAT(24) and below is REAL, and every other FLOAT has 53 bits, whatever it was declared with.
            return FLOAT64, "float(53)"
        case _:
            return _EXACT.get(name, TEXT), f"{name}({length})" if length else name


def travelling_as(column: str, kind: Kind) -> sa.ColumnElement[object]:
    """A stored column in the dtype it travels in: TIME and UUID as canonical text, instants with an offset in UTC."""
    held: sa.ColumnElement[object] = sa.column(column)
    match kind:
        case Kind.TIME:
            # Canonical text ends with the last digit that is not 0: blanks for zeros, so that RTRIM takes those at the end.
            text = sa.cast(held, NamedType("varchar(15)"))
            blanks = sa.func.replace(text, sa.literal_column("'0'"), sa.literal_column("' '"))
            trimmed = sa.func.replace(sa.func.rtrim(blanks), sa.literal_column("' '"), sa.literal_column("'0'"))
            whole = sa.func.datepart(sa.literal_column("microsecond"), held) == sa.literal_column("0")
            return sa.case((whole, sa.func.left(text, sa.literal_column("8"))), else_=trimmed).label(column)
        case Kind.UUID:
            return sa.func.lower(sa.cast(held, NamedType("char(36)"))).label(column)
        case Kind.TIMESTAMPTZ:
            # Stored in UTC, so only the offset of zero goes; the frame is conformed to UTC again.
            return sa.cast(held, NamedType("datetime2(6)")).label(column)
        case _:
            return held
