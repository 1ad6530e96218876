"""Load tables, several at a time; whatever goes wrong with one becomes its result, an event and a log line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial

from model.ops import EventType, Status
from observability.context import table_context
from observability.event_tracker import Event, describe
from orchestration.outcome import count_into, failed_with, raise_if_blocked
from orchestration.results import TableResult
from orchestration.retention import purge_stage
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig

LOG = logging.getLogger("udm.tables")
LoadTable = Callable[[RunContext, TableConfig, Event], TableResult]
_INTERRUPT_AGAIN_SECONDS = 1.0


def run_tables(
    run: RunContext, configs: Sequence[TableConfig], load: LoadTable, kind: EventType = EventType.TABLE_TOTAL
) -> list[TableResult]:
    """Load the tables, `workers` at a time; one table's failure leaves the others alone. `kind` is the whole table's event."""
    with ThreadPoolExecutor(run.options.workers, thread_name_prefix="table") as pool:
        futures = [pool.submit(partial(_load_table, run, config, load, kind)) for config in configs]
        pending = set(futures)
        while pending:
            # The main thread only waits, so that it sees a signal at once; a statement may start just after an interrupt.
            _, pending = wait(pending, timeout=_INTERRUPT_AGAIN_SECONDS)
            if run.cancellation.requested:
                run.cancellation.request()
    return [future.result() for future in futures]


def _load_table(run: RunContext, config: TableConfig, load: LoadTable, kind: EventType) -> TableResult:
    started = time.perf_counter()
    result = TableResult(source=config.source, table=config.table, status=Status.FAILED)
    with table_context(config.source, config.table):
        run.reporter.table_started(str(config))
        try:
            with run.tracker.track(kind) as total, run.cancellation.translated():
                total.IsForced = run.options.force
                run.cancellation.check()
                result = load(run, config, total)
                count_into(total, result)
                raise_if_blocked(result)
        except BaseException as error:  # noqa: BLE001 - a driver's panic must not take the other tables with it
            result = failed_with(config, result, error)
        result = replace(result, seconds=time.perf_counter() - started)
        if result.status is Status.SUCCESS:
            purge_stage(run, config)
        record_events(run)
        run.reporter.table_ended(result)
    return result


def record_events(run: RunContext) -> None:
    """Write the events recorded so far to ops; what cannot be written is kept for the run's end, which fails the run."""
    try:
        run.retry.ops("writing events to ops", run.tracker.flush)
    except Exception as error:  # noqa: BLE001 - kept for the flush at the run's end
        LOG.error("events could not be written to ops and are kept: %s", describe(error))
