"""Small tables: the whole source table is extracted and compared (DESIGN.md section 7).

lock, heal, extract, guard, evolve the schema, sync the columns, CDC, SCD2, publish, clean up.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from cdc.diff import Changes
from connections.target import Session
from extract.spool import Spool
from model.ops import EventType, Status
from model.warehouse import Promotion
from observability.event_tracker import Event
from orchestration.extraction import Extracted, extract_and_compare
from orchestration.guards import check_size, deletes_blocked, read_baseline
from orchestration.healing import heal, is_published, publish
from orchestration.outcome import deletes_withheld, outcome
from orchestration.promoting import promote_staged, stage_changes, staged
from orchestration.quarantine import forget_quarantine, record_quarantine
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table
from orchestration.tables import run_tables
from schema.altering import apply_evolution
from schema.column_sync import sync_columns
from schema.staging_cleanup import drop_dead_staging, drop_staging
from schema.wanted_indexes import keep_indexes

LOG = logging.getLogger("udm.small_tables")


def run_small_tables(run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
    """Load the tables, `workers` at a time; one table's failure leaves the others alone."""
    return run_tables(run, configs, _load_held)


def _load_held(run: RunContext, config: TableConfig, total: Event) -> TableResult:
    """Load the table under its lock; what fails for a reason that may pass starts over, with a new lock."""
    earlier: list[TableResult] = []

    def attempt(number: int) -> TableResult:
        total.Message = f"attempt {number}" if number > 1 else None
        with hold_table(run.target, config) as session:
            return _load(replace(run, attempt=number), session, config, earlier)

    return run.retry.table(attempt)


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
    apply_evolution(target, tables, extracted.plans, run.retry.ops)
    sync_columns(target, tables.source, tables.table, tables.columns, tables.keys)
    record_quarantine(target, run.settings, tables, run.batch, extracted.quarantined, changes.quarantined)
    if not changes.is_empty:
        _load_and_promote(run, session, extracted, changes, spool)
    keep_indexes(target, tables)
    publish(target, tables, run.batch, extracted.instant)


def _load_and_promote(run: RunContext, session: Session, extracted: Extracted, changes: Changes, spool: Spool) -> None:
    promotion = Promotion(
        batch=run.batch,
        instant=extracted.instant,
        inserted=changes.inserted,
        updated=changes.updated,
        deleted=changes.deleted,
    )
    rows = staged(extracted.tables, extracted.layouts, changes, spool)
    stage_changes(run, extracted.tables, extracted.layouts, rows, promotion.rows)
    promote_staged(run, session, extracted.tables, promotion)
