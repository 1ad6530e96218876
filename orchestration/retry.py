"""Retry: what failed for a reason that may pass is tried again, at a transaction's boundary and never applied twice.

A transaction of a promotion is run again on its own session while that lives, after its marker was read. Where the session is
lost the table's lock is lost with it: then the whole table starts over. An extract that its source broke off starts over under
the same lock. Whatever else failed fails at once.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import sqlalchemy as sa

from config import Settings
from connections.target import Target
from model.errors import IncompleteExtract, PipelineError, RetriesExhausted, SourceUnavailable, TransientError
from observability.context import current_context, current_table
from observability.event_tracker import describe
from orchestration.cancellation import Cancellation

LOG = logging.getLogger("udm.retry")
T = TypeVar("T")
LONGEST_WAIT_SECONDS = 60.0
_FROM_SOURCE = (SourceUnavailable, IncompleteExtract)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a step is tried, and how long is waited between: `seconds`, doubled each time, more or less by chance."""

    target: Target
    cancellation: Cancellation
    attempts: int
    seconds: float

    @classmethod
    def of(cls, settings: Settings, target: Target, cancellation: Cancellation) -> Retry:
        """As the settings have it."""
        return cls(
            target=target, cancellation=cancellation, attempts=settings.retry_attempts, seconds=settings.retry_seconds
        )

    def transaction(self, transaction: Callable[[], None], is_in: Callable[[], bool]) -> None:
        """Run a transaction of a promotion (`data_load.chunks.Again`) on a session that owns its table's lock.

        `is_in` reads the marker: it decides, not a guess, where a COMMIT's answer was lost. Where the session itself was lost
        the error goes on to whoever started the table.
        """
        what = current_context().step or "healing"

        def attempt(number: int) -> None:
            del number
            self.cancellation.check()
            try:
                transaction()
            except Exception as error:
                if not self._passes_in_session(error) or not is_in():
                    raise
                lost = self._named(error)
                LOG.warning("%s%s: %s lost its COMMIT's answer; its marker says that it is in", _about(), what, lost)

        self._try(what, attempt, self._passes_in_session)

    def table(self, attempt: Callable[[int], T]) -> T:
        """Load a table, from its lock on; `attempt` is given its number from 1."""
        return self._try("the table", attempt, self.may_pass)

    def extract(self, attempt: Callable[[], T]) -> T:
        """Extract a table; nothing of an attempt that its source broke off is kept by the next one."""
        return self._try("the extract", lambda _: attempt(), lambda error: isinstance(error, _FROM_SOURCE))

    def ops(self, what: str, write: Callable[[], T]) -> T:
        """Write to ops; `write` itself sees to it that nothing is written twice."""
        return self._try(what, lambda _: write(), self.may_pass)

    def may_pass(self, error: BaseException) -> bool:
        """Whether an error of the target may pass by itself. A source that fails has been tried again by `extract`."""
        if isinstance(error, PipelineError):
            return isinstance(error, TransientError) and not isinstance(error, _FROM_SOURCE)
        return self.target.is_transient(error)

    def _passes_in_session(self, error: BaseException) -> bool:
        return isinstance(error, sa.exc.DBAPIError) and not error.connection_invalidated and self.may_pass(error)

    def _try(self, what: str, attempt: Callable[[int], T], may_pass: Callable[[BaseException], bool]) -> T:
        for number in count(1):
            try:
                return attempt(number)
            except Exception as error:
                if self.cancellation.requested or not may_pass(error) or self.attempts == 1:
                    raise
                if number >= self.attempts:
                    raise RetriesExhausted(f"{what} failed {number} times, the last time so: {describe(error)}") from error
                wait = self._wait_after(number)
                LOG.warning(
                    "%s%s failed (%s): attempt %d of %d; the next one in %.1f s",
                    _about(), what, self._named(error), number, self.attempts, wait,
                )  # fmt: skip
            self.cancellation.wait(wait)
        raise AssertionError  # `count` does not end

    def _named(self, error: BaseException) -> str:
        """An error's class and the server's code for it, whose message might quote a value; ours never does."""
        if isinstance(error, PipelineError):
            return f"{type(error).__name__}: {error.message}"
        return f"{type(error).__name__} {self.target.error_code(error)}".rstrip()

    def _wait_after(self, number: int) -> float:
        # The chance keeps runs that failed together from coming back together.
        doubled: float = self.seconds * 2.0 ** (number - 1)
        return min(doubled * random.uniform(0.5, 1.5), LONGEST_WAIT_SECONDS)  # noqa: S311 - no secret


def _about() -> str:
    return f"{current_table()}: " if current_context().table else ""
