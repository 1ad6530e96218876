"""The one statement that reads a table: its rows, and ahead of them what they are checked by.

`SELECT count, … UNION ALL SELECT NULL, columns`: a statement sees one snapshot in PostgreSQL, MySQL (InnoDB) and SQLite, so the
rows are compared with the count of their own snapshot, however the table changes meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import quoted_name

from extract.connectorx_extractor.kinds import SourceKind
from extract.connectorx_types import Expression, Route
from extract.extractor import SourceTable
from extract.selection import Selection
from model.errors import UnsupportedType, ValueNotExact
from model.types import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`text` reads the table; `empty` reads nothing of it and fails where `text` would not begin.

    `checked` are the places of the columns that the control value answers for, behind the count: '1000|0|1'.
    """

    text: str
    empty: sa.Executable
    checked: tuple[int, ...]


def read_statement(
    dialect: Dialect, kind: SourceKind, table: SourceTable, columns: Sequence[Column], selection: Selection | None = None
) -> Statement:
    """The statement for `columns`; its own first column is the control value, then they follow in their order.

    Of a `selection` it reads and counts those rows only; its values are literals, for ConnectorX takes no parameters.
    """
    routes = [_route(kind, table, column) for column in columns]
    names = [quoted_name(column.name, quote=True) for column in columns]
    schema = quoted_name(table.schema, quote=True) if table.schema else None
    source = sa.table(quoted_name(table.table, quote=True), *(sa.column(name) for name in names), schema=schema)
    values = [_value(route, source.c[name]) for route, name in zip(routes, names, strict=True)]
    body = sa.select(sa.null(), *values).select_from(source)
    control: sa.ColumnElement[str] = sa.cast(sa.func.count(), sa.Text)
    for route, name in zip(routes, names, strict=True):
        if route.fits:
            wrong = sa.func.max(sa.case((route.fits(source.c[name]), 0), else_=1))
            control = control + sa.literal("|", sa.Text) + sa.cast(sa.func.coalesce(wrong, 0), sa.Text)
    # Columns by names of our own: a source's might not survive the way there and back.
    heads: list[Expression] = [sa.literal_column(route.placeholder).label(f"c{place}") for place, route in enumerate(routes)]
    head = sa.select(control.label("control"), *heads).select_from(source)
    empty = body.limit(0)
    if selection is not None:
        condition = selection.condition(lambda name: sa.column(quoted_name(name, quote=True)), kind.literal)
        head, body = head.where(condition), body.where(condition)
    text = sa.union_all(head, body).compile(dialect=undriven(dialect), compile_kwargs={"literal_binds": True})
    checked = tuple(place for place, route in enumerate(routes) if route.fits)
    return Statement(text=str(text), empty=empty, checked=checked)


def bounds_query(table: SourceTable, column: Column) -> sa.Select[Any, Any, int, int]:
    """What `extract.partitions.Bounds` holds, in its order."""
    name = quoted_name(column.name, quote=True)
    schema = quoted_name(table.schema, quote=True) if table.schema else None
    source = sa.table(quoted_name(table.table, quote=True), sa.column(name), schema=schema)
    values = source.c[name]
    nulls = sa.func.count() - sa.func.count(values)
    return sa.select(sa.func.min(values), sa.func.max(values), sa.func.count(), nulls).select_from(source)


def undriven(dialect: Dialect) -> Dialect:
    """The dialect for SQL that passes its driver by: the drivers' own double per cent signs for them."""
    return type(dialect)(paramstyle="named")  # type: ignore[call-arg]


def counted(table: SourceTable, columns: Sequence[Column], statement: Statement, control: str) -> int:
    """The number of rows that a control value announces.

    Raises:
        ValueNotExact: it names columns with values that are not of their declared type.
    """
    count, *wrong = control.split("|")
    places = [place for place, flag in zip(statement.checked, wrong, strict=True) if flag != "0"]
    if places:
        raise ValueNotExact(
            f"{table}: column {', '.join(repr(columns[place].name) for place in places)} holds values that its declared type"
            f" ({', '.join(columns[place].source_type or 'none' for place in places)}) does not describe.",
            remedy="Correct them at the source, or load a view that casts the column to text.",
        )
    return int(count)


def _route(kind: SourceKind, table: SourceTable, column: Column) -> Route:
    route = kind.route(column.source_type)
    if route is None:
        raise UnsupportedType(f"{table}: no exact route carries column {column.name!r} as {column.source_type}.")
    return route


def _value(route: Route, column: Expression) -> Expression:
    """A value that does not fit would end the stream before its count is told; that it is NULL here is never used."""
    value = route.select(column)
    return sa.case((route.fits(column), value)) if route.fits else value
