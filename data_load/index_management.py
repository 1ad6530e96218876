"""The indexes that the pipeline itself needs."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from connections.target import Target
from model.names import TableName
from model.system_columns import ACTIVE, CDC_IS_CURRENT, HASH_LAYOUT, KEY_HASH, ROW_HASH

LOG = logging.getLogger("udm.indexes")


def create_one_active_index(target: Target, connection: sa.Connection, bronze: TableName) -> None:
    """What is missing of the unique index that proves at most one active version a key and of those that Bronze is looked up by.

    Made after a first load, not before: that takes a fraction of the time that maintaining it would.
    """
    _enable(target, connection, bronze)
    proof = target.one_active_index(bronze, KEY_HASH, ACTIVE)
    for statement in (*([] if proof is None else [proof]), *target.lookup_indexes(bronze)):
        connection.execute(target.ddl(bronze.database, statement))


def create_current_index(target: Target, connection: sa.Connection, stage: TableName) -> None:
    """The index over Stage's current rows, where the target wants one and it is missing: hashes are read from it alone.

    Made after a first load, like the other.
    """
    _enable(target, connection, stage)
    statement = target.current_index(stage, KEY_HASH, (ROW_HASH, HASH_LAYOUT), CDC_IS_CURRENT)
    if statement is not None:
        connection.execute(target.ddl(stage.database, statement))


def create_window_index(target: Target, stage: TableName, date: str) -> None:
    """The index over Stage's current rows by the date of a large table, where the target wants one and it is missing.

    Made with the table: from the second window on each one is read back by it.
    """
    statement = target.window_index(stage, date, (KEY_HASH, ROW_HASH, HASH_LAYOUT), CDC_IS_CURRENT)
    if statement is not None:
        with target.engine.begin() as connection:
            connection.execute(target.ddl(stage.database, statement))


def _enable(target: Target, connection: sa.Connection, table: TableName) -> None:
    """A disabled index proves nothing and finds nothing: whoever disabled one, a run leaves none behind."""
    for index, statement in target.disabled_indexes(connection, table).items():
        LOG.warning("index %s of %s was disabled; it is rebuilt now", index, table)
        connection.execute(target.ddl(table.database, statement))
