"""The exactness rules of ConnectorX's sources: per kind, from the catalogue's type to the canonical one and how it is read.

What ConnectorX 0.4.6 carries exactly is read as it is. What it alters (decimals are cut to ten places, TIME 24:00:00 wraps to
00:00:00, JSON is written anew, UNION makes MySQL's unsigned integers decimals) or panics on (MySQL's zero dates, PostgreSQL's
money, `"char"` and points) is cast to text by the source and parsed on arrival. A type in no table is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    MAX_DECIMAL_DIGITS,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    ColumnType,
    decimal,
    integer,
)

Expression = sa.ColumnElement[Any]


def _as_is(column: Expression) -> Expression:
    return column


def _as_text(column: Expression) -> Expression:
    return sa.cast(column, sa.Text)


def _number_as_text(column: Expression) -> Expression:
    """The number behind BIT's bytes and ZEROFILL's zeros."""
    return sa.cast(column + sa.literal_column("0"), sa.Text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How the values of one catalogue type travel: `select` in the query, then parsed from text where text arrives.

    `fits` is the condition under which a stored value has the type that its column declares; only SQLite needs to ask.
    `placeholder` stands for the column in the row that carries the count: SQLite's types are taken from the first row.
    """

    type: ColumnType
    select: Callable[[Expression], Expression] = _as_is
    fits: Callable[[Expression], Expression] | None = None
    placeholder: str = "NULL"


def _text(column_type: ColumnType = TEXT) -> Route:
    return Route(type=column_type, select=_as_text)


def _routes(routes: dict[str, Route]) -> dict[str, Route]:
    """One entry for each of the names in a key, which commas separate."""
    return {name: route for names, route in routes.items() for name in names.split(", ")}


_POSTGRESQL = _routes(
    {
        "boolean": Route(type=BOOLEAN),
        "smallint": Route(type=integer(16)),
        "integer": Route(type=integer(32)),
        "bigint": Route(type=integer(64)),
        "oid": Route(type=integer(32, unsigned=True)),
        "real": Route(type=FLOAT32),
        "double precision": Route(type=FLOAT64),
        "text, character varying": Route(type=TEXT),
        "character": Route(type=TEXT),  # never cast: char(n)::text strips the blanks that are stored
        "bytea": Route(type=BINARY),
        "uuid": Route(type=UUID),
        "date": Route(type=DATE),
        "timestamp without time zone": Route(type=TIMESTAMP),
        "timestamp with time zone": Route(type=TIMESTAMPTZ),
        "time without time zone": _text(TIME),
        "time with time zone": _text(),
        '"char", name, citext, ltree, hstore, json, jsonb, jsonpath, xml, tsvector, tsquery': _text(),
        "inet, cidr, macaddr, macaddr8, bit, bit varying, pg_lsn, xid, xid8": _text(),
        "point, line, lseg, box, path, polygon, circle": _text(),
        # In the number's form: money's own text follows the reader's locale, its digits follow the database's.
        "money": Route(type=TEXT, select=lambda column: _as_text(sa.cast(column, sa.Numeric))),
    }
)
_MYSQL = _routes(
    {
        "tinyint": Route(type=integer(8)),
        "smallint": Route(type=integer(16)),
        "mediumint, int": Route(type=integer(32)),
        "bigint": Route(type=integer(64)),
        "tinyint unsigned": _text(integer(8, unsigned=True)),
        "smallint unsigned": _text(integer(16, unsigned=True)),
        "mediumint unsigned, int unsigned": _text(integer(32, unsigned=True)),
        "bigint unsigned": _text(integer(64, unsigned=True)),
        "bit": Route(type=integer(64, unsigned=True), select=_number_as_text),
        "year": Route(type=integer(16)),
        "float, float unsigned": Route(type=FLOAT32),
        "double, double unsigned": Route(type=FLOAT64),
        "char, varchar, tinytext, text, mediumtext, longtext": Route(type=TEXT),
        "binary, varbinary, tinyblob, blob, mediumblob, longblob": Route(type=BINARY),
        "date": _text(DATE),
        "datetime": _text(TIMESTAMP),
        "timestamp": _text(TIMESTAMPTZ),  # stored in UTC and shown in the session's time zone, which the reader sets
        "time": _text(TIME),
        "uuid": _text(UUID),
        "enum, set, json, inet4, inet6": _text(),
    }
)


def _stored_as(classes: str) -> Callable[[Expression], Expression]:
    return lambda column: sa.func.typeof(column).in_([*classes.split(), "null"])


def _is_boolean(column: Expression) -> Expression:
    return column.is_(None) | ((sa.func.typeof(column) == "integer") & column.in_([0, 1]))


def _is_number(column: Expression) -> Expression:
    """A float, or an integer that a float holds."""
    whole = (sa.func.typeof(column) == "integer") & column.between(-(2**53), 2**53)
    return sa.func.typeof(column).in_(["real", "null"]) | whole


_SQLITE_TEXT = Route(type=TEXT, fits=_stored_as("text"), placeholder="''")
_SQLITE_FLOAT = Route(type=FLOAT64, fits=_stored_as("real"), placeholder="0.0")
# SQLite stores decimals as floats: that float is the value, not the decimal it was written as.
_SQLITE_NUMBER = Route(type=FLOAT64, select=lambda column: sa.cast(column, sa.REAL), fits=_is_number, placeholder="0.0")
# By SQLite's rules of affinity (https://www.sqlite.org/datatype3.html section 3.1): the first part that a declared type contains.
_SQLITE = (
    ("INT", Route(type=integer(64), fits=_stored_as("integer"), placeholder="0")),
    *((part, _SQLITE_TEXT) for part in ("CHAR", "CLOB", "TEXT")),
    ("BLOB", Route(type=BINARY, fits=_stored_as("blob"), placeholder="x''")),
    *((part, _SQLITE_FLOAT) for part in ("REAL", "FLOA", "DOUB")),
    ("BOOL", Route(type=BOOLEAN, fits=_is_boolean, placeholder="0")),
    *((part, _SQLITE_NUMBER) for part in ("DEC", "NUM")),
    # DATE, DATETIME, JSON, UUID and names of the users' own: the affinity makes integers of digits, so both are text again.
    ("", Route(type=TEXT, select=_as_text, fits=_stored_as("text integer"), placeholder="''")),
)

_NAME = re.compile(r"(?P<name>[^(]+?)\s*(?:\((?P<size>[^)]*)\))?(?P<rest>[^(]*)")
_SIZED = {"character varying", "character", "char", "varchar", "binary", "varbinary"}
_DECIMALS = {"numeric", "decimal", "decimal unsigned"}


def postgresql_route(declared: str) -> Route | None:
    """The route of a type as `format_type` spells it, 'enum' or 'range' before the users' own; arrays like their elements."""
    if declared.endswith("[]"):
        element = postgresql_route(declared.rstrip("[]"))
        return _text() if element and not declared.startswith("money") else None
    if declared.startswith(("enum ", "range ", "interval")):
        return _text()
    name, size = _parts(declared)
    return _sized(_POSTGRESQL, name.rsplit(".", 1)[-1], size)


def mysql_route(declared: str) -> Route | None:
    """The route of a `column_type` of MySQL or MariaDB."""
    name, size = _parts(declared.lower())
    route = _sized(_MYSQL, name.removesuffix(" zerofill"), size)
    if route and name.endswith(" zerofill"):
        return Route(type=route.type, select=_number_as_text)
    return route


def sqlite_route(declared: str) -> Route | None:
    """The route of a type as a column of SQLite declares it; an expression in a view declares none, and must be text."""
    if not declared:
        return _SQLITE_TEXT
    return next(route for part, route in _SQLITE if part in declared.upper())


def _parts(declared: str) -> tuple[str, tuple[int, ...]]:
    """'timestamp(3) with time zone' as its name and its sizes."""
    found = _NAME.fullmatch(declared)
    if not found:
        return declared, ()
    sizes = (found["size"] or "").split(",")
    return found["name"] + found["rest"], tuple(int(size) for size in sizes if size.strip().lstrip("-").isdigit())


def _sized(routes: dict[str, Route], name: str, sizes: tuple[int, ...]) -> Route | None:
    if name in _DECIMALS:
        return _text(_decimal(*sizes))
    route = routes.get(name)
    if route and name in _SIZED and sizes:
        return Route(type=ColumnType(kind=route.type.kind, length=sizes[0]), select=route.select)
    return route


def _decimal(precision: int = MAX_DECIMAL_DIGITS + 1, scale: int = 0) -> ColumnType:
    """Canonical text for more digits than a decimal holds; a scale may be negative or above the precision in PostgreSQL."""
    digits = max(precision, scale, precision - scale)
    return decimal(digits, max(scale, 0)) if digits <= MAX_DECIMAL_DIGITS else TEXT
