"""A selection as DuckDB's SQL, its values as typed literals: a stream through Arrow takes no parameters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.elements import quoted_name

from extract.selection import Expression, Selection, Value
from model.types import Column


def in_sql(selection: Selection) -> str:
    """The condition as it stands behind WHERE."""
    condition = selection.condition(lambda name: sa.column(quoted_name(name, quote=True)), _literal)
    dialect = DefaultDialect(paramstyle="named")  # any other would double the per cent signs of names
    return str(condition.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _literal(column: Column, value: Value) -> Expression:
    text = _text(value)
    # What travels as text is compared as what it is.
    as_text = isinstance(value, str) and column.source_type not in {"VARCHAR", "JSON"}
    return sa.literal_column(f"CAST({text} AS {column.source_type})" if as_text else text)


def _text(value: Value) -> str:
    return next(spelled(value) for kind, spelled in _SPELLED.items() if isinstance(value, kind))


# The first that fits: a bool is an int, a datetime a date.
_SPELLED: dict[type, Callable[[Any], str]] = {
    bool: lambda value: str(value).upper(),
    int: str,
    float: lambda value: f"CAST('{value!r}' AS DOUBLE)",
    Decimal: lambda value: format(value, "f"),
    datetime: lambda value: f"TIMESTAMPTZ '{value.astimezone(UTC)}'" if value.tzinfo else f"TIMESTAMP '{value}'",
    date: lambda value: f"DATE '{value}'",
    bytes: lambda value: f"unhex('{value.hex()}')",
    str: lambda value: "'" + value.replace("'", "''") + "'",
}
