"""What came of a table's extract and promotion, as its result, its event and its log line have it."""

from __future__ import annotations

import logging
from dataclasses import replace

from cdc.diff import Changes
from model.errors import GuardBlocked, TableHeld
from model.ops import Status
from observability.event_tracker import Event, describe
from orchestration.extraction import Extracted
from orchestration.results import TableResult
from orchestration.table_config import TableConfig

LOG = logging.getLogger("udm.tables")


def failed_with(config: TableConfig, result: TableResult, error: BaseException) -> TableResult:
    """The result of a table that raised: SKIPPED where another run holds it, else FAILED; said in the log."""
    if isinstance(error, TableHeld):
        message = str(error).removeprefix(f"{config}: ")
        LOG.warning("%s: skipped: %s", config, message)
        return replace(result, status=Status.SKIPPED, message=message)
    message = describe(error).removeprefix(f"{config}: ")
    LOG.error("%s: failed: %s", config, message, exc_info=(type(error), error, error.__traceback__))
    return replace(result, status=Status.FAILED, message=message)


def raise_if_blocked(result: TableResult) -> None:
    """A table whose deletes were withheld is recorded as FAILED like any other, after all else of it was done."""
    if result.status is Status.FAILED:
        raise GuardBlocked(result.message)


def outcome(config: TableConfig, extracted: Extracted, changes: Changes) -> TableResult:
    """What the changes will have come to once they are promoted."""
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


def deletes_withheld(extracted: Extracted) -> str:
    """Why deletes were not applied, and what to do."""
    return (
        f"{extracted.changes.deleted:,} of {extracted.active:,} active keys are missing from the extract; these "
        "deletes were not applied, everything else was. If they are right, run the table once with --force."
    )


def count_into(total: Event, result: TableResult) -> None:
    """Give the counts of a table to its event."""
    total.RowsExtracted, total.RowsInserted, total.RowsUpdated = result.extracted, result.inserted, result.updated
    total.RowsDeleted, total.RowsUnchanged = result.deleted, result.unchanged
    total.RowsQuarantined, total.RowsDuplicate = result.quarantined, result.duplicates
