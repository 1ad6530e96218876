"""Columns and key of a source table, from the source's catalogue."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from extract.connectorx_extractor.kinds import SourceKind
from extract.connectorx_extractor.statement import undriven
from extract.extractor import SourceDescription, SourceTable, narrowest_key
from model.errors import SourceTableMissing, UnsupportedType
from model.types import Column

_REFLECTING = threading.Lock()
# Options by which an index's uniqueness says nothing of the whole table.
_PARTIAL = frozenset({"sqlite_where", "postgresql_where", "postgresql_invalid"})


def read_description(connection: sa.Connection, kind: SourceKind, table: SourceTable) -> SourceDescription:
    """Columns by the catalogue's own tables, for SQLAlchemy's inspector leaves out or blurs types it does not know; keys by it.

    Raises:
        SourceTableMissing: no such table, or the login may not see it.
        UnsupportedType: a column that no exact route carries.
    """
    rows = _asked(connection, kind.columns, table)
    if not rows:
        raise SourceTableMissing(
            f"{table}: the source has no table {_name(connection, table)}, or its login may not see it.",
            remedy="Correct SourceSchemaName and SourceObjectName in UdmTablesList, or grant SELECT on it to the login of"
            f" UDM_SOURCE_{table.source}.",
        )
    columns = tuple(_column(kind, table, *row) for row in rows)
    return SourceDescription(columns=columns, key=_key(connection, table, columns))


def read_led_to_by(connection: sa.Connection, kind: SourceKind, table: SourceTable, column: Column) -> bool | None:
    """Whether an index leads with a column; None of a view."""
    rows = _asked(connection, kind.led_to_by, table, column=column.name)
    return bool(rows[0][0]) if rows else None


def _asked(connection: sa.Connection, query: str, table: SourceTable, **more: str) -> Sequence[Sequence[Any]]:
    wanted = {"name": _name(connection, table), "schema": table.schema, "table": table.table, **more}
    parameters = {key: value for key, value in wanted.items() if f":{key}" in query}
    return connection.execute(sa.text(query), parameters).all()


def _name(connection: sa.Connection, table: SourceTable) -> str:
    quote = undriven(connection.dialect).identifier_preparer.quote_identifier
    return ".".join(quote(part) for part in (table.schema, table.table) if part)


def _column(kind: SourceKind, table: SourceTable, name: str, declared: str, nullable: object) -> Column:
    route = kind.route(declared)
    if route is None:
        raise UnsupportedType(
            f"{table}: column {name!r} has the type {declared}, which no exact route carries.",
            remedy="Load a view that casts the column to text.",
        )
    return Column(name=name, type=route.type, nullable=bool(nullable), source_type=declared)


def _key(connection: sa.Connection, table: SourceTable, columns: Sequence[Column]) -> tuple[str, ...]:
    # SQLAlchemy warns of indexes on expressions, which are no keys; filters of warnings belong to the process, hence the lock.
    with _REFLECTING, warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        inspector = sa.inspect(connection)
        if primary := inspector.get_pk_constraint(table.table, schema=table.schema)["constrained_columns"]:
            return tuple(primary)
        constraints = inspector.get_unique_constraints(table.table, schema=table.schema)
        indexes = inspector.get_indexes(table.table, schema=table.schema)
    unique = [tuple(constraint["column_names"]) for constraint in constraints]
    for index in indexes:
        options = index.get("dialect_options", {})
        if index["unique"] and all(options.get(option) is None for option in _PARTIAL):
            unique.append(tuple(name or "" for name in index["column_names"]))  # an expression has no name
    required = {column.name for column in columns if not column.nullable}
    return narrowest_key([key for key in unique if key and set(key) <= required])
