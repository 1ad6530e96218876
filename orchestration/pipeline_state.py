"""Which windows of a large table a run reads: a pure function of its days' attempts, the clock and the configuration.

A day is final when a successful extract of it began at or after the end of the day and its lookback. The plan is every day
since FirstLoadDate that is not final, however old; today; all later days as one window; and the rows without a date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from model.errors import TerminalError
from model.windows import NO_DATE, Window, WindowKind, day_window, later_window, midnight, tail_window

_DAY = timedelta(days=1)


class AttemptState(StrEnum):
    """How far an attempt to load a window came.

    LOADED: read and promoted, but keys that were missing from it, or have moved to it, are not settled: it is to be read again.
    """

    RUNNING = "RUNNING"
    LOADED = "LOADED"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayState:
    """What is known of a window: when its latest successful attempt began (naive UTC), and how many failed since."""

    read_at: datetime | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A table's days: the source's time zone, its first day, and for how many days after its end a day is read again."""

    zone: ZoneInfo
    first: date
    lookback: int
    overlap_minutes: int = 0

    def today(self, now: datetime) -> date:
        """The source's day at an instant (naive UTC)."""
        return now.replace(tzinfo=UTC).astimezone(self.zone).date()

    def final_from(self, day: date) -> datetime:
        """From when on an extract of a day is its last one (naive UTC)."""
        end = midnight(day + _DAY + timedelta(days=self.lookback))
        return end.replace(tzinfo=self.zone).astimezone(UTC).replace(tzinfo=None)

    def is_final(self, day: date, state: DayState | None) -> bool:
        """Whether a day need not be read again."""
        return state is not None and state.read_at is not None and state.read_at >= self.final_from(day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`--from` and `--to`, both inclusive; None is no end on that side."""

    first: date | None = None
    last: date | None = None

    @property
    def is_range(self) -> bool:
        """Whether a range was asked for at all."""
        return self.first is not None or self.last is not None


def plan_windows(calendar: Calendar, states: Mapping[date, DayState], now: datetime, asked: Asked) -> tuple[Window, ...]:
    """The windows to read, in their order; `now` is naive UTC.

    Raises:
        TerminalError: the range that was asked for holds no day of the table.
    """
    today = calendar.today(now)
    if asked.is_range:
        return _asked_for(calendar, today, asked)
    days = [day for day in _days(calendar.first, today) if day == today or not calendar.is_final(day, states.get(day))]
    windows = [day_window(day) for day in days]
    yesterday = today - _DAY
    if calendar.overlap_minutes and calendar.first <= yesterday and yesterday not in days:
        windows.insert(len(windows) - 1, tail_window(yesterday, calendar.overlap_minutes))
    return (*windows, later_window(max(today + _DAY, calendar.first)), NO_DATE)


def _asked_for(calendar: Calendar, today: date, asked: Asked) -> tuple[Window, ...]:
    first = max(asked.first or calendar.first, calendar.first)
    last = min(asked.last or today, today)
    if first > last:
        wanted = f"--from {asked.first or '…'} --to {asked.last or '…'}"
        raise TerminalError(
            f"{wanted} holds no day of the table, whose days are {calendar.first} to {today}.",
            remedy="Correct the range; days before FirstLoadDate are not touched.",
        )
    return tuple(day_window(day) for day in _days(first, last))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def described(windows: tuple[Window, ...]) -> str:
    """A plan in words: '9 days from 2026-11-17 to 2026-11-25, later days, rows without a date'."""
    days = [window.day for window in windows if window.kind is WindowKind.DAY and window.day]
    words = [f"{len(days)} days from {days[0]} to {days[-1]}" if len(days) > 1 else f"{day}" for day in days[:1]]
    words += [f"the tail of {window}" for window in windows if window.kind is WindowKind.TAIL]
    return ", ".join([*words, *(str(window) for window in windows if window.kind in {WindowKind.LATER, WindowKind.NO_DATE})])
