"""Windows that are read together: neighbours of known size, up to a bound."""

from __future__ import annotations

from datetime import date

from model.windows import NO_DATE, Interval, Window, day_window, later_window, tail_window
from orchestration.window_spans import plan_spans

DAYS = [day_window(date(2026, 3, number)) for number in range(1, 8)]


def planned(windows: list[Window], expected: dict[Window, int], most: int) -> list[list[Window]]:
    spans: list[Interval] = plan_spans(windows, expected.get, most)
    return [list(span.windows) for span in spans]


def test_neighbours_of_known_size_go_together_up_to_the_bound() -> None:
    sizes = dict(zip(DAYS, (4, 4, 3, 20, 0, 1, 9), strict=True))
    assert planned(DAYS, sizes, 10) == [DAYS[:2], DAYS[2:3], DAYS[3:4], DAYS[4:]]


def test_what_does_not_adjoin_or_is_of_unknown_size_goes_alone() -> None:
    tail, later = tail_window(date(2026, 3, 1), 15), later_window(date(2026, 3, 6))
    windows = [tail, DAYS[1], DAYS[3], DAYS[4], later, NO_DATE]
    sizes = dict.fromkeys((DAYS[1], DAYS[3]), 1)
    assert planned(windows, sizes, 10) == [[one] for one in windows]
    assert planned(windows, dict.fromkeys(windows, 1), 10) == [[tail, DAYS[1]], [DAYS[3], DAYS[4], later], [NO_DATE]]


def test_a_span_lies_from_its_first_window_to_its_last() -> None:
    [span] = plan_spans(DAYS, dict.fromkeys(DAYS, 0).get, 0)
    assert (span.start, span.end, str(span)) == (DAYS[0].start, DAYS[-1].end, "2026-03-01 to 2026-03-07")
