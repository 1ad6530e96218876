"""Small tables: the whole source table is extracted and compared (DESIGN.md section 7).

lock, heal, extract, guard, evolve the schema, sync the columns, CDC, SCD2, publish, clean up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace

import polars as pl

from cdc.diff import Changes
from cdc.duplicates import POSITION
from cdc.engine import delete_rows, run_cdc
from connections.target import Session
from data_load.bcp_loader import STAGING_COLUMNS, load_staging
from extract.spool import Spool
from model.chunks import planned
from model.ops import EventType, Status
from model.warehouse import Promotion
from observability.context import current_table, table_context
from observability.event_tracker import Event, describe
from orchestration.extraction import Extracted, extract_and_compare
from orchestration.guards import check_size, deletes_blocked, read_baseline
from orchestration.healing import heal, is_published, publish
from orchestration.outcome import count_into, deletes_withheld, failed_with, outcome, raise_if_blocked
from orchestration.quarantine import forget_quarantine, record_quarantine
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table
from scd2.engine import run_scd2
from schema.column_sync import sync_columns
from schema.evolution import apply_evolution
from schema.staging_cleanup import drop_dead_staging, drop_staging

LOG = logging.getLogger("udm.small_tables")
_INTERRUPT_AGAIN_SECONDS = 1.0


def run_small_tables(run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
    """Load the tables, `workers` at a time; one table's failure leaves the others alone."""
    with ThreadPoolExecutor(run.options.workers, thread_name_prefix="table") as pool:
        futures = [pool.submit(load_table, run, config) for config in configs]
        pending = set(futures)
        while pending:
            # The main thread only waits, so that it sees a signal at once; a statement may start just after an interrupt.
            _, pending = wait(pending, timeout=_INTERRUPT_AGAIN_SECONDS)
            if run.cancellation.requested:
                run.cancellation.request()
    return [future.result() for future in futures]


def load_table(run: RunContext, config: TableConfig) -> TableResult:
    """Load one table; whatever goes wrong becomes its result, an event and a log line."""
    started = time.perf_counter()
    result = TableResult(source=config.source, table=config.table, status=Status.FAILED)
    with table_context(config.source, config.table):
        run.reporter.table_started(str(config))
        try:
            with run.tracker.track(EventType.TABLE_TOTAL) as total, run.cancellation.translated():
                total.IsForced = run.options.force
                run.cancellation.check()
                result = _load_held(run, config, total)
                count_into(total, result)
                raise_if_blocked(result)
        except BaseException as error:  # noqa: BLE001 - a driver's panic must not take the other tables with it
            result = failed_with(config, result, error)
        result = replace(result, seconds=time.perf_counter() - started)
        _record(run)
        run.reporter.table_ended(result)
    return result


def _load_held(run: RunContext, config: TableConfig, total: Event) -> TableResult:
    """Load the table under its lock; what fails for a reason that may pass starts over, with a new lock."""
    earlier: list[TableResult] = []

    def attempt(number: int) -> TableResult:
        total.Message = f"attempt {number}" if number > 1 else None
        with hold_table(run.target, config) as session:
            return _load(replace(run, attempt=number), session, config, earlier)

    return run.retry.table(attempt)


def _record(run: RunContext) -> None:
    try:
        run.retry.ops("writing events to ops", run.tracker.flush)
    except Exception as error:  # noqa: BLE001 - kept for the flush at the run's end, which fails the run
        LOG.error("events could not be written to ops and are kept: %s", describe(error))


def _load(run: RunContext, session: Session, config: TableConfig, earlier: list[TableResult]) -> TableResult:
    """Heal, extract and promote; `earlier` gathers what each attempt is about to promote."""
    run.settings.sources.get(config.source)  # a table without a source leaves the target alone
    if not run.options.dry_run:
        drop_dead_staging(run.target, config.warehouse_table(run.target, run.batch))
        heal(run, session, config)
        if run.attempt > 1 and _is_done(run, config):
            LOG.warning("%s: an earlier attempt had got through; nothing is extracted again", config)
            return earlier[-1]
    with Spool(run.spool_folder, run.settings.spool_bytes) as spool:
        extracted = run.retry.extract(lambda: _extract(run, config, spool))
        changes = extracted.changes
        blocked = not run.options.force and deletes_blocked(changes.deleted, extracted.active, run.settings)
        if blocked:
            changes = replace(changes, deleted_keys=changes.deleted_keys.clear())
        result = outcome(config, extracted, changes)
        if blocked:
            result = replace(result, status=Status.FAILED, message=deletes_withheld(extracted))
        earlier.append(result)
        if not run.options.dry_run:
            _promote(run, session, extracted, changes, spool)
    return result


def _is_done(run: RunContext, config: TableConfig) -> bool:
    """Whether an earlier attempt of this run was published, by itself or just now by healing; nothing else of it is left."""
    tables = config.warehouse_table(run.target, run.batch)
    drop_staging(run.target, tables.staging)
    if is_published(run.target, tables, run.batch):
        return True
    forget_quarantine(run.target, tables, run.batch)
    return False


def _extract(run: RunContext, config: TableConfig, spool: Spool) -> Extracted:
    spool.empty()
    run.cancellation.check()
    run.reporter.step_started(str(config), EventType.EXTRACT)
    with run.tracker.track(EventType.EXTRACT) as event:
        event.IsForced = run.options.force
        baseline = None if run.options.force else read_baseline(run.target, config.source, config.table)
        extracted = extract_and_compare(run, config, spool)
        changes = extracted.changes
        event.RowsExtracted, event.RowsUnchanged = changes.extracted, changes.unchanged
        event.RowsQuarantined, event.RowsDuplicate = changes.quarantined, changes.duplicates
        check_size(str(config), changes.extracted, baseline, run.settings)
    if changes.duplicates:
        LOG.warning("%s: %d exact duplicates were collapsed", config, changes.duplicates)
    return extracted


def _promote(run: RunContext, session: Session, extracted: Extracted, changes: Changes, spool: Spool) -> None:
    target, tables = run.target, extracted.tables
    apply_evolution(target, tables, extracted.plans)
    sync_columns(target, tables.source, tables.table, tables.columns, tables.keys)
    record_quarantine(target, run.settings, tables, run.batch, extracted.quarantined, changes.quarantined)
    if not changes.is_empty:
        _load_and_promote(run, session, extracted, changes, spool)
    publish(target, tables, run.batch, extracted.instant)


def _load_and_promote(run: RunContext, session: Session, extracted: Extracted, changes: Changes, spool: Spool) -> None:
    target, tables = run.target, extracted.tables
    promotion = Promotion(
        batch=run.batch,
        instant=extracted.instant,
        inserted=changes.inserted,
        updated=changes.updated,
        deleted=changes.deleted,
    )
    progress = planned(promotion.rows, run.max_tx_rows)
    with _step(run, EventType.BCP_LOAD) as event:
        staged = _staged(extracted, changes, spool)
        scratch, layout = run.spool_folder.new_table, extracted.layouts.layout
        outlasts = progress.chunks > 1
        event.RowsInserted = load_staging(target, tables, layout, staged, promotion.rows, scratch, outlasts=outlasts)
    for step, promote in ((EventType.CDC_PROMOTION, run_cdc), (EventType.SCD2_PROMOTION, run_scd2)):
        with _step(run, step) as event:
            promote(target, session, tables, promotion, progress=progress, again=run.retry.transaction)
            event.RowsInserted, event.RowsUpdated = promotion.inserted, promotion.updated
            event.RowsDeleted = promotion.deleted
    with _step(run, EventType.CLEANUP):
        drop_staging(target, tables.staging)


@contextmanager
def _step(run: RunContext, event_type: EventType) -> Iterator[Event]:
    run.cancellation.check()
    run.reporter.step_started(current_table(), event_type)
    with run.tracker.track(event_type) as event:
        yield event


def _staged(extracted: Extracted, changes: Changes, spool: Spool) -> Iterator[pl.DataFrame]:
    """The rows that go to staging: clean candidates, then one row a delete."""
    names = [*extracted.tables.names, *(column.name for column in STAGING_COLUMNS)]
    dropped = changes.dropped_positions.implode() if len(changes.dropped_positions) else None
    for frame in spool.frames():
        kept = frame if dropped is None else frame.filter(~pl.col(POSITION).is_in(dropped))
        yield kept.select(names)
    yield from delete_rows(changes.deleted_keys, extracted.tables, extracted.layouts.id)
