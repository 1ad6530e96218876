"""Whether a day's extract is believable: compared with the day's own earlier read, else with other days of its weekday. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from statistics import median

from config import Settings
from model.errors import GuardBlocked
from model.windows import Window, WindowKind
from orchestration.checkpoints import DayRead
from orchestration.pipeline_state import Calendar

_WEEKDAYS = 14


def day_baseline(calendar: Calendar, day: date, reads: Sequence[DayRead]) -> int | None:
    """The rows of the day's latest read after its end, else the median of the last 14 days of its weekday; None without any.

    A read with --force restarts a baseline: none of the table's earlier ones counts any more.
    """
    forced = max((read.began for read in reads if read.forced), default=None)
    latest = {read.day: read for read in reads if _is_whole(calendar, read) and (forced is None or read.began >= forced)}
    if day in latest:
        return latest[day].rows
    same = sorted(other for other in latest if other < day and other.weekday() == day.weekday())[-_WEEKDAYS:]
    return int(median(latest[other].rows for other in same)) if same else None


def check_day(
    table: str, window: Window, rows: int, began: datetime, calendar: Calendar, reads: Sequence[DayRead], settings: Settings
) -> None:
    """Refuse an extract of a day that is far from its baseline; days whose baseline is small are not judged.

    A day that has not ended yet may have any small number of rows. What is missing from the other windows is confirmed key by
    key before it is deleted, and all of them may change without limit.

    Raises:
        GuardBlocked: under `guard_low` or over `guard_high` times the baseline.
    """
    if window.kind is not WindowKind.DAY or window.day is None:
        return
    baseline = day_baseline(calendar, window.day, reads)
    if baseline is None or baseline < settings.guard_day_rows:
        return
    ended = _is_whole(calendar, DayRead(day=window.day, rows=rows, began=began, forced=False))
    if rows <= baseline * settings.guard_high and (not ended or rows >= baseline * settings.guard_low):
        return
    raise GuardBlocked(
        f"{table}: the day has {rows:,} rows now; going by its earlier read, or by days of its weekday, it should have about "
        f"{baseline:,}. Nothing of it was changed.",
        remedy=f"If that is right, load the day once with --force --from {window.day} --to {window.day}.",
    )


def _is_whole(calendar: Calendar, read: DayRead) -> bool:
    """Whether the day had ended when the read began."""
    return calendar.today(read.began) > read.day
