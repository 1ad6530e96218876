"""Events: one row of General.ops.PipelineEventLog a step and table, in transactions of their own.

A failed step is recorded although its data transaction was rolled back. Rows are kept until a table ends and are then
written together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from connections.target import Target
from model.errors import PipelineError, TableHeld
from model.ops import PIPELINE_EVENT_LOG, EventType, Status
from observability.context import current_context, step_context


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
        self._target = target
        self._batch = batch
        self._mutex = threading.Lock()
        self._rows: list[dict[str, object]] = []
        self._number = 0

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
            "BatchId": self._batch,
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
        with self._mutex:
            self._number += 1
            self._rows.append({"EventNumber": self._number, **row})

    def flush(self) -> None:
        """Write what has been recorded; rows that could not be written are kept for the next flush."""
        with self._mutex:
            rows, self._rows = self._rows, []
            if not rows or self._target is None:
                return
            try:
                with self._target.recorder.begin() as connection:
                    connection.execute(sa.insert(self._target.own(PIPELINE_EVENT_LOG)), rows)
            except BaseException:
                self._rows = rows
                raise


def describe(error: BaseException) -> str:
    """An error as one line for people: ours as they are, others with their kind."""
    if isinstance(error, PipelineError):
        return str(error)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
