"""Change data capture: what differs between an extract and Stage, promoted to Stage in one transaction, or one a chunk.

The comparison is `cdc.diff`, pure; here it is fed and its result is applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain

import polars as pl
import sqlalchemy as sa

from cdc.current import Current, current_of
from cdc.diff import DELETE, INSERT, UPDATE
from connections.target import Session, Target
from data_load.chunks import Again, once, within
from data_load.index_management import create_current_index
from data_load.markers import is_chunk_in, write_marker
from data_load.regions import enclosed
from extract.udm_connectorx_extractor import StoredWindow, read_current_hashes, read_current_rows
from model import system_columns as sc
from model.chunks import WHOLE, KeyRange, Progress
from model.conform import conform
from model.ops import INSTANT
from model.region import Region
from model.row_hash import Comparing, HashLayout, hash_expressions, how_compared
from model.types import Column
from model.warehouse import Promotion, WarehouseTable


def read_current(
    target: Target,
    tables: WarehouseTable,
    layout_id: int,
    layouts: Mapping[int, HashLayout],
    stored: StoredWindow | None = None,
) -> Current:
    """The hashes of the rows that are current in Stage, or of a window of them; empty before the first load.

    A row that was hashed over a column that has vanished since, or is excluded now, cannot be compared by its hash: only such
    rows are read back whole and hashed anew, from their stored values (`model.row_hash.how_compared`).
    """
    with target.engine.connect() as connection:
        held = {column.name: column for column in target.columns_of(connection, tables.stage)}
        if not held:
            return current_of(())
        frames = read_current_hashes(target, connection, tables.stage, stored)
        now, names = layouts[layout_id], set(tables.names)
        stale = [identity for identity, layout in layouts.items() if how_compared(layout, now, names) is Comparing.REHASHED]
        if not stale:
            return current_of(frames)
        fresh = (frame.filter(~pl.col(sc.HASH_LAYOUT).is_in(stale)) for frame in frames)
        rehashed = _rehashed(target, connection, tables, held, stale, layout_id, now, stored)
        return current_of(chain(fresh, rehashed))


def _rehashed(
    target: Target,
    connection: sa.Connection,
    tables: WarehouseTable,
    held: Mapping[str, Column],
    stale: list[int],
    layout_id: int,
    layout: HashLayout,
    stored: StoredWindow | None,
) -> Iterator[pl.DataFrame]:
    columns = [column for column in tables.columns if column.name in held]
    absent = [pl.lit(None, dtype=column.type.dtype).alias(column.name) for column in tables.columns if column.name not in held]
    for frame in read_current_rows(target, connection, tables.stage, [held[column.name] for column in columns], stale, stored):
        values = conform(str(tables), frame, columns).with_columns(absent)
        yield frame.select(sc.KEY_HASH).hstack(
            values.select(hash_expressions(layout)[1], pl.lit(layout_id, dtype=pl.Int64).alias(sc.HASH_LAYOUT))
        )


def delete_rows(keys: pl.Series, tables: WarehouseTable, layout_id: int) -> Iterator[pl.DataFrame]:
    """Staging rows that ask for deletes: a key hash and no values, for the last ones are taken from Stage."""
    if keys.is_empty():
        return
    nulls = [pl.lit(None, dtype=column.type.dtype).alias(column.name) for column in tables.columns]
    yield pl.DataFrame({sc.KEY_HASH: keys}).select(
        *nulls,
        sc.KEY_HASH,
        pl.col(sc.KEY_HASH).alias(sc.ROW_HASH),
        pl.lit(layout_id, dtype=pl.Int64).alias(sc.HASH_LAYOUT),
        pl.lit(DELETE).alias(sc.CDC_OPERATION),
    )


def run_cdc(
    target: Target,
    session: Session,
    tables: WarehouseTable,
    promotion: Promotion,
    *,
    progress: Progress = Progress(),  # noqa: B008 - frozen
    again: Again = once,
) -> None:
    """Promote the batch's staging table to Stage: close what changed, add the changes, write the marker, all or nothing.

    All or nothing is one transaction, or one each for the chunks that `progress` says remain; `again` runs them.
    """
    run_cdc_windowed(target, session, tables, promotion, region=None, progress=progress, again=again)


def run_cdc_windowed(
    target: Target,
    session: Session,
    tables: WarehouseTable,
    promotion: Promotion,
    *,
    region: Region | None,
    progress: Progress = Progress(),  # noqa: B008 - frozen
    again: Again = once,
) -> None:
    """The same for the changes of a window, where all rows that are closed lie in `region` of Stage."""
    for keys in progress.remaining():
        again(
            partial(_promote, target, session, tables, promotion, region, keys),
            partial(is_chunk_in, target, session, target.databases.stage, tables, promotion, keys),
        )
    again(partial(_index, target, session, tables), lambda: False)


def _promote(
    target: Target,
    session: Session,
    tables: WarehouseTable,
    promotion: Promotion,
    region: Region | None,
    keys: KeyRange,
) -> None:
    with session.begin() as connection:
        for statement in cdc_statements(target, tables, promotion, keys, region):
            connection.execute(statement)
        write_marker(target, connection, target.databases.stage, tables, promotion, keys)


def _index(target: Target, session: Session, tables: WarehouseTable) -> None:
    with session.begin() as connection:
        create_current_index(target, connection, tables.stage)


def cdc_statements(
    target: Target, tables: WarehouseTable, promotion: Promotion, keys: KeyRange = WHOLE, region: Region | None = None
) -> Iterator[sa.Executable]:
    """The promotion's statements in their order, of one range of keys; those that can change nothing are left out."""
    stage = target.table(tables.stage, (*tables.stored_names, *sc.STAGE_SYSTEM))
    staging = target.table(tables.staging, (*tables.names, *sc.STAGING_SYSTEM))
    instant = sa.literal(promotion.instant, INSTANT)
    batch = sa.literal(promotion.batch, sa.BigInteger)
    is_current = sa.and_(stage.c[sc.CDC_IS_CURRENT] == sa.true(), *enclosed(target, stage, region))
    same_key = stage.c[sc.KEY_HASH] == staging.c[sc.KEY_HASH]
    in_range = within(target, staging.c[sc.KEY_HASH], keys)
    if promotion.deleted:
        last_values = [stage.c[name] for name in (*tables.stored_names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
        events = (
            sa.select(*last_values, instant, sa.literal_column(f"'{DELETE}'"), instant, instant, sa.false(), batch)
            .select_from(stage.join(staging, same_key))
            .where(is_current, staging.c[sc.CDC_OPERATION] == sa.literal_column(f"'{DELETE}'"), *in_range)
        )
        yield _insert(stage, (*tables.stored_names, *sc.STAGE_SYSTEM), events)
    if promotion.updated or promotion.deleted:
        yield (
            sa.update(stage)
            .values({sc.CDC_VALID_TO: instant, sc.CDC_IS_CURRENT: sa.false()})
            .where(is_current, same_key, staging.c[sc.CDC_OPERATION] != sa.literal_column(f"'{INSERT}'"), *in_range)
        )
    if promotion.inserted or promotion.updated:
        values = [staging.c[name] for name in (*tables.names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
        arrived = sa.select(*values, instant, staging.c[sc.CDC_OPERATION], instant, sa.null(), sa.true(), batch).where(
            staging.c[sc.CDC_OPERATION].in_([sa.literal_column(f"'{INSERT}'"), sa.literal_column(f"'{UPDATE}'")]), *in_range
        )
        yield _insert(stage, (*tables.names, *sc.STAGE_SYSTEM), arrived)


def _insert(table: sa.TableClause, names: tuple[str, ...], rows: sa.Select[tuple[object, ...]]) -> sa.Insert:
    return sa.insert(table).from_select([table.c[name] for name in names], rows)
