"""A value as SQL Server compares it with a column, in a type that leaves the column as it is, so that its index serves.

Beside a literal of a higher type than its own the column would be converted, row by row. Nothing here depends on the session's
language or DATEFORMAT.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal

import sqlalchemy as sa

from extract.connectorx_extractor.literals import plain, quoted
from extract.connectorx_sqlserver_extractor.rules import name_and_sizes, rule_of
from extract.selection import Expression, Value
from model.types import MAX_DECIMAL_DIGITS, Column, Kind

_EXACT = Context(prec=3 * MAX_DECIMAL_DIGITS)
_MICROSECONDS = 6
_UNICODE = {"nchar", "nvarchar", "ntext", "xml", "json"}
_AS_TEXT = {"uniqueidentifier", "time", "datetime2", "datetimeoffset"}
# T-SQL takes a backslash and the end of its line out of a literal.
_JOINED_LINES = re.compile(r"(?<=\\)(?=[\r\n])")
# Naive, as the types are; of the older ones the first and the last instant.
_BEGINNING = datetime(1, 1, 1)  # noqa: DTZ001
_ENDS = {
    "datetime": (datetime(1753, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 997_000)),  # noqa: DTZ001
    "smalldatetime": (datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59)),  # noqa: DTZ001
}


def literal(column: Column, value: Value) -> Expression:
    """A key, or an end of a half-open range: of an end that the column's type cannot hold, its next value above."""
    return sa.literal_column(_spelled(column, value))


def _spelled(column: Column, value: Value) -> str:
    name, sizes = name_and_sizes(column.source_type)
    if isinstance(value, str):
        return _text(name, value)
    if isinstance(value, datetime):
        return _instant(name, sizes[0] or 0, value)
    if isinstance(value, date):
        return _cast(quoted(value.isoformat().replace("-", "")), "date")
    if isinstance(value, bytes):
        rule = rule_of(column.source_type)
        return _cast(f"0x{value.hex()}", rule.travels if rule else name)
    return _number(column, value)


def _text(name: str, value: str) -> str:
    """N beside a code page's column converts the column: only where the database's own code page might lack a character."""
    mark = "" if value.isascii() and name not in _UNICODE else "N"
    text = " + ".join(mark + quoted(part) for part in _JOINED_LINES.split(value))
    return _cast(text, _finest(name)) if name in _AS_TEXT else text


def _instant(name: str, fraction: int, value: datetime) -> str:
    if name == "datetimeoffset":
        return _cast(quoted(value.astimezone(UTC).isoformat(timespec="microseconds")), _finest(name))
    try:
        value, kind = _next_held(name, fraction, value), f"{name}({fraction})" if name == "datetime2" else name
    except OverflowError:
        kind = "datetime2(7)"
    timespec = {"datetime": "milliseconds", "smalldatetime": "seconds"}.get(kind, "microseconds")
    return _cast(quoted(value.isoformat(timespec=timespec)), kind)


def _next_held(name: str, fraction: int, value: datetime) -> datetime:
    """The first instant at or after `value` that the type holds; OverflowError where there is none."""
    if name not in _ENDS:
        return _rounded_up(value, 10 ** max(_MICROSECONDS - fraction, 0))
    first, last = _ENDS[name]
    held = max(first, _next_tick(value) if name == "datetime" else _rounded_up(value, 60_000_000))
    if held > last:
        raise OverflowError
    return held


def _rounded_up(value: datetime, microseconds: int) -> datetime:
    step = timedelta(microseconds=microseconds)
    beyond = (value - _BEGINNING) % step
    return value + (step - beyond) if beyond else value


def _next_tick(value: datetime) -> datetime:
    """DATETIME has thirds of a centisecond, which end with 0, 3 and 7 milliseconds."""
    whole = _rounded_up(value, 1_000)
    digit = whole.microsecond // 1_000 % 10
    return whole + timedelta(milliseconds=next(tick for tick in (0, 3, 7, 10) if tick >= digit) - digit)


def _number(column: Column, value: float | Decimal) -> str:
    if column.type.kind is Kind.DECIMAL:
        number = Decimal(value).quantize(Decimal(1).scaleb(-column.type.scale), ROUND_CEILING, _EXACT)
        fits = abs(number) < 10 ** (column.type.precision - column.type.scale)
        return _cast(plain(number), column.source_type) if fits else plain(number)
    if column.type.kind is Kind.FLOAT:
        return _cast(f"{value:.16e}", column.source_type)
    return _cast(str(int(value)), column.source_type)


def _finest(name: str) -> str:
    return f"{name}(7)" if name in {"time", "datetime2", "datetimeoffset"} else name


def _cast(text: str, kind: str) -> str:
    return f"CAST({text} AS {kind})"
