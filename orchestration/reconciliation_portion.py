"""Which rows are reconciled: all of a small table, of a large one those since FirstLoadDate or `--from`, up to `--to`.

A large table is compared part by part, each of days that had about as many rows together when they were loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import sqlalchemy as sa

from config import Settings
from extract.selection import Between
from extract.udm_connectorx_extractor import StoredWindow
from model.date_column import DateColumn, date_column
from model.windows import NO_DATE, Window, WindowKind, midnight
from orchestration.extraction import Described
from orchestration.large_plan import calendar_of, date_named
from orchestration.pipeline_state import Asked
from orchestration.table_config import TableConfig

RowsByDay = Mapping[date, int]
PART_ROWS = 2_000_000
"""What is compared at a time; memory does not depend on it, but how much is read again where a read breaks off."""
MOST_PARTS = 50
"""Servers have no index of Bronze by date: each part is a look at all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Windows of a date column, or all rows where there are none. The windows share no row.

    `before` are those that were compared already, by the same run.
    """

    date: DateColumn | None = None
    windows: tuple[Window, ...] = ()
    before: tuple[Window, ...] = ()

    def selections(self) -> tuple[Between | None, ...]:
        """What the source is asked for, one read each."""
        if self.date is None:
            return (None,)
        ends = (self.date.ends(window) for window in self.windows)
        return tuple(Between(column=self.date.column, start=start, end=end) for start, end in ends)

    def conditions(self, stored: sa.TableClause) -> list[sa.ColumnElement[bool]]:
        """Conditions on a layer's rows; where the dates are texts of several zones they let some others through (`inside`)."""
        if self.date is None:
            return []
        parts = (StoredWindow(date=self.date, window=window).condition(stored) for window in self.windows)
        return [sa.or_(*parts)]

    def inside(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows that belong to it, of a frame of the source or of a layer."""
        if self.date is None:
            return frame
        return frame.filter(self.date.within_any(frame.get_column(self.date.column.name), self.windows))

    def compared_before(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows that lie in windows which were compared already."""
        if self.date is None:
            return frame.clear()
        return frame.filter(self.date.within_any(frame.get_column(self.date.column.name), self.before))

    def in_parts(self, rows: RowsByDay) -> list[Portion]:
        """The same rows one part after the other, each of days that have `rows` enough together; those without a date last."""
        if self.date is None:
            return [self]
        windows = [part for window in self.windows for part in _divided(window, rows)]
        return [replace(self, windows=(window,), before=tuple(windows[:place])) for place, window in enumerate(windows)]


def _divided(window: Window, rows: RowsByDay) -> list[Window]:
    if window.day is None:
        return [window]
    days = sorted(day for day in rows if day > window.day and (window.end is None or midnight(day) < window.end))
    most = max(PART_ROWS, sum(rows[day] for day in (window.day, *days) if day in rows) // MOST_PARTS)
    starts, held = [window.day], rows.get(window.day, 0)
    for day in days:
        if held and held + rows[day] > most:
            starts.append(day)
            held = 0
        held += rows[day]
    ends = [*(midnight(day) for day in starts[1:]), window.end]
    return [replace(window, day=day, start=midnight(day), end=end) for day, end in zip(starts, ends, strict=True)]


WHOLE = Portion()


def portion_of(settings: Settings, config: TableConfig, described: Described, zone: ZoneInfo, asked: Asked) -> Portion:
    """What of a table a reconciliation is about.

    Raises:
        UnusableDateColumn: the source lacks the date column, or no window can be read by it.
        TerminalError: FirstLoadDate is not set.
    """
    if not config.is_large:
        return WHOLE
    column = date_named(config, described.rules.columns)
    dates = date_column(str(config), column, config.aggregate_column_type, zone)
    first = asked.first or calendar_of(settings, config, zone).first
    end = midnight(asked.last) + timedelta(days=1) if asked.last else None
    since = Window(kind=WindowKind.LATER, day=first, start=midnight(first), end=end)
    return Portion(date=dates, windows=(since,) if asked.is_range else (since, NO_DATE))
