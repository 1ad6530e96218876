"""Rows that are asked for, in Oracle's SQL: bare columns against bound values of their own types, so that indexes serve.

What must be converted is converted on the value's side. The type of a bind decides that too: a TIMESTAMP beside a DATE column, or
NVARCHAR2 beside VARCHAR2, would have Oracle convert the column, and CHAR is compared without regard to blanks at the end only
where both sides are CHAR. https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/Data-Type-Comparison-Rules.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import oracledb
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from extract import partitions
from extract.extractor import SourceTable
from extract.oracle_extractor.routes import INSTANT, type_name
from extract.oracle_extractor.statement import Bound, Range, quoted_column
from extract.selection import Between, Expression, Selection, Value, WithKeys
from model.errors import TerminalError
from model.types import Column

_LONGEST_LIST = 1_000  # ORA-01795 before 23ai
_TO_ZONED = f"TO_TIMESTAMP_TZ({{}}, '{INSTANT} TZH:TZM')"
_LOCAL = "CAST({} AS TIMESTAMP(9) WITH LOCAL TIME ZONE)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How a value is compared with a column: bound as `type`, as `sql` says, where `{}` stands for the bind."""

    type: oracledb.DbType
    sql: str = "{}"
    value: Callable[[Any], object] = lambda value: value


def selected(table: SourceTable, selection: Selection) -> tuple[Range, ...]:
    """The rows of a selection; of very many keys in several ranges, for no list may hold them all.

    Raises:
        TerminalError: a column is of a type that Oracle compares with nothing, or a value none of its type.
    """
    if isinstance(selection, WithKeys) and selection.keys.height > _LONGEST_LIST:
        keys = selection.keys.unique(maintain_order=True)  # a row belongs to one range
        return tuple(_rows(table, replace(selection, keys=part)) for part in keys.iter_slices(_LONGEST_LIST))
    return (_rows(table, selection),)


def part(table: SourceTable, column: Column, one: partitions.Range) -> Range:
    """A range of PartitionOn."""
    nulls = f"{quoted_column(column.name)} IS NULL"
    if not one.values:
        return Range(predicate=nulls)
    if one.start is None and one.end is None:
        return Range() if one.nulls else Range(predicate=f"{quoted_column(column.name)} IS NOT NULL")
    within = _rows(table, Between(column=column, start=one.start, end=one.end))
    return replace(within, predicate=f"{within.predicate} OR {nulls}") if one.nulls else within


def _rows(table: SourceTable, selection: Selection) -> Range:
    binds: dict[str, Bound] = {}

    def literal(column: Column, value: Value) -> Expression:
        way = _way(table, column, value)
        name = f"v{len(binds)}"
        binds[name] = Bound(type=way.type, value=_given(table, column, way, value))
        return sa.literal_column(way.sql.replace("{}", f":{name}"))

    condition = selection.condition(lambda name: sa.literal_column(quoted_column(name)), literal)
    # Any other style of binds would double the per cent signs of names.
    predicate = str(condition.compile(dialect=DefaultDialect(paramstyle="named")))
    # Keys have an index of their own; that of the hint, which is one of dates, would be scanned from end to end for them.
    return Range(predicate=predicate, binds=binds, hinted=not isinstance(selection, WithKeys))


def _way(table: SourceTable, column: Column, value: Value) -> _Way:
    name = type_name(column.source_type)
    ways = _OF_TEXT if isinstance(value, str) else _OF_MOMENTS if isinstance(value, datetime) else {}
    way = ways.get(name) or _WAYS.get(name)
    if way is None:
        raise TerminalError(
            f"{table}: column {column.name!r} ({column.source_type}) cannot be looked up by: Oracle compares it with nothing.",
            remedy="Name other key columns in UdmTablesColumnsList, or another SourceAggregateColumnName in UdmTablesList.",
        )
    if name == "DATE" and isinstance(value, datetime) and value.microsecond:
        return _OF_MOMENTS["TIMESTAMP"]
    return way


def _given(table: SourceTable, column: Column, way: _Way, value: Value) -> object:
    try:
        return way.value(value)
    except InvalidOperation:
        raise TerminalError(
            f"{table}: column {column.name!r} ({column.source_type}) is compared with text that is no number.",
            remedy="For a date as a number, SourceAggregateColumnType is YYYYMMDD.",
        ) from None


def _signed(text: str) -> str:
    """As TO_CHAR wrote it before its blank was cut: the format has a place for the sign of the year."""
    return text if text.startswith("-") else f" {text}"


def _without_region(text: str) -> str:
    """'2026-07-01 10:00:00.000000000 +02:00 Europe/Berlin': the offset says the instant, by which such values are compared."""
    return _signed(" ".join(text.split(" ")[:3]))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


_NUMBER = _Way(type=oracledb.DB_TYPE_NUMBER, value=lambda value: Decimal(value) if isinstance(value, str) else value)
_WAYS: dict[str, _Way] = {
    "NUMBER": _NUMBER,
    "FLOAT": _NUMBER,
    "BINARY_FLOAT": _Way(type=oracledb.DB_TYPE_BINARY_FLOAT),
    "BINARY_DOUBLE": _Way(type=oracledb.DB_TYPE_BINARY_DOUBLE),
    "CHAR": _Way(type=oracledb.DB_TYPE_CHAR),
    "VARCHAR2": _Way(type=oracledb.DB_TYPE_VARCHAR),
    "NCHAR": _Way(type=oracledb.DB_TYPE_NCHAR),
    "NVARCHAR2": _Way(type=oracledb.DB_TYPE_NVARCHAR),
    "RAW": _Way(type=oracledb.DB_TYPE_RAW),
    "BOOLEAN": _Way(type=oracledb.DB_TYPE_BOOLEAN),
}
_OF_MOMENTS: dict[str, _Way] = {
    "DATE": _Way(type=oracledb.DB_TYPE_DATE),
    "TIMESTAMP": _Way(type=oracledb.DB_TYPE_TIMESTAMP),
    "TIMESTAMP WITH TIME ZONE": _Way(type=oracledb.DB_TYPE_TIMESTAMP, sql="FROM_TZ({}, '+00:00')", value=_utc),
    "TIMESTAMP WITH LOCAL TIME ZONE": _Way(
        type=oracledb.DB_TYPE_TIMESTAMP, sql=_LOCAL.replace("{}", "FROM_TZ({}, '+00:00')"), value=_utc
    ),
}
# What travels as text, in the form that its route writes.
_OF_TEXT: dict[str, _Way] = {
    "TIMESTAMP": _Way(type=oracledb.DB_TYPE_VARCHAR, sql=f"TO_TIMESTAMP({{}}, '{INSTANT}')", value=_signed),
    "TIMESTAMP WITH TIME ZONE": _Way(type=oracledb.DB_TYPE_VARCHAR, sql=_TO_ZONED, value=_without_region),
    "TIMESTAMP WITH LOCAL TIME ZONE": _Way(
        type=oracledb.DB_TYPE_VARCHAR, sql=_LOCAL.replace("{}", _TO_ZONED), value=_without_region
    ),
    "INTERVAL DAY TO SECOND": _Way(type=oracledb.DB_TYPE_VARCHAR, sql="TO_DSINTERVAL({})"),
    "INTERVAL YEAR TO MONTH": _Way(type=oracledb.DB_TYPE_VARCHAR, sql="TO_YMINTERVAL({})"),
    "ROWID": _Way(type=oracledb.DB_TYPE_VARCHAR, sql="CHARTOROWID({})"),
    "UROWID": _Way(type=oracledb.DB_TYPE_VARCHAR, sql="CAST({} AS UROWID)"),
}
