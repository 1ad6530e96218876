"""Events: one row of General.ops.PipelineEventLog a step and table, in transactions of their own.

A failed step is recorded although its data transaction was rolled back. Rows are kept until a table ends and are then
written together.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from connections.target import Target
from model.errors import PipelineError, TableHeld
from model.ops import PIPELINE_EVENT_LOG, EventType, Status
from observability.context import current_context, step_context
from observability.ops_rows import OpsRows

# What may be found in an error's text, in the words of the C library, which DuckDB and Python pass on (ENOSPC, EDQUOT and EFBIG;
# EACCES, EPERM and EROFS), of PostgreSQL and of SQL Server; and the remedy.
_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("No space left on device", "Disk quota exceeded", "File too large"),
        "Free space where that file lies (or raise its limit) and run the table again: it goes on from there.",
    ),
    (
        ("Permission denied", "Operation not permitted"),
        "Let the account of the pipeline write that file and its folder, and run the table again: it goes on from there.",
    ),
    (
        ("permission denied for", "must be owner of", "permission was denied", "do not have permission"),
        "The target's login lacks that right: let an administrator GRANT it, or make it the owner, and run the table again.",
    ),
    (
        ("Read-only file system", "read-only mode", "read-only transaction", "is read-only"),
        "The target takes no writes: name the primary server in UDM_TARGET, or make it writable, and run the table again.",
    ),
)
_SQLALCHEMYS_LINK = re.compile(r"\s*\(Background on this error at: https://sqlalche\.me/\S+\)")


@dataclass(slots=True, kw_only=True)
class Event:
    """What a step reports while it runs; counts are rows, None where a step does not know them."""

    RowsExtracted: int | None = None
    RowsInserted: int | None = None
    RowsUpdated: int | None = None
    RowsDeleted: int | None = None
    RowsUnchanged: int | None = None
    RowsQuarantined: int | None = None
    RowsDuplicate: int | None = None
    IsForced: bool = False
    Message: str | None = None


class PipelineEventTracker:
    """Records the steps of one batch. Safe to share between threads.

    `target` None records nothing (a dry run).
    """

    def __init__(self, target: Target | None, batch: int) -> None:
        self._rows = OpsRows(target, PIPELINE_EVENT_LOG, "EventNumber", batch)

    @contextmanager
    def track(self, event_type: EventType) -> Iterator[Event]:
        """Time a step of the table in context and record how it ended; its error goes on to the caller."""
        event = Event()
        started, clock = datetime.now(UTC), time.perf_counter()
        status, error = Status.SUCCESS, None
        try:
            with step_context(event_type):
                yield event
        except BaseException as raised:
            status = Status.SKIPPED if isinstance(raised, TableHeld) else Status.FAILED
            error = raised
            raise
        finally:
            # The end is the start plus a monotonic duration, so a clock that steps back makes no negative one.
            self._add(event_type, event, status, error, started, timedelta(seconds=time.perf_counter() - clock))

    def _add(
        self,
        event_type: EventType,
        event: Event,
        status: Status,
        error: BaseException | None,
        started: datetime,
        duration: timedelta,
    ) -> None:
        context = current_context()
        began = started.replace(tzinfo=None)
        row = {
            "SourceName": context.source,
            "TableName": context.table,
            "EventType": str(event_type),
            "Status": str(status),
            "StartedAt": began,
            "EndedAt": began + duration,
            "DurationMs": round(duration.total_seconds() * 1000),
            "ErrorType": type(error).__name__ if error is not None else None,
            **asdict(event),
        }
        if error is not None:
            row["Message"] = describe(error)
        self._rows.add(row)

    def flush(self) -> None:
        """Write what has been recorded; rows that could not be written are kept for the next flush."""
        self._rows.flush()


def describe(error: BaseException) -> str:
    """An error as one line for people: ours as they are, others with their kind and without SQLAlchemy's link to its pages."""
    if isinstance(error, PipelineError):
        return str(error)
    text = " ".join(_SQLALCHEMYS_LINK.sub("", str(error)).split())
    remedy = next((f" {remedy}" for signs, remedy in _REMEDIES if any(sign in text for sign in signs)), "")
    return f"{type(error).__name__}: {text}{remedy}" if text else type(error).__name__
