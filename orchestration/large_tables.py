"""Large tables: loaded window by window, each committed by itself (DESIGN.md section 7).

lock, heal, plan the windows; per window extract, guard, windowed CDC, targeted SCD2, checkpoint; then what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from connections.target import Session
from model.ops import Status
from observability.event_tracker import Event
from orchestration.healing import heal
from orchestration.large_plan import planned_windows
from orchestration.large_table import LargeTable, prepare
from orchestration.pipeline_state import described
from orchestration.results import TableResult, WindowCounts
from orchestration.run_context import RunContext
from orchestration.so_far import SoFar
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table
from orchestration.tables import run_tables
from orchestration.window_runs import load_windows
from schema.staging_cleanup import drop_dead_staging

LOG = logging.getLogger("udm.large_tables")


def run_large_tables(run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
    """Load the tables, `workers` at a time; the windows of one table in their order."""
    return run_tables(run, configs, _load_held)


def _load_held(run: RunContext, config: TableConfig, total: Event) -> TableResult:
    """Load the table under its lock; what fails with the session goes on, under a new lock, with the windows that are left."""
    so_far = SoFar()

    def attempt(number: int) -> TableResult:
        total.Message = f"attempt {number}" if number > 1 else None
        with hold_table(run.target, config) as session:
            return _load(replace(run, attempt=number), session, config, so_far)

    return run.retry.table(attempt)


def _load(run: RunContext, session: Session, config: TableConfig, so_far: SoFar) -> TableResult:
    source = run.settings.sources.get(config.source)
    names = config.warehouse_table(run.target, run.batch)
    if not run.options.dry_run:
        drop_dead_staging(run.target, names)
        heal(run, session, config)
    with SourceReading(run, source) as reading:
        table = run.retry.extract(lambda: prepare(run, config, source, reading))
        if not so_far.planned:
            so_far.planned, so_far.before = planned_windows(run.target, table.calendar, names, run.options.asked)
            LOG.info("%s: to be read: %s", config, described(so_far.planned))
        load_windows(run, session, table, reading, so_far)
    return _result(table, so_far)


def _result(table: LargeTable, so_far: SoFar) -> TableResult:
    loads, settled = so_far.loads.values(), so_far.settled
    counts = WindowCounts(planned=len(so_far.planned), done=len(so_far.loaded), failed=len(so_far.failures))
    messages = [f"{window}: {message}" for window, message in so_far.failures.items()][:1]
    if len(so_far.failures) > 1:
        messages.append(f"(and {len(so_far.failures) - 1} more windows)")
    if so_far.withheld:
        messages.append(so_far.withheld)
    unconfirmed = sum(load.changes.deleted for load in loads) if settled is None and not so_far.batches else 0
    return TableResult(
        source=table.config.source,
        table=table.config.table,
        status=Status.FAILED if messages or counts.skipped else Status.SUCCESS,
        message=" ".join(messages),
        extracted=sum(load.changes.extracted for load in loads),
        inserted=sum(load.inserted for load in loads),
        updated=sum(load.updated for load in loads) + (settled.updated if settled else 0),
        deleted=settled.deleted if settled else unconfirmed,
        unchanged=sum(load.changes.unchanged for load in loads),
        duplicates=sum(load.changes.duplicates for load in loads),
        quarantined=sum(load.changes.quarantined for load in loads) + (settled.quarantined if settled else 0),
        bronze=table.described.tables.bronze,
        windows=counts,
    )
