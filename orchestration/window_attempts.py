"""Attempts to load a large table's windows, from their beginning to their end, as ops and the log are told of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from model.errors import Interrupted
from model.windows import Interval, Window, WindowKind
from observability.event_tracker import describe
from orchestration.batch import begin_batch, end_batch
from orchestration.checkpoints import Attempt, Checkpoints, Ended
from orchestration.large_table import LargeTable
from orchestration.pipeline_state import AttemptState
from orchestration.run_context import RunContext
from orchestration.so_far import SoFar
from orchestration.tables import record_events
from orchestration.window_loading import WindowLoad
from orchestration.window_reading import ToBeReadApart, WindowRead

LOG = logging.getLogger("udm.large_tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Windows that are read together, under a batch of their own; a dry run has neither batch nor attempts."""

    run: RunContext
    windows: Interval
    began: datetime
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """One table's attempts of one run. `again` are those whose windows are to be read once more, each by itself."""

    run: RunContext
    table: LargeTable
    so_far: SoFar
    checkpoints: Checkpoints
    again: dict[Window, Attempt] = field(default_factory=dict)

    def begin(self, windows: Interval) -> Begun:
        """Record attempts that begin, under a new batch."""
        if self.run.options.dry_run:
            return Begun(run=self.run, windows=windows, began=self.checkpoints.now(), attempts=())
        run, forced = self.of_new_batch(), self.run.options.force
        known = [self.again.pop(window) for window in windows.windows if window in self.again]
        begin = partial(self.checkpoints.begin, windows.windows, run.batch, forced=forced)
        attempts = [replace(one, batch=run.batch) for one in known] or run.retry.ops("beginning attempts", begin)
        return Begun(run=run, windows=windows, began=attempts[0].began, attempts=attempts)

    def of_new_batch(self) -> RunContext:
        """The run under a new batch."""
        batch = begin_batch(self.run.retry, self.run.target, self.run.command, self.run.batch)
        self.so_far.batches.add(batch)
        return self.run.of_batch(batch)

    def under_new_batch(self, begun: Begun) -> Begun:
        """To promote what was read under a batch that has failed; that batch and its events have ended."""
        self.end_batch(begun.run, failed=True)
        run = self.of_new_batch()
        return replace(begun, run=run, attempts=[replace(one, batch=run.batch) for one in begun.attempts])

    def loaded(self, group: Sequence[tuple[Begun, WindowRead, WindowLoad]], batch: int, *, settled: bool) -> None:
        """What was promoted together, under `batch`, is in. `settled`: so is what was missing from all windows."""
        ended: list[Ended] = []
        for begun, read, load in group:
            self.so_far.loads[begun.windows] = load
            state = AttemptState.SUCCESS if settled or load.is_settled else AttemptState.LOADED
            attempts = [replace(attempt, batch=batch) for attempt in begun.attempts]
            if state is AttemptState.LOADED:
                self.so_far.open.extend(attempts)
            ended += [
                Ended(
                    attempt=attempt,
                    batch=begun.run.batch,
                    state=state,
                    rows=read.extracted[attempt.window],
                    changed=read.changed[attempt.window],
                )
                for attempt in attempts
            ]
        if ended:
            self.run.retry.ops("ending attempts", partial(self.checkpoints.end, ended))
        if settled:
            self.run.retry.ops("settling windows", partial(self.checkpoints.settle, self.so_far.open))
            self.so_far.open.clear()
        for begun, _, _ in group:
            record_events(begun.run)

    def failed(self, begun: Begun, error: BaseException) -> Sequence[Window]:
        """Tell of a failure and go on, unless it is the run's own; returns windows that are to be read again, each by itself."""
        if self.is_of_the_run(error):
            self.gave_up(begun, error)
            raise error
        if len(begun.windows.windows) > 1:
            return self.read_again(begun, error)
        [window] = begun.windows.windows
        message = self._said(error)
        self.gave_up(begun, error)
        self.so_far.failures[window] = message
        LOG.error("%s: %s: failed%s: %s", self.table, window, self._how_often(window), message)
        return ()

    def read_again(self, begun: Begun, error: BaseException) -> Sequence[Window]:
        """The windows, each to be read again by itself within the attempt that it has begun."""
        level = logging.INFO if isinstance(error, ToBeReadApart) else logging.WARNING
        LOG.log(level, "%s: %s: to be read again, day by day: %s", self.table, begun.windows, self._said(error))
        self.again.update({attempt.window: attempt for attempt in begun.attempts})
        self.end_batch(begun.run, failed=True)
        return begun.windows.windows

    def gave_up(self, begun: Begun, error: BaseException) -> None:
        """Record that attempts failed; an error in writing that must not hide the one that it tells of."""
        if self.run.options.dry_run:
            return
        text = describe(error)
        ended = [
            Ended(attempt=attempt, batch=attempt.batch, state=AttemptState.FAILED, error=text) for attempt in begun.attempts
        ]
        try:
            self.run.retry.ops("ending attempts", partial(self.checkpoints.end, ended))
        except Exception as failed:  # noqa: BLE001
            LOG.error("the end of an attempt could not be written to ops: %s", describe(failed))
        record_events(begun.run)

    def is_of_the_run(self, error: BaseException) -> bool:
        """Whether the run was asked to stop, or the whole table is to start over."""
        stops = self.run.cancellation.requested or isinstance(error, Interrupted) or not isinstance(error, Exception)
        return stops or self.run.retry.may_pass(error)

    def abandon(self, error: BaseException) -> None:
        """Record that windows which were to be read once more will not be."""
        for attempt in self.again.values():
            self.gave_up(Begun(run=self.run, windows=attempt.window, began=attempt.began, attempts=[attempt]), error)
        self.again.clear()

    def end_batch(self, run: RunContext, *, failed: bool) -> None:
        """Record the end of a batch that no attempt ends, and its events."""
        record_events(run)
        if not run.options.dry_run:
            run.retry.ops("ending the batch", partial(end_batch, run.target, run.batch, int(failed)))

    def _said(self, error: BaseException) -> str:
        return describe(error).removeprefix(f"{self.table}: ")

    def _how_often(self, window: Window) -> str:
        known = self.so_far.before.get(window.day) if window.kind is WindowKind.DAY and window.day else None
        failures = 1 + (known.failures if known else 0)
        often = failures >= self.run.settings.day_failures
        return f" {failures} times in a row, and is tried again with each run" if often else ""
