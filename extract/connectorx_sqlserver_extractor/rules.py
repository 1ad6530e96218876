"""SQL Server's types as a source has them: which canonical type each is, as what it travels, and which driver carries that.

A value travels as it is, or the server casts it to a type that both drivers carry exactly. What the casts are for: text of a
code page is turned into Unicode by the server, which alone knows the page; DATETIME, whose ticks are thirds of a centisecond,
becomes the milliseconds that SQL Server itself shows; Arrow cannot hold seven digits of a second nor an offset for each row.
A type in no table is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TIME,
    TIMESTAMP,
    UUID,
    ColumnType,
    Kind,
    decimal,
    integer,
)

_MICROSECONDS = 6
_LONGEST_NVARCHAR = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A column's canonical type, and the SQL Server type that it travels as; `cast` where that is not its own."""

    type: ColumnType
    travels: str
    cast: bool = True

    def select(self, column: str) -> str:
        """What stands for a column (its quoted name) in the query."""
        return f"CAST({column} AS {self.travels})" if self.cast else column

    @property
    def placeholder(self) -> str:
        """A NULL of the type that the column travels as."""
        return f"CAST(NULL AS {self.travels})"


def _text(length: int | None = None) -> ColumnType:
    return ColumnType(kind=Kind.TEXT, length=length)


def _as_nvarchar(length: int | None) -> Rule:
    bounded = length is not None and length <= _LONGEST_NVARCHAR
    return Rule(type=_text(length), travels=f"nvarchar({length if bounded else 'max'})")


def _as_varchar(characters: int) -> Rule:
    return Rule(type=_text(characters), travels=f"varchar({characters})")


_PLAIN = {
    "bit": BOOLEAN,
    "tinyint": integer(8, unsigned=True),
    "smallint": integer(16),
    "int": integer(32),
    "bigint": integer(64),
    "real": FLOAT32,
    "float": FLOAT64,
    "date": DATE,
    "smalldatetime": TIMESTAMP,
    "uniqueidentifier": UUID,
}
_CAST = {
    "money": Rule(type=decimal(19, 4), travels="decimal(19,4)"),
    "smallmoney": Rule(type=decimal(10, 4), travels="decimal(10,4)"),
    "datetime": Rule(type=TIMESTAMP, travels="datetime2(3)"),
    "text": _as_nvarchar(None),
    "ntext": _as_nvarchar(None),
    "xml": _as_nvarchar(None),
    "json": _as_nvarchar(None),
    "vector": _as_nvarchar(None),
    "image": Rule(type=BINARY, travels="varbinary(max)"),
    "timestamp": Rule(type=ColumnType(kind=Kind.BINARY, length=8), travels="binary(8)"),
    "rowversion": Rule(type=ColumnType(kind=Kind.BINARY, length=8), travels="binary(8)"),
}


def _decimal(name: str, precision: int, scale: int) -> Rule:
    return Rule(type=decimal(precision, scale), travels=f"{name}({precision},{scale})", cast=False)


def _unicode(name: str, length: int | None) -> Rule:
    return Rule(type=_text(length), travels=f"{name}({length or 'max'})", cast=False)


def _binary(name: str, length: int | None) -> Rule:
    return Rule(type=ColumnType(kind=Kind.BINARY, length=length), travels=f"{name}({length or 'max'})", cast=False)


def _datetime2(fraction: int) -> Rule:
    return _as_varchar(27) if fraction > _MICROSECONDS else Rule(type=TIMESTAMP, travels=f"datetime2({fraction})", cast=False)


def _time(fraction: int) -> Rule:
    return _as_varchar(16) if fraction > _MICROSECONDS else Rule(type=TIME, travels="varchar(16)")


_SIZED: dict[str, Callable[[str, tuple[int | None, ...]], Rule]] = {
    "decimal": lambda name, sizes: _decimal(name, sizes[0] or 18, sizes[1] or 0),
    "numeric": lambda name, sizes: _decimal(name, sizes[0] or 18, sizes[1] or 0),
    "char": lambda _, sizes: _as_nvarchar(sizes[0]),
    "varchar": lambda _, sizes: _as_nvarchar(sizes[0]),
    "nchar": lambda name, sizes: _unicode(name, sizes[0]),
    "nvarchar": lambda name, sizes: _unicode(name, sizes[0]),
    "binary": lambda name, sizes: _binary(name, sizes[0]),
    "varbinary": lambda name, sizes: _binary(name, sizes[0]),
    "time": lambda _, sizes: _time(sizes[0] or 0),
    "datetime2": lambda _, sizes: _datetime2(sizes[0] or 0),
    "datetimeoffset": lambda _, _sizes: _as_varchar(34),
}
# The sizes that INFORMATION_SCHEMA.COLUMNS gives of a type, by the places of its length, precision, scale and fraction.
_SIZES = {"decimal": (1, 2), "numeric": (1, 2), "time": (3,), "datetime2": (3,), "datetimeoffset": (3,)}
_SPELLED = re.compile(r"(\w+)(?:\((max|\d+)(?:,(\d+))?\))?")


def spelled(name: str, length: int | None, precision: int | None, scale: int | None, fraction: int | None) -> str:
    """A catalogue type as its declaration spells it; `length` in characters or bytes, -1 for max."""
    name = name.lower()
    if name not in _SIZED:
        return name
    sizes = [(length, precision, scale, fraction)[place] for place in _SIZES.get(name, (0,))]
    return f"{name}({','.join('max' if size == -1 else str(size) for size in sizes)})"


def name_and_sizes(declared: str) -> tuple[str, tuple[int | None, int | None]]:
    """'decimal(9,2)' as its name and its two sizes, None where there is no such number."""
    found = _SPELLED.fullmatch(declared)
    name, first, second = found.groups() if found else (declared, None, None)
    return name, (int(first) if first and first != "max" else None, int(second) if second else None)


def rule_of(declared: str) -> Rule | None:
    """The rule of a type as `spelled` gives it; None for one that is refused."""
    name, sizes = name_and_sizes(declared)
    if name in _SIZED:
        return _SIZED[name](name, sizes)
    if name in _PLAIN:
        return Rule(type=_PLAIN[name], travels=name, cast=False)
    return _CAST.get(name)


# What ConnectorX 0.4.6 (tiberius) carries exactly of what travels; of a decimal the most digits ahead of and behind the point.
# Left out on purpose: money (arrives as a float), datetime (microseconds that SQL Server does not show), datetimeoffset (in
# UTC), xml and sql_variant (panic). Decimals are brought to scale 10 within 96 bits: beyond that they panic or lose digits.
CONNECTORX: dict[str, tuple[int, int] | None] = {
    "bit": None,
    "tinyint": None,
    "smallint": None,
    "int": None,
    "bigint": None,
    "real": None,
    "float": None,
    "decimal": (18, 10),
    "numeric": (18, 10),
    "nchar": None,
    "nvarchar": None,
    "varchar": None,
    "binary": None,
    "varbinary": None,
    "date": None,
    "datetime2": None,
    "smalldatetime": None,
    "uniqueidentifier": None,
}


def carried_by_connectorx(rule: Rule) -> bool:
    """Whether ConnectorX carries the type that a rule's column travels as, exactly."""
    name = rule.travels.partition("(")[0]
    if name not in CONNECTORX:
        return False
    largest = CONNECTORX[name]
    precision, scale = rule.type.precision, rule.type.scale
    return largest is None or (precision - scale <= largest[0] and scale <= largest[1])
