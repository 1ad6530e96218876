"""The exactness rules of Oracle sources, as data: from the catalogue's type to the canonical one and how it is read.

A type in no row is refused. What a driver would alter travels as text that the server writes in one fixed form, whatever the
column's declared precision, so that widening a column changes no row:

- NUMBER without precision, and FLOAT, in the fewest digits that say it exactly: `TM9` writes up to 64 characters in fixed
  notation and longer numbers in scientific notation; a NUMBER has 40 digits at most, so none is lost in either. Fetched as Arrow
  they would be doubles. https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/Format-Models.html (text minimum)
- TIMESTAMP of 7 to 9 digits: python-oracledb cuts them to microseconds. WITH TIME ZONE: it drops the offset, and its thin mode
  refuses regions (`decode_date`). EXTRACT gives 'UNKNOWN' for the region of a value that has an offset only.
- INTERVALs, cast to their widest declaration.

NUMBER(p,s) is decimal, also where it is whole: so NUMBER(9) may become NUMBER(20) or NUMBER(11,2) without a new kind of column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from model.types import (
    BINARY,
    BOOLEAN,
    FLOAT32,
    FLOAT64,
    MAX_DECIMAL_DIGITS,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    Kind,
    decimal,
)

_CONNECTORX_SCALE, _CONNECTORX_DIGITS, _INT64_DIGITS = 10, 28, 18
_MICROSECONDS = 6
INSTANT = "SYYYY-MM-DD HH24:MI:SS.FF9"  # S: a year BC has its sign, and any other a blank in its place


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleRoute:
    """How the values of one catalogue type travel: `select` in the query, `{}` standing for the column.

    `number`: it arrives as a number's text, without a zero before the point. `lob`: an empty value arrives as NULL and must be
    told from it. `connectorx`: ConnectorX 0.4.6 carries it exactly too.
    """

    type: ColumnType
    select: str = "{}"
    number: bool = False
    lob: bool = False
    connectorx: bool = False

    def expression(self, column: str) -> str:
        """The SQL that reads the column, whose name is quoted already."""
        return self.select.replace("{}", column)


def _written(select: str, length: int | None = None) -> OracleRoute:
    return OracleRoute(type=ColumnType(kind=Kind.TEXT, length=length), select=select)


_NUMBER_TEXT = OracleRoute(
    type=ColumnType(kind=Kind.TEXT, length=65),
    select="TO_CHAR({}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')",
    number=True,
    connectorx=True,
)


def _number(sizes: list[str]) -> OracleRoute:
    """NUMBER, NUMBER(p,s) or NUMBER(*,s); ConnectorX reads whole numbers as 64 bits and the others at scale 10.

    Sources: ConnectorX's `sources/oracle/typesystem.rs`, `transports/oracle_arrow.rs` and rust_decimal's 28 digits.
    """
    if not sizes:
        return _NUMBER_TEXT
    precision = MAX_DECIMAL_DIGITS if sizes[0] == "*" else int(sizes[0])
    scale = int(sizes[1]) if len(sizes) > 1 else 0
    digits = max(precision, scale, precision - scale)
    if digits > MAX_DECIMAL_DIGITS:
        return _NUMBER_TEXT
    whole = scale == 0 and precision <= _INT64_DIGITS
    fraction = 0 < scale <= min(precision, _CONNECTORX_SCALE) and precision <= _CONNECTORX_DIGITS
    return OracleRoute(type=decimal(digits, max(scale, 0)), connectorx=whole or fraction)


def _timestamp(sizes: list[str]) -> OracleRoute:
    if _digits(sizes) <= _MICROSECONDS:
        return OracleRoute(type=TIMESTAMP, connectorx=True)
    return _written(f"LTRIM(TO_CHAR({{}}, '{INSTANT}'))", 30)


def _local(sizes: list[str]) -> OracleRoute:
    """Stored in the database's zone and shown in the session's: read in UTC."""
    if _digits(sizes) <= _MICROSECONDS:
        return OracleRoute(type=TIMESTAMPTZ, select="CAST(SYS_EXTRACT_UTC({}) AS TIMESTAMP(6))")
    return _written(f"LTRIM(TO_CHAR(SYS_EXTRACT_UTC({{}}), '{INSTANT}')) || NVL2({{}}, ' +00:00', NULL)", 37)


def _digits(sizes: list[str]) -> int:
    return int(sizes[0]) if sizes else _MICROSECONDS


def _sized(route: OracleRoute) -> Callable[[list[str]], OracleRoute]:
    def sized(sizes: list[str]) -> OracleRoute:
        return replace(route, type=replace(route.type, length=int(sizes[0]) if sizes else None))

    return sized


def _fixed(route: OracleRoute) -> Callable[[list[str]], OracleRoute]:
    return lambda _sizes: route


_TEXT = OracleRoute(type=TEXT)
ROUTES: dict[str, Callable[[list[str]], OracleRoute]] = {
    "NUMBER": _number,
    "FLOAT": _fixed(_NUMBER_TEXT),
    "BINARY_FLOAT": _fixed(OracleRoute(type=FLOAT32, connectorx=True)),
    "BINARY_DOUBLE": _fixed(OracleRoute(type=FLOAT64, connectorx=True)),
    "CHAR": _sized(replace(_TEXT, connectorx=True)),
    "VARCHAR2": _sized(replace(_TEXT, connectorx=True)),
    "NCHAR": _sized(replace(_TEXT, connectorx=True)),
    "NVARCHAR2": _sized(replace(_TEXT, connectorx=True)),
    "CLOB": _fixed(replace(_TEXT, lob=True)),
    "NCLOB": _fixed(replace(_TEXT, lob=True)),
    "LONG": _fixed(_TEXT),
    "RAW": _sized(OracleRoute(type=BINARY)),
    "BLOB": _fixed(OracleRoute(type=BINARY, lob=True)),
    "LONG RAW": _fixed(OracleRoute(type=BINARY)),
    "DATE": _fixed(OracleRoute(type=TIMESTAMP, connectorx=True)),
    "TIMESTAMP": _timestamp,
    "TIMESTAMP WITH TIME ZONE": _fixed(
        _written(
            f"RTRIM(LTRIM(TO_CHAR({{}}, '{INSTANT} TZH:TZM')) || ' ' || NULLIF(EXTRACT(TIMEZONE_REGION FROM {{}}), 'UNKNOWN'))",
            101,
        )
    ),
    "TIMESTAMP WITH LOCAL TIME ZONE": _local,
    "INTERVAL DAY TO SECOND": _fixed(_written("TO_CHAR(CAST({} AS INTERVAL DAY(9) TO SECOND(9)))", 29)),
    "INTERVAL YEAR TO MONTH": _fixed(_written("TO_CHAR(CAST({} AS INTERVAL YEAR(9) TO MONTH))", 13)),
    "ROWID": _fixed(_written("ROWIDTOCHAR({})", 18)),
    "UROWID": _fixed(_written("CAST({} AS VARCHAR2(4000))", 4000)),
    "BOOLEAN": _fixed(OracleRoute(type=BOOLEAN)),
    "JSON": _fixed(_written("JSON_SERIALIZE({} RETURNING CLOB)")),
    "XMLTYPE": _fixed(_written("XMLSERIALIZE(CONTENT {} AS CLOB)")),
}
_SIZES = re.compile(r"\(([^)]*)\)")
# Types whose rows may be megabytes each, by the names that ROUTES gives them.
LARGE = frozenset({"CLOB", "NCLOB", "LONG", "BLOB", "LONG RAW", "JSON", "XMLTYPE"})


def type_name(declared: str) -> str:
    """'TIMESTAMP(6) WITH TIME ZONE' without its sizes."""
    return _SIZES.sub("", declared)


def oracle_route(declared: str) -> OracleRoute | None:
    """The route of a type as `extract.oracle_extractor.catalogue.declared_type` spells it; None where no exact one is known."""
    route = ROUTES.get(type_name(declared))
    sizes = _SIZES.search(declared)
    return route([size.strip() for size in sizes[1].split(",")] if sizes else []) if route else None
