"""Drop staging tables of batches that are proven dead."""

from __future__ import annotations

from connections.target import Target
from data_load.schema_utils import drop_table
from model.names import TableName, staging_owner
from model.warehouse import WarehouseTable


def drop_dead_staging(target: Target, tables: WarehouseTable) -> list[str]:
    """Drop this table's staging tables of every other batch; the caller holds the table's lock.

    That lock is the proof: a batch that still worked on the table would hold it. Names are taken apart exactly, so that
    ACCT's clean-up never matches ACCT_TYPE's. Returns the names dropped.
    """
    ours = staging_owner(tables.staging.table)
    with target.engine.connect() as connection:
        names = target.tables_in(connection, tables.staging.database, tables.staging.schema)
    dead = [name for name in names if ours and _is_of(staging_owner(name), *ours)]
    for name in dead:
        with target.engine.begin() as connection:
            drop_table(
                target, connection, TableName(database=tables.staging.database, schema=tables.staging.schema, table=name)
            )
    return dead


def _is_of(owner: tuple[str, int] | None, table: str, batch: int) -> bool:
    # Without case, as the lock is held: two tables whose names differ in case alone cannot be listed.
    return owner is not None and owner[0].casefold() == table.casefold() and owner[1] != batch
