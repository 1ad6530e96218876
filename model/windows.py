"""Windows of a large table: the rows that are extracted, compared and committed together, by their date. Values, no I/O.

Days are those of the source's own calendar and clock. The windows of one plan share no row but for a tail, which is read
beside a day that is final.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

_DAY = timedelta(days=1)


class WindowKind(StrEnum):
    """One day; all days from one on; the rows without a date; the last minutes of a day."""

    DAY = "DAY"
    LATER = "LATER"
    NO_DATE = "NO_DATE"
    TAIL = "TAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Rows whose date lies from `start` to below `end` (naive, in the source's time zone); None is no end on that side.

    `day` is the window's day, the first one of LATER, and None where the rows have no date.
    """

    kind: WindowKind
    day: date | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def windows(self) -> tuple[Window, ...]:
        """Itself, as a span has its windows."""
        return (self,)

    def __str__(self) -> str:
        match self.kind:
            case WindowKind.DAY:
                return f"{self.day}"
            case WindowKind.LATER:
                return f"{self.day} and later"
            case WindowKind.TAIL:
                return f"{self.day} from {self.start:%H:%M} on"
            case _:
                return "rows without a date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Several windows that are read together: each begins where the one before it ends."""

    windows: tuple[Window, ...]

    @property
    def start(self) -> datetime | None:
        """From where on its rows lie, as of a window."""
        return self.windows[0].start

    @property
    def end(self) -> datetime | None:
        """Below what its rows lie, as of a window."""
        return self.windows[-1].end

    def __str__(self) -> str:
        return f"{self.windows[0]} to {self.windows[-1]}"


Interval = Window | Span
NO_DATE = Window(kind=WindowKind.NO_DATE)


def day_window(day: date) -> Window:
    """All of a day."""
    return Window(kind=WindowKind.DAY, day=day, start=midnight(day), end=midnight(day) + _DAY)


def later_window(day: date) -> Window:
    """A day and all later ones."""
    return Window(kind=WindowKind.LATER, day=day, start=midnight(day))


def tail_window(day: date, minutes: int) -> Window:
    """The last minutes of a day, at most all of it."""
    end = midnight(day) + _DAY
    return Window(kind=WindowKind.TAIL, day=day, start=max(midnight(day), end - timedelta(minutes=minutes)), end=end)


def midnight(day: date) -> datetime:
    """The instant at which a day begins, naive."""
    return datetime.combine(day, time())
