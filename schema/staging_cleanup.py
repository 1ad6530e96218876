"""Drop staging tables of batches that are proven dead."""

from __future__ import annotations

from connections.target import Target
from data_load.markers import half_staged
from data_load.schema_utils import drop_table
from model.names import TableName, staging_owner
from model.warehouse import WarehouseTable


def drop_dead_staging(target: Target, tables: WarehouseTable) -> list[str]:
    """Drop this table's staging tables of every other batch; the caller holds the table's lock.

    That lock is the proof: a batch that still worked on the table would hold it. Names are taken apart exactly, so that
    ACCT's clean-up never matches ACCT_TYPE's. What a batch still needs that Stage holds in part is kept for healing. Returns
    the names dropped.
    """
    ours = staging_owner(tables.staging.table)
    with target.engine.connect() as connection:
        names = target.tables_in(connection, tables.staging.database, tables.staging.schema)
    owners = {name: owner for name in names if (owner := staging_owner(name))}
    dead = {name: owner[1] for name, owner in owners.items() if ours and _is_of(owner, *ours)}
    needed = half_staged(target, tables, dead.values()) if dead else set()
    dropped = [name for name, batch in dead.items() if batch not in needed]
    for name in dropped:
        drop_staging(target, TableName(database=tables.staging.database, schema=tables.staging.schema, table=name))
    return dropped


def drop_staging(target: Target, staging: TableName) -> None:
    """Drop a staging table of which nothing is needed any more."""
    with target.engine.begin() as connection:
        drop_table(target, connection, staging)


def _is_of(owner: tuple[str, int], table: str, batch: int) -> bool:
    # Without case, as the lock is held: two tables whose names differ in case alone cannot be listed.
    return owner[0].casefold() == table.casefold() and owner[1] != batch
