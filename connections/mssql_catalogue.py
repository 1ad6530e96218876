"""What SQL Server's catalogue says. INFORMATION_SCHEMA spells names as they were created, whatever a statement calls them."""

from __future__ import annotations

import sqlalchemy as sa

from connections.mssql_types import catalogue_type
from model.names import TableName
from model.types import Column


def quoted(name: str) -> str:
    """A name in brackets."""
    return "[" + name.replace("]", "]]") + "]"


def in_full(name: TableName) -> str:
    """A table's name in three parts, each in brackets."""
    return ".".join(quoted(part) for part in (name.database, name.schema, name.table))


def columns_of(connection: sa.Connection, name: TableName) -> tuple[Column, ...]:
    """A table's columns in their order."""
    rows = connection.execute(
        sa.text(COLUMNS.format(database=quoted(name.database))), {"schema": name.schema, "table": name.table}
    )
    found = []
    for column, data_type, nullable, *sizes in rows:
        kind, spelled = catalogue_type(data_type, *sizes)
        found.append(Column(name=column, type=kind, nullable=nullable == "YES", source_type=spelled))
    return tuple(found)


def tables_in(connection: sa.Connection, database: str, schema: str) -> list[str]:
    """The names of the tables in a schema."""
    return list(connection.execute(sa.text(TABLES.format(database=quoted(database))), {"schema": schema}).scalars())


def catalogue(connection: sa.Connection, database: str) -> dict[tuple[str, str], set[str]]:
    """The columns of every table of a database, all names case folded."""
    held: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in connection.execute(sa.text(CATALOGUE.format(database=quoted(database)))):
        held.setdefault((schema.casefold(), table.casefold()), set()).add(column.casefold())
    return held


COLUMNS = (
    "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION "
    "FROM {database}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = :schema AND TABLE_NAME = :table ORDER BY ORDINAL_POSITION"
)
TABLES = (
    "SELECT TABLE_NAME FROM {database}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = :schema AND TABLE_TYPE = 'BASE TABLE'"
)
CATALOGUE = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM {database}.INFORMATION_SCHEMA.COLUMNS"
