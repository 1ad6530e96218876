"""A value as each kind of source spells it beside a column, so that its index stays usable: ConnectorX takes no parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from extract.selection import Expression, Value
from model.types import Column, Kind

_TRIPPING = re.compile(r"['\\\0]")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")


def postgresql_literal(column: Column, value: Value) -> Expression:
    """Quoted and without a type: beside a column PostgreSQL reads it as that column's, whatever that is, without its size.

    The session that reads takes backslashes for what they are (`standard_conforming_strings`).
    """
    text = quoted(_spelled(_POSTGRESQL, value))
    # Money is written by the database's own locale, numbers are not.
    return sa.literal_column(f"CAST(CAST({text} AS numeric) AS money)" if column.source_type == "money" else text)


def mysql_literal(column: Column, value: Value) -> Expression:
    """Of the column's own kind: text compared with a number or a date is compared as something else, a float for instance.

    Text as bytes, for what a backslash means is a setting; instants in UTC, which is the time zone of the session that reads.
    """
    if isinstance(value, str) and column.type.kind is Kind.TIME:
        return sa.literal_column(f"TIME {quoted(value)}")
    # Of more digits than our decimals have: text here, a number there.
    as_it_is = isinstance(value, str) and column.source_type.startswith("decimal") and _DECIMAL.fullmatch(value)
    return sa.literal_column(str(value) if as_it_is else _spelled(_MYSQL, value))


def sqlite_literal(column: Column, value: Value) -> Expression:
    """As it is stored. Dates are text there: midnight is written as its day alone, below which no spelling of it lies."""
    del column
    return sa.literal_column(_spelled(_SQLITE, value))


def quoted(text: str) -> str:
    """Text as a literal where a backslash is one."""
    return "'" + text.replace("'", "''") + "'"


def plain(value: Decimal) -> str:
    """All digits: an exponent would make a float of them."""
    return format(value, "f")


def _spelled(forms: Mapping[type, Callable[[Any], str]], value: Value) -> str:
    return next(form(value) for kind, form in forms.items() if isinstance(value, kind))


def _in_utc(value: datetime) -> str:
    return str(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)


def _sqlite_text(value: str) -> str:
    """A statement ends at a NUL, and what ConnectorX makes of quotes and backslashes while it parses is not what they were."""
    return f"CAST(X'{value.encode().hex()}' AS TEXT)" if _TRIPPING.search(value) else quoted(value)


# The first that fits: a bool is an int, a datetime a date.
_POSTGRESQL: dict[type, Callable[[Any], str]] = {
    Decimal: plain,
    bytes: lambda value: f"\\x{value.hex()}",
    object: str,
}
_MYSQL: dict[type, Callable[[Any], str]] = {
    bool: lambda value: str(int(value)),
    int: str,
    float: lambda value: f"{value:.17e}",
    Decimal: plain,
    datetime: lambda value: f"TIMESTAMP {quoted(_in_utc(value))}",
    date: lambda value: f"DATE {quoted(str(value))}",
    bytes: lambda value: f"X'{value.hex()}'",
    str: lambda value: f"_utf8mb4 X'{value.encode().hex()}'",
}
_SQLITE: dict[type, Callable[[Any], str]] = {
    bool: lambda value: str(int(value)),
    int: str,
    float: lambda value: repr(value).replace("inf", "9e999"),
    Decimal: plain,
    datetime: lambda value: quoted(str(value.date()) if value.time() == time() else _in_utc(value)),
    date: lambda value: quoted(str(value)),
    bytes: lambda value: f"X'{value.hex()}'",
    str: _sqlite_text,
}
