"""A run on a terminal: a progress bar a table, log lines above them, a drawn summary."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from model.ops import Status
from orchestration.reporting import Output, QuietReporter
from orchestration.results import Reporter, TableResult

_WIDEST = 10_000


class TerminalOutput(Output):
    """Rich output; `bars` False leaves the progress away."""

    def __init__(self, *, bars: bool) -> None:
        self._console = Console(highlight=False)
        self._bars = bars

    @contextmanager
    def progress(self, tables: int) -> Iterator[Reporter]:
        """A live line a table that is being loaded, and one for all of them."""
        columns = (
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[rows]:>12,} rows  {task.fields[step]}"),
            TimeElapsedColumn(),
            _Left(compact=True),
        )
        with Progress(*columns, console=self._console, disable=not self._bars, transient=True) as progress:
            streaming = [h for h in logging.getLogger("udm").handlers if isinstance(h, logging.StreamHandler)]
            handlers = [handler for handler in streaming if self._bars and handler.stream.isatty()]
            streams = [handler.stream for handler in handlers]
            try:
                # Log lines on the terminal go above the bars, not through them; a log that goes to a file goes on there.
                for handler in handlers:
                    handler.setStream(_Above(progress))
                yield BarReporter(progress, tables)
            finally:
                for handler, stream in zip(handlers, streams, strict=True):
                    handler.setStream(stream)

    def say(self, text: str) -> None:
        """A paragraph, wrapped only where the terminal wraps it: lines are there to be pasted."""
        self._console.print(text, markup=False, soft_wrap=True)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> None:
        """Drawn, failures in red."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for position, header in enumerate(headers):
            table.add_column(header, justify="left" if position < left else "right", no_wrap=position > 0)
        for row in rows:
            failed = str(Status.FAILED) in row
            table.add_row(*row, style="red" if failed else "yellow" if str(Status.SKIPPED) in row else None)
        # At its natural width: a narrow terminal wraps the lines, where rich would cut off names and figures.
        natural = self._console.measure(table, options=self._console.options.update(max_width=_WIDEST)).maximum
        Console(highlight=False, width=max(self._console.width, natural)).print(table)


class _Left(TimeRemainingColumn):
    """How long a bar will take on, where it is known how far it is to go."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


class _Above:
    """A stream that prints above the progress bars."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def write(self, text: str) -> None:
        if text.strip():
            self._progress.console.print(text.rstrip("\n"), markup=False, soft_wrap=True)

    def flush(self) -> None:
        """Nothing is held back."""


class BarReporter(QuietReporter):
    """Moves the bars, and logs as a run without them does; rich's Progress is safe between threads."""

    def __init__(self, progress: Progress, tables: int) -> None:
        self._progress = progress
        self._total = progress.add_task("all tables", total=tables, rows=0, step="") if tables > 1 else None
        self._tasks: dict[str, TaskID] = {}
        self._rows: dict[str, int] = {}

    def table_started(self, name: str) -> None:
        """A new bar."""
        super().table_started(name)
        self._rows[name] = 0
        self._tasks[name] = self._progress.add_task(name, total=None, rows=0, step="starting")

    def rows_extracted(self, name: str, rows: int) -> None:
        """Count up."""
        self._rows[name] += rows
        self._progress.update(self._tasks[name], rows=self._rows[name])

    def windows_done(self, name: str, done: int, planned: int) -> None:
        """The bar is that of windows now, and the time that is left by it."""
        super().windows_done(name, done, planned)
        self._progress.update(self._tasks[name], description=f"{name} {done}/{planned}", completed=done, total=planned)

    def step_started(self, name: str, step: str) -> None:
        """Name the step."""
        super().step_started(name, step)
        self._progress.update(self._tasks[name], step=step)

    def table_ended(self, result: TableResult) -> None:
        """Take the bar away and leave a line."""
        super().table_ended(result)
        self._progress.remove_task(self._tasks.pop(f"{result.source}.{result.table}"))
        if self._total is not None:
            self._progress.advance(self._total)
