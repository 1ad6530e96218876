"""The canonical type of a column: what the source's catalogue says, independent of driver and target.

A value travels as the canonical type's polars dtype (`ColumnType.dtype`), is hashed in it and is stored in the target's
counterpart. TIME and UUID travel as canonical text, because Arrow and polars cannot hold every value of theirs (24:00:00)
or have no such type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

MAX_DECIMAL_DIGITS = 38


class Kind(StrEnum):
    """The family of a type: the part of it that enters a hash layout, so that widening a column changes no hash."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    TEXT = "text"
    BINARY = "binary"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    UUID = "uuid"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """A kind with its size.

    `bits` of an INTEGER (8 to 64) or FLOAT (32, 64); `precision` and `scale` in decimal digits of a DECIMAL; `length` in
    characters of a TEXT or bytes of a BINARY, None where unbounded.
    """

    kind: Kind
    bits: int = 64
    unsigned: bool = False
    precision: int = MAX_DECIMAL_DIGITS
    scale: int = 0
    length: int | None = None

    @property
    def dtype(self) -> pl.DataType:
        """The polars dtype that the values travel and are hashed in."""
        match self.kind:
            case Kind.INTEGER:
                return _INTEGERS[self.bits, self.unsigned]
            case Kind.DECIMAL:
                return pl.Decimal(self.precision, self.scale)
            case Kind.FLOAT:
                return pl.Float32() if self.bits == 32 else pl.Float64()  # noqa: PLR2004
            case _:
                return _DTYPES[self.kind]

    def __str__(self) -> str:
        match self.kind:
            case Kind.INTEGER:
                return f"{'u' if self.unsigned else ''}int{self.bits}"
            case Kind.DECIMAL:
                return f"decimal({self.precision},{self.scale})"
            case Kind.FLOAT:
                return f"float{self.bits}"
            case Kind.TEXT | Kind.BINARY if self.length is not None:
                return f"{self.kind}({self.length})"
            case _:
                return str(self.kind)


_INTEGERS: dict[tuple[int, bool], pl.DataType] = {
    (8, False): pl.Int8(),
    (16, False): pl.Int16(),
    (32, False): pl.Int32(),
    (64, False): pl.Int64(),
    (8, True): pl.UInt8(),
    (16, True): pl.UInt16(),
    (32, True): pl.UInt32(),
    (64, True): pl.UInt64(),
}
_DTYPES: dict[Kind, pl.DataType] = {
    Kind.BOOLEAN: pl.Boolean(),
    Kind.TEXT: pl.String(),
    Kind.BINARY: pl.Binary(),
    Kind.DATE: pl.Date(),
    Kind.TIME: pl.String(),
    Kind.TIMESTAMP: pl.Datetime("us"),
    Kind.TIMESTAMPTZ: pl.Datetime("us", "UTC"),
    Kind.UUID: pl.String(),
}

# The canonical text that TIME (below 24:00:00) and UUID travel as, as regular expressions without anchors.
TIME_TEXT = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{0,5}[1-9])?"
UUID_TEXT = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

BOOLEAN = ColumnType(kind=Kind.BOOLEAN)
TEXT = ColumnType(kind=Kind.TEXT)
BINARY = ColumnType(kind=Kind.BINARY)
DATE = ColumnType(kind=Kind.DATE)
TIME = ColumnType(kind=Kind.TIME)
TIMESTAMP = ColumnType(kind=Kind.TIMESTAMP)
TIMESTAMPTZ = ColumnType(kind=Kind.TIMESTAMPTZ)
UUID = ColumnType(kind=Kind.UUID)
FLOAT32 = ColumnType(kind=Kind.FLOAT, bits=32)
FLOAT64 = ColumnType(kind=Kind.FLOAT)


def integer(bits: int, *, unsigned: bool = False) -> ColumnType:
    """A whole number of 8, 16, 32 or 64 bits."""
    return ColumnType(kind=Kind.INTEGER, bits=bits, unsigned=unsigned)


def decimal(precision: int, scale: int) -> ColumnType:
    """A decimal of `precision` digits, `scale` of them behind the point; at most 38 digits."""
    return ColumnType(kind=Kind.DECIMAL, precision=precision, scale=scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A source column: its name as the catalogue spells it, its canonical type and the source's own name of that type.

    `mask` says how its values are masked (`model.masking`); the type is then that of the masked values.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    source_type: str = ""
    mask: str = ""
