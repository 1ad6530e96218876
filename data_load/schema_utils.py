"""DDL that tables share: typed table definitions, CREATE and DROP, compiled by the target's own dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem

from connections.target import Target
from model.names import TableName
from model.types import Column


def typed(target: Target, columns: Iterable[Column]) -> list[sa.Column[Any]]:
    """Source columns with their target types; all nullable, for a column may vanish and a delete event may lack values."""
    return [sa.Column(column.name, target.sql_type(column.type), nullable=True) for column in columns]


def create_table(
    target: Target,
    connection: sa.Connection,
    name: TableName,
    columns: Iterable[SchemaItem],
    storage: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """CREATE TABLE, where it is missing; `storage` is one of the target's."""
    table = sa.Table(name.table, sa.MetaData(), *columns, schema=target.schema(name.database, name.schema), **storage)
    target.create_table(connection, name.database, table)


def drop_table(target: Target, connection: sa.Connection, name: TableName) -> None:
    """DROP TABLE IF EXISTS."""
    connection.execute(target.ddl(name.database, f"DROP TABLE IF EXISTS {target.quoted(name)}"))

