"""What a run carries: opened once by the command, passed down, never global."""

from __future__ import annotations

from dataclasses import dataclass, replace

from config import Settings
from connections.target import Target
from extract.source_connections import SourceConnections
from extract.spool import SpoolFolder
from observability.event_tracker import PipelineEventTracker
from orchestration.cancellation import Cancellation
from orchestration.pipeline_state import Asked
from orchestration.results import Reporter
from orchestration.retry import Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line decides for a run."""

    force: bool = False
    dry_run: bool = False
    workers: int = 1
    asked: Asked = Asked()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One run of one command. `attempt` counts, from 1, how often the table that it is used for has been started."""

    settings: Settings
    options: Options
    target: Target
    tracker: PipelineEventTracker
    reporter: Reporter
    cancellation: Cancellation
    connections: SourceConnections
    spool_folder: SpoolFolder
    batch: int
    command: str = ""
    attempt: int = 1

    def of_batch(self, batch: int) -> RunContext:
        """The same run working on another batch: a window of a large table."""
        tracker = PipelineEventTracker(None if self.options.dry_run else self.target, batch)
        return replace(self, batch=batch, tracker=tracker)

    @property
    def retry(self) -> Retry:
        """How this run meets transient errors."""
        return Retry.of(self.settings, self.target, self.cancellation)

    @property
    def max_tx_rows(self) -> int:
        """Changed rows that a transaction should hold: the setting's, else the target's own; 0 is any number."""
        return self.target.max_tx_rows if self.settings.max_tx_rows is None else self.settings.max_tx_rows
