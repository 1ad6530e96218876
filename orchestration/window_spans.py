"""Which windows of a large table are read together: small neighbours, for a read costs the same however few rows it has. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from model.windows import Interval, Span, Window

SPAN_ROWS = 2_500_000


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
    return [Span(windows=tuple(part)) if len(part) > 1 else part[0] for part in parts]


def _adjoin(one: Window, other: Window) -> bool:
    return one.end is not None and one.end == other.start
