"""Keys and columns: from what the users set in UdmTablesColumnsList, else from the source's catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from connections.target import Target
from model.control import COLUMNS_LIST
from model.errors import MissingKey
from model.types import Column

_LAYER = "Source"


def read_key(target: Target, source: str, table: str) -> tuple[str, ...]:
    """The key columns that UdmTablesColumnsList holds for a table; empty where it holds none."""
    listed = target.own(COLUMNS_LIST).c
    query = (
        sa.select(listed.ColumnName)
        .where(listed.SourceName == source, listed.TableName == table, listed.IsPrimaryKey == sa.true())
        .order_by(listed.OrdinalPosition, listed.ColumnName)
    )
    with target.engine.connect() as connection:
        return tuple(dict.fromkeys(connection.execute(query).scalars()))


def choose_key(
    source: str, table: str, listed: Sequence[str], catalogue: Sequence[str], columns: Sequence[Column], general: str
) -> tuple[str, ...]:
    """The users' key, else the catalogue's, spelled as the source spells it.

    Raises:
        MissingKey: there is neither, or the users' names a column that the source does not have.
    """
    names = {column.name.casefold(): column.name for column in columns}
    unknown = [name for name in listed if name.casefold() not in names]
    if unknown:
        raise MissingKey(
            f"{source}.{table}: {general}.dbo.UdmTablesColumnsList marks {', '.join(unknown)} as the key, "
            "but the source has no such column.",
            remedy="Correct IsPrimaryKey there.",
        )
    key = tuple(dict.fromkeys(names[name.casefold()] for name in listed or catalogue))
    if not key:
        raise MissingKey(
            f"{source}.{table} has no primary key and no unique index on NOT NULL columns.",
            remedy=f"Name its key: INSERT INTO {general}.dbo.UdmTablesColumnsList (SourceName, TableName, ColumnName, "  # noqa: S608 - a hint for people, run by nobody
            f"IsPrimaryKey) VALUES ('{source}', '{table}', '<key column>', 1), a row for each column of the key.",
        )
    return key


def sync_columns(target: Target, source: str, table: str, columns: Sequence[Column], key: Sequence[str]) -> int:
    """Add the columns that UdmTablesColumnsList lacks; rows that are there are never changed. Returns the rows added."""
    listed = target.own(COLUMNS_LIST)
    query = sa.select(listed.c.ColumnName).where(listed.c.SourceName == source, listed.c.TableName == table)
    with target.engine.begin() as connection:
        known = {name.casefold() for name in connection.execute(query).scalars()}
        rows = [
            {
                "SourceName": source,
                "TableName": table,
                "ColumnName": column.name,
                "OrdinalPosition": position,
                "IsPrimaryKey": column.name in key,
                "Layer": _LAYER,
                "IsIndex": False,
                "IsExcludedFromHash": False,
            }
            for position, column in enumerate(columns, start=1)
            if column.name.casefold() not in known
        ]
        if rows:
            connection.execute(sa.insert(listed), rows)
    return len(rows)
