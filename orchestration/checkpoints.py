"""The attempts of a large table's windows in ops.PipelineExtractionState: read once, final, and to be read again apart.

An attempt is written when it begins and when it ends; one that was killed stays RUNNING, and counts as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from connections.target import Target
from data_load.markers import rows_of
from model.ops import PIPELINE_BATCH, PIPELINE_EXTRACTION_STATE
from model.warehouse import WarehouseTable
from model.windows import Window, WindowKind
from orchestration.pipeline_state import AttemptState, DayState

_GOOD = (str(AttemptState.SUCCESS), str(AttemptState.LOADED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to load a window: its number from 1, the batch that its changes carry, and when it began (naive UTC)."""

    window: Window
    number: int
    batch: int
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an attempt ended: its rows, all and those that were new or differed, or its error; `batch` it was read under."""

    attempt: Attempt
    batch: int
    state: AttemptState
    rows: int | None = None
    changed: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRead:
    """A good read of a day: how many rows came, when it began (naive UTC), and whether the guard was overridden for it."""

    day: date
    rows: int
    began: datetime
    forced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """One table's attempts."""

    target: Target
    tables: WarehouseTable

    def now(self) -> datetime:
        """The target's time."""
        with self.target.engine.connect() as connection:
            return self.target.now(connection)

    def day_states(self) -> dict[date, DayState]:
        """What is known of each day that was ever tried."""
        state = self._table
        last = sa.func.max(sa.case((state.c.State == str(AttemptState.SUCCESS), state.c.AttemptNumber)))
        good = sa.select(
            state.c.ExtractDate,
            sa.func.max(sa.case((state.c.State == str(AttemptState.SUCCESS), state.c.BeganAt))),
            sa.func.coalesce(last, 0),
        ).where(*self._days())
        failed = sa.select(state.c.ExtractDate, state.c.AttemptNumber).where(
            *self._days(), state.c.State == str(AttemptState.FAILED)
        )
        with self.target.engine.connect() as connection:
            succeeded = {row[0]: (row[1], row[2]) for row in connection.execute(good.group_by(state.c.ExtractDate))}
            failures = [day for day, number in connection.execute(failed) if number > succeeded[day][1]]
        return {day: DayState(read_at=at, failures=failures.count(day)) for day, (at, _) in succeeded.items()}

    def reads_since(self, first: date) -> list[DayRead]:
        """The good reads of days from `first` on, the latest of a day last."""
        state = self._table
        query = (
            sa.select(state.c.ExtractDate, state.c.RowsExtracted, state.c.BeganAt, state.c.IsForced)
            .where(*self._days(), state.c.State.in_(_GOOD), state.c.ExtractDate >= first)
            .order_by(state.c.ExtractDate, state.c.AttemptNumber)
        )
        with self.target.engine.connect() as connection:
            rows = connection.execute(query).all()
        return [DayRead(day=day, rows=count, began=began, forced=bool(forced)) for day, count, began, forced in rows]

    def begin(self, windows: Iterable[Window], batch: int, *, forced: bool) -> list[Attempt]:
        """Record that attempts begin; the caller holds the table's lock, so that nobody else numbers one."""
        state = self._table
        with self.target.recorder.begin() as connection:
            began = self.target.now(connection)
            latest = {window: sa.select(sa.func.max(state.c.AttemptNumber)).where(*self._of(window)) for window in windows}
            attempts = [
                Attempt(window=window, number=(connection.execute(query).scalar_one() or 0) + 1, batch=batch, began=began)
                for window, query in latest.items()
            ]
            connection.execute(sa.insert(state), [self._begun(attempt, forced=forced) for attempt in attempts])
        return attempts

    def _begun(self, attempt: Attempt, *, forced: bool) -> dict[str, object]:
        return {
            "SourceName": self.tables.source,
            "TableName": self.tables.table,
            "WindowKind": str(attempt.window.kind),
            "ExtractDate": attempt.window.day,
            "AttemptNumber": attempt.number,
            "BatchId": attempt.batch,
            "State": str(AttemptState.RUNNING),
            "BeganAt": attempt.began,
            "IsForced": forced,
        }

    def end(self, ended: Sequence[Ended]) -> None:
        """Record how attempts, and with them their batches, ended."""
        batches = self.target.own(PIPELINE_BATCH)
        with self.target.recorder.begin() as connection:
            now = self.target.now(connection)
            for one in ended:
                values = {"State": str(one.state), "EndedAt": now, "RowsExtracted": one.rows, "RowsChanged": one.changed}
                values |= {"ErrorMessage": one.error, "BatchId": one.attempt.batch}  # that which it was promoted under
                of = self._of(one.attempt.window, one.attempt.number)
                connection.execute(sa.update(self._table).values(values).where(*of))
            for batch in {one.batch for one in ended}:
                failed = any(one.state is AttemptState.FAILED for one in ended if one.batch == batch)
                status = {"EndedAt": now, "ExitStatus": int(failed)}
                connection.execute(sa.update(batches).values(status).where(batches.c.BatchId == batch))

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """Record that what attempts had left open is settled."""
        batches = [attempt.batch for attempt in attempts]
        if not batches:
            return
        state = self._table
        loaded = state.c.State == str(AttemptState.LOADED)
        with self.target.recorder.begin() as connection:
            for part in _parts(batches):
                settled = sa.update(state).values(State=str(AttemptState.SUCCESS))
                connection.execute(settled.where(*rows_of(state, self.tables), loaded, state.c.BatchId.in_(part)))

    @property
    def _table(self) -> sa.Table:
        return self.target.own(PIPELINE_EXTRACTION_STATE)

    def _days(self) -> list[sa.ColumnElement[bool]]:
        return [*rows_of(self._table, self.tables), self._table.c.WindowKind == str(WindowKind.DAY)]

    def _of(self, window: Window, number: int | None = None) -> list[sa.ColumnElement[bool]]:
        columns = self._table.c
        day = columns.ExtractDate.is_(None) if window.day is None else columns.ExtractDate == window.day
        same = [*rows_of(self._table, self.tables), columns.WindowKind == str(window.kind), day]
        return same if number is None else [*same, columns.AttemptNumber == number]


def _parts(batches: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    return (batches[start : start + size] for start in range(0, len(batches), size))
