"""The weekly reconciliation: each table's values, history and bookkeeping, under its lock; and repair where it was asked for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from cdc.reconciliation.repair import Repair, RepairCounts, plan_repair
from cdc.reconciliation.rows import Difference, Layer
from connections.target import Session
from data_load.markers import unpromoted
from model.errors import IntegrityError
from model.ops import EventType, Status
from observability.event_tracker import Event
from orchestration.checkpoints import Checkpoints
from orchestration.extraction import Described, describe_table, tell_plan
from orchestration.guards import deletes_blocked
from orchestration.reconciliation_checks import history_checks
from orchestration.reconciliation_counts import count_checks
from orchestration.reconciliation_log import DifferenceLog, record_checks
from orchestration.reconciliation_mending import Undecided, advice_for
from orchestration.reconciliation_portion import Portion, portion_of
from orchestration.reconciliation_reading import SidesReading
from orchestration.reconciliation_repair import RepairRows, repair_table
from orchestration.reconciliation_results import Check, Reconciled
from orchestration.reconciliation_sides import Sides, sides_of
from orchestration.reconciliation_values import Group, ValueComparison, ValueCounts
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table
from orchestration.tables import run_tables

LOG = logging.getLogger("udm.reconciliation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciling:
    """What a reconciliation is asked for: all values or counts alone, and whether to repair what it finds."""

    counts_only: bool = False
    full: bool = False
    plan: bool = False
    repair: bool = False


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """One run over several tables; `reconciled` gathers what came of each."""

    asked: Reconciling
    differences: DifferenceLog
    reconciled: dict[TableConfig, Reconciled] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def run(self, run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
        """Reconcile the tables, `workers` at a time."""
        return run_tables(run, configs, self._table, EventType.RECONCILIATION)

    def _table(self, run: RunContext, config: TableConfig, event: Event) -> TableResult:
        def attempt(number: int) -> Reconciled:
            del number
            with hold_table(run.target, config) as session:
                return self._reconcile(run, session, config, event)

        found = run.retry.table(attempt)
        with self._mutex:
            self.reconciled[config] = found
        names = config.warehouse_table(run.target, run.batch)
        rows = event.RowsExtracted or 0
        event.Message = found.said
        return TableResult(
            source=config.source, table=config.table, status=Status.SUCCESS, extracted=rows, bronze=names.bronze, said=found.said
        )

    def _reconcile(self, run: RunContext, session: Session, config: TableConfig, event: Event) -> Reconciled:
        source = run.settings.sources.get(config.source)
        with SourceReading(run, source) as reading:
            described = run.retry.extract(partial(_describe, run, config, reading))
            portion = portion_of(run.settings, config, described, source.time_zone, run.options.asked)
            if self.asked.counts_only:
                checks = count_checks(run, config, described, portion, reading, event)
                self._record(run, config, checks)
                return Reconciled(source=config.source, table=config.table, checks=checks)
            return self._compare(run, session, config, described, portion, reading, event)

    def _compare(
        self,
        run: RunContext,
        session: Session,
        config: TableConfig,
        described: Described,
        portion: Portion,
        reading: SourceReading,
        event: Event,
    ) -> Reconciled:
        sides = sides_of(run, described)
        rows = RepairRows(run=run, config=config, sides=sides)
        with rows:
            if run.batch:
                self.differences.forget(config.source, config.table)

            undecided = Undecided()

            def take(group: Group) -> None:
                undecided.take(group)
                self.differences.take(config.source, config.table, sides.tables.keys, group)
                if self.asked.plan:
                    rows.take(_planned(group))

            began = time.perf_counter()
            reads = SidesReading(run=run, config=config, sides=sides, reading=reading)
            parts = portion.in_parts(_rows_by_day(run, described, portion))
            comparison = ValueComparison(reads=reads, full=self.asked.full)
            for place, part in enumerate(parts):
                run.reporter.windows_done(str(config), place, len(parts))
                LOG.debug("%s: part %d of %d", config, place + 1, len(parts))
                comparison.compare(part, take)
            reading.let_go()
            counts = comparison.counts
            checks = (
                *_value_checks(run, counts, sides, undecided, time.perf_counter() - began),
                *([] if portion.date is None else [_windows_check(counts, len(parts))]),
                *history_checks(run.target, described.tables, run.batch),
            )
            event.RowsExtracted, event.RowsQuarantined = counts.source_rows, counts.quarantined + counts.null_keys
            event.RowsDuplicate = counts.duplicates
            self._record(run, config, checks)
            found = Reconciled(source=config.source, table=config.table, checks=checks)
            if not self.asked.plan:
                return found
            refused = _refusal(run, described, rows.counts, counts)
            found = replace(found, plan=rows.counts, refused=refused)
            if refused or not self.asked.repair or rows.counts.is_empty:
                return found
            repair_table(run, session, rows)
            return replace(found, repaired=True)

    def _record(self, run: RunContext, config: TableConfig, checks: Sequence[Check]) -> None:
        if run.batch:
            write = partial(record_checks, run.target, run.batch, config.source, config.table, checks)
            run.retry.ops("writing the reconciliation to ops", write)


def _describe(run: RunContext, config: TableConfig, reading: SourceReading) -> Described:
    """The table as it is; nothing is registered, for nothing is loaded."""
    looking = replace(run, options=replace(run.options, dry_run=True))
    try:
        described = describe_table(looking, config, reading.extractor(), tell=False)
    except BaseException:
        reading.let_go()
        raise
    missing = [str(plan.name) for plan in described.plans if plan.create]
    if len(missing) == len(described.plans):
        raise IntegrityError(f"{config}: it has never been loaded, so there is nothing to reconcile.", remedy="Load it first.")
    if missing:
        raise IntegrityError(
            f"{config}: {missing[0]} is gone, so there is nothing to compare with.", remedy="Restore it, or load the table anew."
        )
    tell_plan(looking, described)
    return described


def _planned(group: Group) -> Repair:
    return plan_repair(group.source, group.layers, group.differences)


def _value_checks(
    run: RunContext, counts: ValueCounts, sides: Sides, undecided: Undecided, seconds: float
) -> tuple[Check, ...]:
    aside = {
        "quarantined": counts.quarantined + counts.null_keys,
        "in flight": counts.in_flight,
        "duplicates at the source": counts.duplicates,
        "not compared": ", ".join(f"{name} ({why})" for name, why in sides.unshown.items()),
        **{f"differing in excluded {name}": count for name, count in counts.apart.items()},
    }
    return tuple(
        Check(
            name=f"SOURCE_{layer}",
            compared=max(counts.source_rows - counts.null_keys, counts.layer_rows.get(layer, 0)),
            different=counts.different(layer),
            columns=counts.columns[layer],
            details={**{str(kind): counts.kinds[layer].get(str(kind), 0) for kind in Difference}, **aside},
            advice=advice_for(run.target, sides.tables, layer, undecided),
            seconds=seconds,
        )
        for layer in Layer
    )


def _rows_by_day(run: RunContext, described: Described, portion: Portion) -> dict[date, int]:
    """How many rows days had when they were read last, as far as ops knows."""
    days = [window.day for window in portion.windows if window.day is not None]
    if not days:
        return {}
    reads = Checkpoints(target=run.target, tables=described.tables).reads_since(min(days))
    return {read.day: read.rows for read in reads}


def _windows_check(counts: ValueCounts, parts: int) -> Check:
    """Rows in the wrong window: they are of another day than at the source."""
    found = {f"in {layer.capitalize()}": counts.misplaced[layer] for layer in Layer}
    details = {**found, "compared in parts": parts}
    return Check(name="WINDOWS", compared=counts.source_rows, different=sum(found.values()), details=details, seconds=0)


def _refusal(run: RunContext, described: Described, plan: RepairCounts, counts: ValueCounts) -> str:
    """Why nothing of a plan may be carried out, or ''."""
    if plan.is_empty:
        return ""
    if unpromoted(run.target, described.tables):
        return "a load ended between Stage and Bronze: run one, which finishes it, and reconcile again"
    if not described.layouts.id or any(one.added for one in described.plans):
        return "the source's columns or masks have changed since the last load: run one, and reconcile again"
    active = counts.layer_rows.get(Layer.BRONZE, 0)
    if not run.options.force and deletes_blocked(plan.deleted, active, run.settings):
        return f"{plan.deleted:,} of {active:,} active keys would be deleted; if that is right, repair with --force"
    return ""
