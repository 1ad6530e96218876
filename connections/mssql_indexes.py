"""SQL Server's indexes over a column, as the statements that drop them and create them as they were."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from connections.mssql_catalogue import quoted
from connections.target import Rebuilt
from model.names import TableName

# Rowstore indexes that belong to no constraint: an ALTER COLUMN is refused while one of them holds the column.
# https://learn.microsoft.com/sql/t-sql/statements/alter-table-transact-sql#alter-column
OVER_COLUMN = (
    "SELECT i.name, i.is_unique, i.filter_definition, c.name, k.is_included_column, k.is_descending_key "
    "FROM {database}.sys.indexes AS i "
    "JOIN {database}.sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id "
    "JOIN {database}.sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id "
    "WHERE i.object_id = OBJECT_ID(:table, N'U') AND i.type = 2 AND i.is_primary_key = 0 AND i.is_unique_constraint = 0 "
    "AND EXISTS (SELECT 1 FROM {database}.sys.index_columns AS o "
    "JOIN {database}.sys.columns AS w ON w.object_id = o.object_id AND w.column_id = o.column_id "
    "WHERE o.object_id = i.object_id AND o.index_id = i.index_id AND w.name = :column) "
    "ORDER BY i.index_id, k.is_included_column, k.key_ordinal, k.index_column_id"
)

NAMES = "SELECT name FROM {database}.sys.indexes WHERE object_id = OBJECT_ID(:table, N'U') AND name IS NOT NULL"


def indexes_over(connection: sa.Connection, name: TableName, table: str, column: str) -> list[Rebuilt]:
    """The nonclustered indexes that hold a column; `table` is the table's quoted name."""
    query = sa.text(OVER_COLUMN.format(database=quoted(name.database)))
    rows = connection.execute(query, {"table": table, "column": column}).all()
    return [_rebuilt(table, index, parts) for index, parts in groupby(rows, key=lambda row: str(row[0]))]


def _rebuilt(table: str, index: str, parts: Iterable[Any]) -> Rebuilt:
    keys, included = [], []
    unique, condition = False, None
    for _, is_unique, filter_definition, column, is_included, descending in parts:
        unique, condition = bool(is_unique), filter_definition
        if is_included:
            included.append(quoted(str(column)))
        else:
            keys.append(quoted(str(column)) + (" DESC" if descending else ""))
    include = f" INCLUDE ({', '.join(included)})" if included else ""
    where = f" WHERE {condition}" if condition else ""
    return Rebuilt(
        drop=f"DROP INDEX {quoted(index)} ON {table}",
        create=f"CREATE {'UNIQUE ' if unique else ''}INDEX {quoted(index)} ON {table} ({', '.join(keys)}){include}{where}",
    )
