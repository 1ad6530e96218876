"""Which rows are reconciled: all of a small table, of a large one those since FirstLoadDate or `--from`, up to `--to`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Windows of a date column, or all rows where there are none. The windows share no row."""

    date: DateColumn | None = None
    windows: tuple[Window, ...] = ()

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
