"""What came of each table, and who is told while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from model.names import TableName
from model.ops import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCounts:
    """How many windows of a large table were planned, loaded and failed; the others were not begun."""

    planned: int
    done: int
    failed: int

    @property
    def skipped(self) -> int:
        """Windows that were not begun."""
        return self.planned - self.done - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResult:
    """One table's outcome; counts are rows, `seconds` the whole table. `message` says why it FAILED or was SKIPPED."""

    source: str
    table: str
    status: Status
    extracted: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    duplicates: int = 0
    quarantined: int = 0
    seconds: float = 0.0
    message: str = ""
    bronze: TableName | None = None
    windows: WindowCounts | None = None
    said: str = ""
    """The outcome in words, where it is no load's."""

    @property
    def changed(self) -> int:
        """Rows inserted, updated and deleted."""
        return self.inserted + self.updated + self.deleted

    @property
    def rows_per_second(self) -> float:
        """Extracted rows over the whole table's time."""
        return self.extracted / self.seconds if self.seconds else 0.0


def exit_status(results: Sequence[TableResult]) -> int:
    """0 when all succeeded, 1 when one failed, 3 when nothing failed but one was skipped."""
    statuses = {result.status for result in results}
    if Status.FAILED in statuses:
        return 1
    return 3 if Status.SKIPPED in statuses else 0


class Reporter(Protocol):
    """Told what happens, from any worker's thread."""

    def table_started(self, name: str) -> None:
        """A worker took up a table."""

    def windows_done(self, name: str, done: int, planned: int) -> None:
        """So many windows of a large table are done, of so many; told with 0 when they are planned."""

    def rows_extracted(self, name: str, rows: int) -> None:
        """So many rows more have been extracted and compared."""

    def step_started(self, name: str, step: str) -> None:
        """The table entered a step."""

    def table_ended(self, result: TableResult) -> None:
        """The table ended, one way or the other."""
