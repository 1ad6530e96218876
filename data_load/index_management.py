"""The indexes that the pipeline itself needs."""

from __future__ import annotations

import sqlalchemy as sa

from connections.target import Target, ddl
from model.names import TableName
from model.system_columns import ACTIVE, CDC_IS_CURRENT, HASH_LAYOUT, KEY_HASH, ROW_HASH


def create_one_active_index(target: Target, connection: sa.Connection, bronze: TableName) -> None:
    """The unique index that proves at most one active version a key, and those that Bronze is looked up by, where missing.

    Made after a first load, not before: that takes a fraction of the time that maintaining it would.
    """
    connection.execute(ddl(target.one_active_index(bronze, KEY_HASH, ACTIVE)))
    for statement in target.lookup_indexes(bronze):
        connection.execute(ddl(statement))


def create_current_index(target: Target, connection: sa.Connection, stage: TableName) -> None:
    """The index over Stage's current rows, where the target wants one and it is missing: hashes are read from it alone.

    Made after a first load, like the other.
    """
    statement = target.current_index(stage, KEY_HASH, (ROW_HASH, HASH_LAYOUT), CDC_IS_CURRENT)
    if statement is not None:
        connection.execute(ddl(statement))
