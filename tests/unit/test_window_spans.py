"""Windows that are read together: neighbours of known size, up to a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from datetime import date, timedelta

from model.windows import NO_DATE, Interval, Window, day_window, later_window, tail_window
from orchestration.window_spans import Pace, plan_spans

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


MONTHS = [day_window(date(2026, 3, 1) + timedelta(days=number)) for number in range(80)]


def read_at_pace(pace: Pace, windows: Sequence[Window], rows: dict[Window, int], known: Collection[Window] = ()) -> list[int]:
    """How many windows each read has."""
    waiting, reads = deque[Interval](windows), []
    while waiting:
        span = pace.next_of(waiting, lambda window: window not in known)
        reads.append(len(span.windows))
        for window in span.windows:
            pace.saw(window, rows.get(window, 0))
    return reads


def test_after_a_week_days_go_together_while_the_weeks_largest_lets_expect_few_rows() -> None:
    assert read_at_pace(Pace(most=100), MONTHS, dict.fromkeys(MONTHS, 10)) == [*[1] * 7, *[10] * 7, 3]
    weekly = dict.fromkeys(MONTHS[::7], 40)
    assert read_at_pace(Pace(most=100), MONTHS[:14], weekly) == [*[1] * 7, 2, 2, 2, 1]
    assert read_at_pace(Pace(most=100), MONTHS[:10], dict.fromkeys(MONTHS, 101)) == [1] * 10


def test_days_without_rows_go_together_by_four_weeks_at_most_and_what_follows_large_ones_alone() -> None:
    large = dict.fromkeys(MONTHS[30:], 1_000)
    assert read_at_pace(Pace(most=100), MONTHS, large) == [*[1] * 7, 28, *[1] * 45]


def test_days_of_known_size_other_windows_and_what_failed_together_are_read_as_they_are() -> None:
    pace = Pace(most=100)
    read_at_pace(pace, MONTHS[:7], {})
    tail, later = tail_window(date(2026, 3, 7), 15), later_window(date(2026, 4, 1))
    assert read_at_pace(pace, [tail, *MONTHS[7:10], later, NO_DATE], {}) == [1, 3, 1, 1]
    assert read_at_pace(pace, MONTHS[10:14], {}, known=MONTHS[11:12]) == [1, 1, 2]
    assert read_at_pace(pace, [MONTHS[14], MONTHS[16], MONTHS[17]], {}) == [1, 2]
    pace.alone.update(MONTHS[21:23])
    assert read_at_pace(pace, MONTHS[20:25], {}) == [1, 1, 1, 2]
