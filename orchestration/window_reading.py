"""Windows of a large table as they are read: extracted, compared with what Stage holds of them, and judged day by day.

What is missing is only noted: whether such a row is gone or has moved is asked when all windows have been read.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import polars as pl

from cdc.diff import ComparedFrame
from extract.selection import Between
from extract.spool import Spool
from extract.udm_connectorx_extractor import StoredWindow
from model.errors import IntegrityError
from model.ops import EventType
from model.windows import Interval, Window
from orchestration.checkpoints import DayRead
from orchestration.day_guard import check_day
from orchestration.extraction import Compared, compare_stream, read_against
from orchestration.large_table import LargeTable
from orchestration.promoting import step
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.window_group import Part
from orchestration.window_spans import MOST_ROWS

LOG = logging.getLogger("udm.large_tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRead:
    """Windows that have been read and compared and wait to be promoted; `began` is the target's time before (naive UTC).

    `extracted` and `changed` are rows by window: all, and those that were new or differed.
    """

    windows: Interval
    began: datetime
    compared: Compared
    spool: Spool
    extracted: Mapping[Window, int]
    changed: Mapping[Window, int]

    @property
    def rows(self) -> int:
        """The rows to be staged."""
        return self.compared.changes.inserted + self.compared.changes.updated

    @property
    def part(self) -> Part:
        """What is to be promoted of it: what is missing is no delete yet."""
        changes = self.compared.changes
        return Part(changes=replace(changes, deleted_keys=changes.deleted_keys.clear()), spool=self.spool)


class ToBeReadApart(IntegrityError):
    """Windows that were read together show a key twice, and which row is the later one only reading them apart can tell; or they
    hold more rows than a run holds the hashes of at once.
    """


def read_windows(
    run: RunContext, table: LargeTable, reading: SourceReading, windows: Interval, began: datetime, reads: Sequence[DayRead]
) -> WindowRead:
    """Read and compare windows, under the run's batch; writes nothing but events. Whoever takes it closes its spool."""
    with ExitStack() as undo:
        spool = undo.enter_context(Spool(run.spool_folder, run.settings.spool_bytes))
        read = run.retry.extract(partial(_read, run, table, reading, windows, began, reads, spool))
        undo.pop_all()
    return read


def _read(
    run: RunContext,
    table: LargeTable,
    reading: SourceReading,
    windows: Interval,
    began: datetime,
    reads: Sequence[DayRead],
    spool: Spool,
) -> WindowRead:
    spool.empty()
    described = table.described
    stored = StoredWindow(date=table.date, window=windows)
    against = partial(read_against, run, described.tables, described.layouts, stored)
    start, end = table.date.ends(windows)
    selection = Between(column=table.date.column, start=start, end=end)
    rows = _Rows(table=table, windows=windows)
    try:
        with step(run, EventType.EXTRACT) as event:
            event.IsForced, event.Message = run.options.force, str(windows)
            source_table, columns = table.config.source_table, described.rules.columns
            frames = reading.extractor().read(source_table, columns, run.settings.batch_rows, selection)
            compared = compare_stream(run, described, frames, against, spool, rows.arrived, rows.compared)
            changes = compared.changes
            event.RowsExtracted, event.RowsUnchanged = changes.extracted, changes.unchanged
            event.RowsQuarantined, event.RowsDuplicate = changes.quarantined, changes.duplicates
            extracted = rows.extracted
            for window in () if run.options.force else windows.windows:
                check_day(str(table), window, extracted[window], began, table.calendar, reads, run.settings)
    except BaseException:
        reading.let_go()
        raise
    if len(windows.windows) > 1 and len(changes.quarantined_positions):
        raise ToBeReadApart(f"{table}: {windows}: a key is there twice.")
    if changes.duplicates:
        LOG.warning("%s: %s: %d exact duplicates were collapsed", table, windows, changes.duplicates)
    return WindowRead(
        windows=windows, began=began, compared=compared, spool=spool, extracted=extracted, changed=rows.changed
    )


@dataclass(slots=True, kw_only=True)
class _Rows:
    """Counts rows by window, frame by frame; called by several threads."""

    table: LargeTable
    windows: Interval
    _extracted: list[Counter[Window]] = field(default_factory=list)
    _changed: list[Counter[Window]] = field(default_factory=list)

    @property
    def extracted(self) -> Counter[Window]:
        """Rows that arrived."""
        return sum(self._extracted, Counter())

    @property
    def changed(self) -> Counter[Window]:
        """Rows that were new or differed."""
        return sum(self._changed, Counter())

    def arrived(self, frame: pl.DataFrame) -> None:
        """A row of another window would be taken for one of these: the source compares dates otherwise than we do."""
        counts = self._count(frame)
        self._extracted.append(counts)
        if len(self.windows.windows) > 1 and sum(one.total() for one in self._extracted) > MOST_ROWS:
            raise ToBeReadApart(f"{self.table}: {self.windows}: more than {MOST_ROWS:,} rows.")
        if (others := frame.height - counts.total()) > 0:
            raise IntegrityError(
                f"{self.table}: asked for {self.windows}, the source sent {others} rows whose "
                f"{self.table.date.column.name} lies elsewhere.",
                remedy="Nothing of it was loaded. Check the time zone of the source (UDM_SOURCE_…_TIME_ZONE) and the format that "
                "SourceAggregateColumnType declares.",
            )

    def compared(self, frame: ComparedFrame) -> ComparedFrame:
        """Counts what goes on."""
        self._changed.append(self._count(frame.candidates))
        return frame

    def _count(self, frame: pl.DataFrame) -> Counter[Window]:
        dates, date = frame.get_column(self.table.date.column.name), self.table.date
        return Counter({window: int(date.within(dates, window).sum()) for window in self.windows.windows})
