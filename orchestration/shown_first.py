"""Commands that change a table's history as a whole: the plan is shown first, and `--yes` does it, under the table's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from connections.target import Session
from model.ops import EventType, Status
from observability.context import table_context
from orchestration.outcome import failed_with
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table

Say = Callable[[str], None]
GIVE_YES = "Nothing was written; give --yes to do it."


def run_one_by_one(
    run: RunContext, configs: Sequence[TableConfig], done: str, change: Callable[[Session, TableConfig], int]
) -> list[TableResult]:
    """Run `change`, which returns how many rows it changed, for each table; `done` is what its event says then."""
    return [_recorded(run, config, done, change) for config in configs]


def _recorded(
    run: RunContext, config: TableConfig, done: str, change: Callable[[Session, TableConfig], int]
) -> TableResult:
    result = TableResult(source=config.source, table=config.table, status=Status.FAILED)
    with table_context(config.source, config.table):
        try:
            with (
                run.tracker.track(EventType.TABLE_TOTAL) as event,
                run.cancellation.translated(),
                hold_table(run.target, config) as session,
            ):
                rows = change(session, config)
                event.RowsUpdated, event.Message = rows, done
        except BaseException as error:  # noqa: BLE001 - becomes the table's result, as in a load
            return failed_with(config, result, error)
    return replace(result, status=Status.SUCCESS, updated=rows)
