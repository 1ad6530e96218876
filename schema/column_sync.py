"""UdmTablesColumnsList: read, and filled from the source's catalogue; the key is the users', else the catalogue's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connections.target import Target
from model.control import COLUMNS_LIST
from model.errors import MissingKey
from model.types import Column

_LAYER = "Source"
"""The Layer of rows that `sync_columns` writes: what they say of the key is the catalogue's, until somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedColumn:
    """A row of UdmTablesColumnsList, of what the pipeline obeys in it; texts are '' where there is none."""

    name: str
    is_key: bool
    is_excluded: bool
    mask: str
    layer: str = ""
    is_index: bool = False
    index_name: str = ""
    index_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableKey:
    """The key that a table is loaded by, what the source's catalogue says it is (empty: nothing), and whether people wrote it.

    A row that names a key column and has no Layer is theirs; so is a key that is another than the catalogue's was, see
    `orchestration.hash_layouts.check_key`.
    """

    columns: tuple[str, ...]
    catalogue: tuple[str, ...]
    is_users: bool


def read_listed(target: Target, source: str, table: str) -> tuple[ListedColumn, ...]:
    """The rows that UdmTablesColumnsList holds for a table, in their order; names are found without regard to case.

    A mask that was passed over for the spelling of its table would load personal data in clear.
    """
    listed = target.own(COLUMNS_LIST).c
    texts = (listed.MaskWith, listed.Layer, listed.IndexName, listed.IndexType)
    query = (
        sa.select(listed.ColumnName, listed.IsPrimaryKey, listed.IsExcludedFromHash, listed.IsIndex, *texts)
        .where(*_of_table(listed, source, table))
        .order_by(listed.OrdinalPosition, listed.ColumnName)
    )
    with target.engine.connect() as connection:
        return tuple(_listed(*row) for row in connection.execute(query))


def _listed(name: str, is_key: object, is_excluded: object, is_index: object, *texts: str | None) -> ListedColumn:
    mask, layer, index_name, index_type = ((text or "").strip() for text in texts)
    return ListedColumn(
        name=name,
        is_key=bool(is_key),
        is_excluded=bool(is_excluded),
        mask=mask,
        layer=layer,
        is_index=bool(is_index),
        index_name=index_name,
        index_type=index_type,
    )


def _of_table(listed: sa.ColumnCollection[str, sa.Column[Any]], source: str, table: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Names of sources and tables are one where they differ in case only (`TableConfigLoader` refuses two such)."""
    names = ((listed.SourceName, source), (listed.TableName, table))
    one, other = (sa.func.lower(column) == sa.func.lower(sa.literal(name, sa.Unicode())) for column, name in names)
    return one, other


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


def table_key(
    source: str, table: str, listed: Sequence[ListedColumn], catalogue: Sequence[str], columns: Sequence[Column], general: str
) -> TableKey:
    """`choose_key` of listed rows, and whose the key is."""
    rows = [row for row in listed if row.is_key]
    key = choose_key(source, table, [row.name for row in rows], catalogue, columns, general)
    return TableKey(columns=key, catalogue=tuple(catalogue), is_users=any(not row.layer for row in rows))


def mark_key(target: Target, source: str, table: str, key: Sequence[str]) -> None:
    """Say in the rows that `sync_columns` wrote which columns are the key now; rows of people stay as they are."""
    listed = target.own(COLUMNS_LIST)
    ours = (*_of_table(listed.c, source, table), listed.c.Layer == _LAYER)
    in_key = listed.c.ColumnName.in_(key)
    with target.engine.begin() as connection:
        for condition, value in ((in_key, sa.true()), (sa.not_(in_key), sa.false())):
            connection.execute(sa.update(listed).values(IsPrimaryKey=value).where(*ours, condition))


def sync_columns(target: Target, source: str, table: str, columns: Sequence[Column], key: Sequence[str]) -> int:
    """Add the columns that UdmTablesColumnsList lacks; rows that are there are never changed. Returns the rows added."""
    listed = target.own(COLUMNS_LIST)
    query = sa.select(listed.c.ColumnName).where(*_of_table(listed.c, source, table))
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
