"""Keys that a window's staging table takes for new and Stage knows in another window: rows whose date has moved.

They are updates. Where their other window is still to be read in this run the later read decides, so they are taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from cdc.diff import INSERT, UPDATE
from connections.target import Target
from model import system_columns as sc
from model.types import Column
from model.warehouse import WarehouseTable

_ROWS = 500_000
_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Staged rows that are current elsewhere: `_key_hash` (16 bytes) and `date`, where they were, of both."""

    moved: pl.DataFrame
    deferred: pl.DataFrame


def settle_moves(target: Target, tables: WarehouseTable, date: Column, to_come: Callable[[pl.DataFrame], pl.Series]) -> Moves:
    """Make updates of the staged inserts that are current in Stage, and unstage those that are in a window still `to_come`.

    `to_come` is given their `_key_hash` and `date`.
    """
    elsewhere = find_elsewhere(target, tables, date)
    is_deferred = to_come(elsewhere)
    moves = Moves(moved=elsewhere.filter(~is_deferred), deferred=elsewhere.filter(is_deferred))
    if not elsewhere.is_empty():
        with target.engine.begin() as connection:
            for statement in move_statements(target, tables, moves.deferred.get_column(sc.KEY_HASH).to_list()):
                connection.execute(statement)
    return moves


def move_statements(target: Target, tables: WarehouseTable, deferred: Sequence[bytes]) -> Iterator[sa.Executable]:
    """The statements that take the deferred keys from staging, and make updates of the other inserts that Stage knows."""
    staging = target.table(tables.staging, sc.STAGING_SYSTEM)
    for start in range(0, len(deferred), _KEYS_AT_ONCE):
        some = [target.binary_literal(key) for key in deferred[start : start + _KEYS_AT_ONCE]]
        yield sa.delete(staging).where(staging.c[sc.KEY_HASH].in_(some))
    stage = target.table(tables.stage, (sc.KEY_HASH, sc.CDC_IS_CURRENT))
    known = sa.exists().where(stage.c[sc.KEY_HASH] == staging.c[sc.KEY_HASH], stage.c[sc.CDC_IS_CURRENT] == sa.true())
    insert = staging.c[sc.CDC_OPERATION] == sa.literal_column(f"'{INSERT}'")
    yield sa.update(staging).values({sc.CDC_OPERATION: sa.literal_column(f"'{UPDATE}'")}).where(insert, known)


def find_elsewhere(target: Target, tables: WarehouseTable, date: Column) -> pl.DataFrame:
    """`_key_hash` and `date` (as it travels) of the current rows in Stage whose keys are staged as inserts."""
    stage = target.table(tables.stage, (sc.KEY_HASH, sc.CDC_IS_CURRENT))
    staging = target.table(tables.staging, sc.STAGING_SYSTEM)
    inserts = sa.select(staging.c[sc.KEY_HASH]).where(staging.c[sc.CDC_OPERATION] == sa.literal_column(f"'{INSERT}'"))
    is_current = stage.c[sc.CDC_IS_CURRENT] == sa.true()
    with target.engine.connect() as connection:
        [held] = [column for column in target.columns_of(connection, tables.stage) if column.name == date.name]
        dates = sa.select(stage.c[sc.KEY_HASH], target.travelling(held).label("date")).select_from(stage)
        query = dates.where(is_current, stage.c[sc.KEY_HASH].in_(inserts))
        frames = [frame for frame in target.read(connection, query, _ROWS) if not frame.is_empty()]
    empty = pl.DataFrame(schema={sc.KEY_HASH: pl.Binary, "date": date.type.dtype})
    return pl.concat([frame.cast({"date": date.type.dtype}) for frame in frames]) if frames else empty
