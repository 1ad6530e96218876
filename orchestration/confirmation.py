"""Keys that no window of a run brought: each is asked for at the source, by its values, before it is believed to be gone.

Found, it is an update, whatever its date is now; not found, a delete. If the source cannot be asked nothing is closed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import polars as pl
import sqlalchemy as sa

from cdc.current import current_of
from cdc.diff import NO_CHANGES, Changes, ComparedFrame
from cdc.duplicates import INDEX
from cdc.engine import delete_rows
from connections.target import Target
from data_load.bcp_loader import load_staging
from data_load.regions import enclosed
from extract.selection import with_keys
from extract.spool import Spool
from model import system_columns as sc
from model.conform import conform
from model.ops import EventType
from model.region import Region
from model.warehouse import WarehouseTable
from orchestration.extraction import Compared, against_current, compare_stream
from orchestration.guards import deletes_blocked
from orchestration.large_table import LargeTable
from orchestration.promoting import step
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.window_group import Part, staged_keys
from orchestration.window_reading import WindowRead
from schema.staging_cleanup import drop_staging

LOG = logging.getLogger("udm.large_tables")
_ROWS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What came of the keys that were missing: None where none was left to ask. `withheld` says why nothing is deleted, or ''.

    `dates` are those of the stored rows that were asked for.
    """

    compared: Compared | None
    spool: Spool
    dates: pl.Series
    withheld: str = ""

    @property
    def changes(self) -> Changes:
        """What is to be promoted."""
        if self.compared is None:
            return NO_CHANGES
        changes = self.compared.changes
        return replace(changes, deleted_keys=changes.deleted_keys.clear()) if self.withheld else changes

    @property
    def part(self) -> Part:
        """The same with its rows."""
        return Part(changes=self.changes, spool=self.spool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Key hashes that no window brought, of how many that were `active` there; `written` are the batches of the run's windows.

    What these batches or the `reads` that are still to be promoted brought is not missing. `region` is where the rows of the
    keys were in Stage, if known.
    """

    keys: pl.Series
    active: int
    written: Collection[int]
    reads: Sequence[WindowRead]
    region: Region | None = None


def ask_missing(run: RunContext, table: LargeTable, reading: SourceReading, missing: Missing, spool: Spool) -> Confirmation:
    """Ask for the missing keys at the source, under the run's batch; writes nothing but events. Found rows go to the spool."""
    nothing = partial(Confirmation, compared=None, spool=spool, dates=pl.Series(dtype=table.date.column.type.dtype))
    stored = _stored_rows(run, table, missing)
    if stored.is_empty():
        return nothing()
    if stored.height > run.settings.confirm_deletes and not run.options.force:
        return nothing(withheld=_too_many(run, stored.height, missing.active))
    compared = run.retry.extract(partial(_ask, run, table, reading, stored, spool))
    withheld = ""
    if not run.options.force and deletes_blocked(compared.changes.deleted, missing.active, run.settings):
        withheld = _blocked(compared.changes.deleted, missing.active)
    return Confirmation(compared=compared, spool=spool, dates=_dates(table, stored), withheld=withheld)


def _stored_rows(run: RunContext, table: LargeTable, missing: Missing) -> pl.DataFrame:
    """Of the missing keys that are still as they were before the run: hashes, layout, the key's values and date."""
    wanted = missing.keys.unique()
    if wanted.is_empty():
        return pl.DataFrame()
    tables, layouts = table.of_batch(run), table.described.layouts
    rows = delete_rows(wanted, tables, layouts.id)
    load_staging(run.target, tables, layouts.layout, rows, len(wanted), run.spool_folder.new_table, outlasts=False)
    frames = list(read_missing(run.target, tables, table.date.column.name, missing.region))
    drop_staging(run.target, tables.staging)
    if not frames:
        return pl.DataFrame()
    stored = pl.concat(frames).filter(~pl.col(sc.CDC_BATCH_ID).is_in(list(missing.written)))
    return stored.filter(~_has_moved(table, missing.reads, stored))


def _has_moved(table: LargeTable, reads: Sequence[WindowRead], stored: pl.DataFrame) -> pl.Series:
    """Which rows the reads brought, and no later read of their own window has denied."""
    described, dates = table.described, _dates(table, stored)
    brought = staged_keys(described.tables, described.layouts, [read.part for read in reads])
    last = brought.group_by(sc.KEY_HASH).agg(pl.col("place").max())
    place = stored.join(last, on=sc.KEY_HASH, how="left", maintain_order="left").get_column("place")
    moved = place.is_not_null()
    for later, read in enumerate(reads):
        moved &= ~((place < later).fill_null(value=False) & table.date.within(dates, read.windows))
    return moved


def _dates(table: LargeTable, stored: pl.DataFrame) -> pl.Series:
    return stored.get_column(table.date.column.name).cast(table.date.column.type.dtype)


def read_missing(target: Target, tables: WarehouseTable, date: str, region: Region | None = None) -> Iterator[pl.DataFrame]:
    """Hashes, layout, batch, key values and date of the current rows, in a region of Stage, whose keys are staged."""
    names = list(dict.fromkeys((*tables.keys, date)))
    stage = target.table(tables.stage, (sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT, sc.CDC_BATCH_ID, sc.CDC_IS_CURRENT, date))
    staging = target.table(tables.staging, (sc.KEY_HASH,))
    with target.engine.connect() as connection:
        held = {column.name: column for column in target.columns_of(connection, tables.stage)}
        values = [target.travelling(held[name]) for name in names]
        hashes = (sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT, sc.CDC_BATCH_ID)
        query = (
            sa.select(*(stage.c[name] for name in hashes), *values)
            .select_from(stage)
            .where(
                stage.c[sc.CDC_IS_CURRENT] == sa.true(),
                *enclosed(target, stage, region),
                stage.c[sc.KEY_HASH].in_(sa.select(staging.c[sc.KEY_HASH])),
            )
        )
        for frame in target.read(connection, query, _ROWS):
            yield frame.rename(dict(zip(frame.columns, (*hashes, *names), strict=True)))


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
    for selection in with_keys(columns, keys, reading.extractor().keys_at_once):
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
