"""The indexes that the pipeline itself needs."""

from __future__ import annotations

import sqlalchemy as sa

from connections.target import Target, ddl
from model.names import TableName
from model.system_columns import ACTIVE, KEY_HASH


def create_one_active_index(target: Target, connection: sa.Connection, bronze: TableName) -> None:
    """The unique index that proves at most one active version a key, where it is missing.

    Made after a first load, not before: that takes a fraction of the time that maintaining it would.
    """
    connection.execute(ddl(target.one_active_index(bronze, KEY_HASH, ACTIVE)))
