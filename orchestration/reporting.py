"""What a person or a collector sees of a run: progress and a summary table, plain lines, or JSON."""

from __future__ import annotations

import logging
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from model.names import TableName
from model.ops import Status
from orchestration.arguments import Arguments
from orchestration.results import Reporter, TableResult

LOG = logging.getLogger("udm.run")
WINDOWS = ("planned", "done", "failed", "skipped")
COLUMNS = ("extracted", "inserted", "updated", "deleted", "unchanged", "duplicates", "quarantined", "seconds", "rows/s")
_ONLY_WHERE_ANY = "duplicates"
_STDOUT = 1


class QuietReporter:
    """Says a table's outcome as a log line, its steps when asked to; for cron and for collectors."""

    def table_started(self, name: str) -> None:
        """A debug line."""
        LOG.debug("%s: started", name)

    def windows_done(self, name: str, done: int, planned: int) -> None:
        """A debug line."""
        LOG.debug("%s: %d of %d windows are done", name, done, planned)

    def rows_extracted(self, name: str, rows: int) -> None:
        """Nothing: the outcome has the total."""

    def step_started(self, name: str, step: str) -> None:
        """A debug line."""
        LOG.debug("%s: %s", name, step)

    def table_ended(self, result: TableResult) -> None:
        """One line with the counts, and as JSON the fields too; failures have been logged where they happened."""
        if result.status is Status.SUCCESS:
            fields = dict(zip(COLUMNS, _values(result), strict=True))
            LOG.info("%s.%s: %s", result.source, result.table, counted(result), extra={"udm": {"event": "table", **fields}})


class Output(ABC):
    """Where a run is shown."""

    @abstractmethod
    @contextmanager
    def progress(self, tables: int) -> Iterator[Reporter]:
        """Show the work while the block runs."""

    @abstractmethod
    def say(self, text: str) -> None:
        """A paragraph for people."""

    @abstractmethod
    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> None:
        """A table; its first `left` columns are text, the others numbers."""


class PlainOutput(Output):
    """Lines on standard output; nothing but log lines when `json`."""

    def __init__(self, *, json: bool) -> None:
        self._json = json

    @contextmanager
    def progress(self, tables: int) -> Iterator[Reporter]:
        """No bars."""
        del tables
        yield QuietReporter()

    def say(self, text: str) -> None:
        """As a line, or as a log record where the output is JSON."""
        if self._json:
            LOG.info("%s", text)
        else:
            _print(text)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> None:
        """Aligned with blanks; as JSON each row is a log record of its own."""
        if self._json:
            for row in rows:
                LOG.info("%s", " ".join(row[:left]), extra={"udm": dict(zip(headers, row, strict=True))})
            return
        widths = [max(len(row[column]) for row in (headers, *rows)) for column in range(len(headers))]
        for row in (headers, *rows):
            cells = [cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
            _print("  ".join(cells).rstrip())


def open_output(arguments: Arguments) -> Output:
    """Bars and a drawn table on a terminal, plain lines elsewhere."""
    closed = _without_output()
    if closed or arguments.json or not sys.stdout.isatty():
        return PlainOutput(json=arguments.json or closed)
    from orchestration.terminal import TerminalOutput  # noqa: PLC0415 - rich is imported only for a terminal

    return TerminalOutput(bars=arguments.progress)


def _without_output() -> bool:
    """Whether the caller has closed standard output (`>&-`), so that the log alone says everything.

    Its number is taken then, or the next file to be opened, a database's perhaps, would get it, and what a child prints.
    Source: https://docs.python.org/3/library/sys.html#sys.__stdout__
    """
    stdout: TextIO | None = sys.stdout
    if stdout is None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != _STDOUT:
            os.dup2(nowhere, _STDOUT)
    return stdout is None


def _print(line: str) -> None:
    try:
        print(line, flush=True)  # noqa: T201 - the command's output
    except BrokenPipeError:
        # The reader (`| head`) has gone; the work goes on. https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def counted(result: TableResult) -> str:
    """A table's outcome in words."""
    if result.said:
        return result.said
    if not result.changed:
        changes = f"nothing changed in {result.extracted:,} rows"
    else:
        changes = (
            f"{result.extracted:,} rows extracted: {result.inserted:,} inserted, {result.updated:,} updated, "
            f"{result.deleted:,} deleted, {result.unchanged:,} unchanged"
        )
    quarantined = f", {result.quarantined:,} quarantined" if result.quarantined else ""
    windows = f"{result.windows.done:,} of {result.windows.planned:,} windows: " if result.windows else ""
    return f"{windows}{changes}{quarantined} ({result.seconds:.1f} s)"


def summary(results: Sequence[TableResult]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headers, and a row a table: name, status and the counts as text. Duplicates have a column where there are any.

    Large tables have four more: how many windows (days, mostly) were planned, done, failed and skipped.
    """
    windowed = any(result.windows for result in results)
    shown = [name for name in COLUMNS if name != _ONLY_WHERE_ANY or any(result.duplicates for result in results)]
    rows = []
    for result in results:
        values = dict(zip(COLUMNS, _values(result), strict=True))
        cells = [f"{values[name]:.1f}" if name == "seconds" else f"{values[name]:,.0f}" for name in shown]
        counts = [f"{getattr(result.windows, name):,}" if result.windows else "" for name in WINDOWS] if windowed else []
        rows.append((f"{result.source}.{result.table}", str(result.status), *counts, *cells))
    return ("table", "status", *(f"days {name}" if name == "planned" else name for name in WINDOWS if windowed), *shown), rows


def looked_at(results: Sequence[TableResult]) -> TableName | None:
    """The history to show: of a table that changed in this run, else of one that succeeded."""
    succeeded = [result for result in results if result.status is Status.SUCCESS and result.bronze]
    changed = [result for result in succeeded if result.changed]
    return next((result.bronze for result in (*changed, *succeeded)), None)


def _values(result: TableResult) -> tuple[float, ...]:
    return (
        result.extracted,
        result.inserted,
        result.updated,
        result.deleted,
        result.unchanged,
        result.duplicates,
        result.quarantined,
        round(result.seconds, 3),
        round(result.rows_per_second),
    )
