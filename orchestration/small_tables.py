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
from data_load.schema_utils import drop_table
from extract.spool import Spool
from model.errors import GuardBlocked, TableHeld
from model.ops import EventType, Status
from model.warehouse import Promotion
from observability.context import current_table, table_context
from observability.event_tracker import Event, describe
from orchestration.extraction import Extracted, extract_and_compare
from orchestration.guards import check_size, deletes_blocked, read_baseline
from orchestration.healing import heal, publish
from orchestration.quarantine import record_quarantine
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table
from scd2.engine import run_scd2
from schema.column_sync import sync_columns
from schema.evolution import apply_evolution
from schema.staging_cleanup import drop_dead_staging

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
                with hold_table(run.target, config) as session:
                    result = _load(run, session, config)
                _count(total, result)
                _raise_if_blocked(result)
        except BaseException as error:  # noqa: BLE001 - a driver's panic must not take the other tables with it
            result = _failed(config, result, error)
        result = replace(result, seconds=time.perf_counter() - started)
        _record(run)
        run.reporter.table_ended(result)
    return result


def _raise_if_blocked(result: TableResult) -> None:
    if result.status is Status.FAILED:
        raise GuardBlocked(result.message)


def _failed(config: TableConfig, result: TableResult, error: BaseException) -> TableResult:
    if isinstance(error, TableHeld):
        message = str(error).removeprefix(f"{config}: ")
        LOG.warning("%s: skipped: %s", config, message)
        return replace(result, status=Status.SKIPPED, message=message)
    message = describe(error).removeprefix(f"{config}: ")
    LOG.error("%s: failed: %s", config, message, exc_info=(type(error), error, error.__traceback__))
    return replace(result, status=Status.FAILED, message=message)


def _record(run: RunContext) -> None:
    try:
        run.tracker.flush()
    except Exception as error:  # noqa: BLE001 - kept for the flush at the run's end, which fails the run
        LOG.error("events could not be written to ops and are kept: %s", describe(error))


def _load(run: RunContext, session: Session, config: TableConfig) -> TableResult:
    run.settings.sources.get(config.source)  # a table without a source leaves the target alone
    if not run.options.dry_run:
        drop_dead_staging(run.target, config.warehouse_table(run.target, run.batch))
        heal(run.target, session, config, run.batch)
    with Spool(run.spool_folder, run.settings.spool_bytes) as spool:
        extracted = _extract(run, config, spool)
        changes = extracted.changes
        blocked = not run.options.force and deletes_blocked(changes.deleted, extracted.active, run.settings)
        if blocked:
            changes = replace(changes, deleted_keys=changes.deleted_keys.clear())
        result = _result(config, extracted, changes)
        if not run.options.dry_run:
            _promote(run, session, extracted, changes, spool)
    if blocked:
        message = (
            f"{extracted.changes.deleted:,} of {extracted.active:,} active keys are missing from the extract; these "
            "deletes were not applied, everything else was. If they are right, run the table once with --force."
        )
        return replace(result, status=Status.FAILED, message=message)
    return result


def _extract(run: RunContext, config: TableConfig, spool: Spool) -> Extracted:
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
    with _step(run, EventType.BCP_LOAD) as event:
        rows = promotion.inserted + promotion.updated + promotion.deleted
        staged = _staged(extracted, changes, spool)
        event.RowsInserted = load_staging(target, tables, extracted.layouts.layout, staged, rows, run.spool_folder.new_table)
    for step, promote in ((EventType.CDC_PROMOTION, run_cdc), (EventType.SCD2_PROMOTION, run_scd2)):
        with _step(run, step) as event:
            promote(target, session, tables, promotion)
            event.RowsInserted, event.RowsUpdated = promotion.inserted, promotion.updated
            event.RowsDeleted = promotion.deleted
    with _step(run, EventType.CLEANUP), target.engine.begin() as connection:
        drop_table(target, connection, tables.staging)


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


def _result(config: TableConfig, extracted: Extracted, changes: Changes) -> TableResult:
    return TableResult(
        source=config.source,
        table=config.table,
        status=Status.SUCCESS,
        extracted=changes.extracted,
        inserted=changes.inserted,
        updated=changes.updated,
        deleted=changes.deleted,
        unchanged=changes.unchanged,
        duplicates=changes.duplicates,
        quarantined=changes.quarantined,
        bronze=extracted.tables.bronze,
    )


def _count(total: Event, result: TableResult) -> None:
    total.RowsExtracted, total.RowsInserted, total.RowsUpdated = result.extracted, result.inserted, result.updated
    total.RowsDeleted, total.RowsUnchanged = result.deleted, result.unchanged
    total.RowsQuarantined, total.RowsDuplicate = result.quarantined, result.duplicates
