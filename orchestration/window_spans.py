"""Which windows of a large table are read together: small neighbours, for a read costs the same however few rows it has. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from model.windows import Interval, Span, Window, WindowKind

SPAN_ROWS = 2_500_000
MOST_ROWS = 2 * SPAN_ROWS
"""Of what was thought to be small and is read together; with more it is read apart."""
_WEEK = 7
_MOST_DAYS = 28


def plan_spans(windows: Iterable[Window], expected: Callable[[Window], int | None], most: int = SPAN_ROWS) -> list[Interval]:
    """The windows in their order; adjoining ones as one span, while no more than `most` rows are `expected` of it.

    A window of which nothing is known (None) is read by itself: it may hold any number of rows.
    """
    parts: list[list[Window]] = []
    room = -1
    for window in windows:
        rows = expected(window)
        if rows is not None and rows <= room and _adjoin(parts[-1][-1], window):
            parts[-1].append(window)
            room -= rows
        else:
            parts.append([window])
            room = -1 if rows is None else most - rows
    return [_together(part) for part in parts]


@dataclass(slots=True, kw_only=True)
class Pace:
    """How many days of unknown size a run reads together: as many as have `most` rows, if they are like the last week's largest.

    `alone` are windows that were read together in vain.
    """

    most: int
    alone: set[Window] = field(default_factory=set)
    _sizes: deque[int] = field(default_factory=partial(deque[int], maxlen=_WEEK))

    def saw(self, window: Window, rows: int) -> None:
        """A window had so many rows."""
        if window.kind is WindowKind.DAY:
            self._sizes.append(rows)

    def next_of(self, waiting: deque[Interval], is_unknown: Callable[[Window], bool]) -> Interval:
        """Take what is to be read next: the first that waits, and days behind it."""

        def may_join(one: Interval) -> bool:
            return isinstance(one, Window) and one.kind is WindowKind.DAY and one not in self.alone and is_unknown(one)

        part = [waiting.popleft()]
        while waiting and len(part) < self._days and all(map(may_join, (part[-1], waiting[0]))) and _adjoin(part[-1], waiting[0]):
            part.append(waiting.popleft())
        return _together([window for one in part for window in one.windows])

    @property
    def _days(self) -> int:
        return min(self.most // max(*self._sizes, 1), _MOST_DAYS) if len(self._sizes) == _WEEK else 1


def _together(windows: list[Window]) -> Interval:
    return Span(windows=tuple(windows)) if len(windows) > 1 else windows[0]


def _adjoin(one: Interval, other: Interval) -> bool:
    return one.end is not None and one.end == other.start
