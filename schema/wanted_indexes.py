"""Indexes that users want on Stage and Bronze (IsIndex, IndexName and IndexType of UdmTablesColumnsList): created and kept.

An index serves readers only: one that cannot be made is warned of at each run, and the table is loaded all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from connections.target import Target
from model.names import TableName
from model.warehouse import WarehouseTable
from schema.column_sync import ListedColumn, read_listed

LOG = logging.getLogger("udm.indexes")
_STAGE = "stage"  # the Layer of an index on Stage; any other, and none, is Bronze
_PLAIN = frozenset({"", "index", "nonclustered", "btree"})
_COLUMNSTORE = frozenset({"columnstore", "nonclustered columnstore"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedIndex:
    """An index as it is wanted; its columns in the order of their OrdinalPosition."""

    table: TableName
    name: str
    columns: tuple[str, ...]
    columnstore: bool


def wanted_indexes(target: Target, tables: WarehouseTable, listed: Iterable[ListedColumn]) -> tuple[list[WantedIndex], list[str]]:
    """The indexes that listed rows ask for, and why others cannot be had.

    Rows with one IndexName are one index; a row without one is an index of its own.
    """
    groups: dict[tuple[TableName, str], list[ListedColumn]] = {}
    spelled = {name.casefold(): name for name in tables.stored_names}
    for row in listed:
        if row.is_index:
            table = tables.stage if row.layer.casefold() == _STAGE else tables.bronze
            column = spelled.get(row.name.casefold(), row.name)
            groups.setdefault((table, row.index_name or target.index_name(table, column)), []).append(row)
    wanted, refused = [], []
    for (table, name), rows in groups.items():
        columns = tuple(dict.fromkeys(spelled.get(row.name.casefold(), "") for row in rows))
        kinds = {row.index_type.casefold() for row in rows}
        if "" in columns:
            refused.append(f"index {name} of {table} is wanted over a column that is not there")
        elif not (kinds <= _PLAIN or kinds <= _COLUMNSTORE):
            refused.append(
                f"index {name} of {table} is wanted as {', '.join(sorted(kinds))}: IndexType is NONCLUSTERED, COLUMNSTORE or "
                "NULL, for a history holds many versions of a row, and is clustered by its own number"
            )
        else:
            wanted.append(WantedIndex(table=table, name=name, columns=columns, columnstore=kinds <= _COLUMNSTORE))
    return wanted, refused


def keep_indexes(target: Target, tables: WarehouseTable) -> None:
    """Create the wanted indexes that are missing, each in a transaction of its own; those that are there stay as they are."""
    wanted, refused = wanted_indexes(target, tables, read_listed(target, tables.source, tables.table))
    for reason in refused:
        LOG.warning("%s: %s; see UdmTablesColumnsList", tables, reason)
    for table in dict.fromkeys(index.table for index in wanted):
        with target.engine.connect() as connection:
            there = {name.casefold() for name in target.index_names(connection, table)}
        for index in wanted:
            if index.table == table and index.name.casefold() not in there:
                _create(target, tables, index)


def _create(target: Target, tables: WarehouseTable, index: WantedIndex) -> None:
    statement = target.create_index(index.table, index.name, index.columns, columnstore=index.columnstore)
    try:
        with target.engine.begin() as connection:
            connection.execute(target.ddl(index.table.database, statement))
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        # The message may quote a value.
        what = f"{type(error.orig).__name__} {target.error_code(error)}".rstrip()
        LOG.warning("%s: index %s of %s cannot be created (%s): %s", tables, index.name, index.table, what, statement)
    else:
        LOG.info("%s: index %s of %s was created over %s", tables, index.name, index.table, ", ".join(index.columns))
