"""Keys that no window of a run brought: each is asked for at the source, by its values, before it is believed to be gone.

Found, it is an update, whatever its date is now; not found, a delete. If the source cannot be asked nothing is closed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl
import sqlalchemy as sa

from cdc.current import current_of
from cdc.diff import Changes, ComparedFrame
from cdc.duplicates import INDEX
from cdc.engine import delete_rows
from connections.target import Session, Target
from data_load.bcp_loader import load_staging
from extract.selection import WithKeys
from extract.spool import Spool
from model import system_columns as sc
from model.conform import conform
from model.ops import EventType
from model.region import Region
from model.warehouse import Promotion, WarehouseTable
from orchestration.extraction import Compared, against_current, compare_stream
from orchestration.guards import deletes_blocked
from orchestration.healing import next_instant, publish
from orchestration.large_table import LargeTable
from orchestration.promoting import promote_staged, stage_changes, staged, step
from orchestration.quarantine import record_quarantine
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from schema.staging_cleanup import drop_staging

LOG = logging.getLogger("udm.large_tables")
_KEYS_AT_ONCE = 250
_ROWS = 500_000


def confirm_missing(
    run: RunContext,
    session: Session,
    table: LargeTable,
    reading: SourceReading,
    missing: pl.Series,
    written: Collection[int],
    active: int,
) -> tuple[Changes | None, str]:
    """Ask for the `missing` key hashes at the source and promote what comes of it, under the run's batch.

    `written` are the batches of the run's windows: what they brought is not missing. `active` keys were current there.
    Returns what changed, None where nothing was left to ask, and why deletes were withheld, or ''.
    """
    tables = table.of_batch(run)
    instant = next_instant(run.target, tables)
    stored = _stored_rows(run, table, tables, missing, written)
    if stored.is_empty():
        publish(run.target, tables, run.batch, instant)
        return None, ""
    if stored.height > run.settings.confirm_deletes and not run.options.force:
        return None, _too_many(run, stored.height, active)
    with Spool(run.spool_folder, run.settings.spool_bytes) as spool:
        compared = run.retry.extract(partial(_ask, run, table, reading, stored, spool))
        changes, withheld = compared.changes, ""
        if not run.options.force and deletes_blocked(changes.deleted, active, run.settings):
            withheld = _blocked(changes.deleted, active)
            changes = replace(changes, deleted_keys=changes.deleted_keys.clear())
        record_quarantine(run.target, run.settings, tables, run.batch, compared.quarantined, changes.quarantined)
        promotion = Promotion(batch=run.batch, instant=instant, inserted=0, updated=changes.updated, deleted=changes.deleted)
        if promotion.rows:
            rows = staged(tables, table.described.layouts, changes, spool)
            stage_changes(run, tables, table.described.layouts, rows, promotion.rows)
            promote_staged(run, session, tables, promotion, _region(table, stored))
    publish(run.target, tables, run.batch, instant)
    return changes, withheld


def _stored_rows(
    run: RunContext, table: LargeTable, tables: WarehouseTable, missing: pl.Series, written: Collection[int]
) -> pl.DataFrame:
    """Of the missing keys that are still as they were before the run: hashes, layout and the key's values."""
    wanted = missing.unique()
    if wanted.is_empty():
        return pl.DataFrame()
    layouts = table.described.layouts
    rows = delete_rows(wanted, tables, layouts.id)
    load_staging(run.target, tables, layouts.layout, rows, len(wanted), run.spool_folder.new_table, outlasts=False)
    frames = list(read_missing(run.target, tables, table.date.column.name))
    drop_staging(run.target, tables.staging)
    if not frames:
        return pl.DataFrame()
    return pl.concat(frames).filter(~pl.col(sc.CDC_BATCH_ID).is_in(list(written)))


def read_missing(target: Target, tables: WarehouseTable, date: str) -> Iterator[pl.DataFrame]:
    """Hashes, layout, batch, key values and date of the current rows whose keys are staged."""
    names = list(dict.fromkeys((*tables.keys, date)))
    stage = target.table(tables.stage, (sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT, sc.CDC_BATCH_ID, sc.CDC_IS_CURRENT))
    staging = target.table(tables.staging, (sc.KEY_HASH,))
    with target.engine.connect() as connection:
        held = {column.name: column for column in target.columns_of(connection, tables.stage)}
        values = [target.travelling(held[name]) for name in names]
        hashes = (sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT, sc.CDC_BATCH_ID)
        query = (
            sa.select(*(stage.c[name] for name in hashes), *values)
            .select_from(stage)
            .where(stage.c[sc.CDC_IS_CURRENT] == sa.true(), stage.c[sc.KEY_HASH].in_(sa.select(staging.c[sc.KEY_HASH])))
        )
        for frame in target.read(connection, query, _ROWS):
            yield frame.rename(dict(zip(frame.columns, (*hashes, *names), strict=True)))


def _region(table: LargeTable, stored: pl.DataFrame) -> Region | None:
    """What encloses the rows that are closed; their greatest date has no end of its own kind behind it."""
    name = table.date.column.name
    dates = stored.get_column(name)
    least: Any = dates.min()
    return None if dates.null_count() else Region(column=name, start=least, end=None)


def _ask(run: RunContext, table: LargeTable, reading: SourceReading, stored: pl.DataFrame, spool: Spool) -> Compared:
    spool.empty()
    described = table.described
    current = current_of([stored.select(sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)])
    against = partial(against_current, run, described.tables, described.layouts, current)
    try:
        with step(run, EventType.EXTRACT) as event:
            event.Message = f"{stored.height} missing keys"
            frames = _asked_for(run, table, reading, stored)
            compared = compare_stream(run, described, frames, against, spool, keep=_only_known)
            event.RowsExtracted, event.RowsDeleted = compared.changes.extracted, compared.changes.deleted
    except BaseException:
        reading.let_go()
        raise
    LOG.info("%s: of %d keys that were missing from their windows %d are gone at the source",
             table, stored.height, compared.changes.deleted)  # fmt: skip
    return compared


def _asked_for(run: RunContext, table: LargeTable, reading: SourceReading, stored: pl.DataFrame) -> Iterator[pl.DataFrame]:
    columns = table.key_columns
    keys = conform(str(table), stored, columns)
    for start in range(0, keys.height, _KEYS_AT_ONCE):
        selection = WithKeys(columns=columns, keys=keys.slice(start, _KEYS_AT_ONCE))
        rules = table.described.rules
        yield from reading.extractor().read(table.config.source_table, rules.columns, run.settings.batch_rows, selection)


def _only_known(frame: ComparedFrame) -> ComparedFrame:
    """Without rows of other keys, which the source's own comparison took for equal to one that was asked for."""
    known = frame.hashes.get_column(INDEX).is_not_null()
    others = int((~known).sum())
    return replace(
        frame,
        height=frame.height - others - frame.null_keys.height,
        candidates=frame.candidates.filter(known),
        hashes=frame.hashes.filter(known),
        null_keys=frame.null_keys.clear(),
    )


def _too_many(run: RunContext, missing: int, active: int) -> str:
    return (
        f"{missing:,} of {active:,} active keys are missing from their windows, more than CONFIRM_DELETES "
        f"({run.settings.confirm_deletes:,}) allows to ask for at the source; no delete was applied, everything else was. "
        "If they are right, run the table once with --force."
    )


def _blocked(deleted: int, active: int) -> str:
    return (
        f"{deleted:,} of {active:,} active keys are gone at the source; these deletes were not applied, everything else was. "
        "If they are right, run the table once with --force."
    )
