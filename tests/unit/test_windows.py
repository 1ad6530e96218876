"""The plan of a large table's windows: a pure function of its days' states, the clock and the configuration."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import TerminalError
from model.windows import NO_DATE, Window, WindowKind, day_window, later_window, tail_window
from orchestration.pipeline_state import Asked, Calendar, DayState, described, plan_windows

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
FIRST, TODAY = date(2026, 3, 1), date(2026, 3, 31)
ASKED_NOTHING = Asked()


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - naive UTC


def calendar(lookback: int = 7, zone: ZoneInfo = UTC, overlap: int = 0) -> Calendar:
    return Calendar(zone=zone, first=FIRST, lookback=lookback, overlap_minutes=overlap)


def days(windows: tuple[Window, ...]) -> list[date]:
    return [window.day for window in windows if window.kind is WindowKind.DAY and window.day]


def test_a_table_that_was_never_read_is_read_from_its_first_day_on() -> None:
    windows = plan_windows(calendar(), {}, at(TODAY), ASKED_NOTHING)
    assert days(windows) == [FIRST + timedelta(days=number) for number in range(31)]
    assert windows[-2:] == (later_window(date(2026, 4, 1)), NO_DATE)
    assert described(windows) == "31 days from 2026-03-01 to 2026-03-31, 2026-04-01 and later, rows without a date"


def test_windows_share_no_row_and_leave_none_out() -> None:
    *dated, without = plan_windows(calendar(), {}, at(TODAY), ASKED_NOTHING)
    assert without == NO_DATE
    assert dated[0].start == at(FIRST, 0)
    assert [window.end for window in dated[:-1]] == [window.start for window in dated[1:]]
    assert dated[-1].end is None


@given(lookback=st.integers(0, 10), read_after=st.integers(-1, 15), second=st.integers(0, 86_399))
def test_a_day_is_final_when_it_was_read_at_or_after_the_end_of_its_lookback(lookback: int, read_after: int, second: int) -> None:
    day = date(2026, 3, 10)
    read_at = at(day, 0) + timedelta(days=read_after, seconds=second)
    planned = plan_windows(calendar(lookback), {day: DayState(read_at=read_at)}, at(TODAY), ASKED_NOTHING)
    assert (day in days(planned)) == (read_after < lookback + 1)


def test_a_day_that_only_failed_stays_in_the_plan_however_old() -> None:
    read = {FIRST + timedelta(days=number): DayState(read_at=at(TODAY)) for number in range(31)}
    planned = plan_windows(calendar(lookback=0), {**read, date(2026, 3, 4): DayState(failures=9)}, at(TODAY), ASKED_NOTHING)
    assert days(planned) == [date(2026, 3, 4), TODAY]


def test_today_is_the_sources_day_and_its_ends_follow_its_clock() -> None:
    # Half past eleven in the evening in UTC is the next day in Berlin; on the 29th the clocks are put forward there.
    assert days(plan_windows(calendar(zone=BERLIN), {}, at(TODAY, 23, 30), ASKED_NOTHING))[-1] == date(2026, 4, 1)
    assert calendar(lookback=0, zone=BERLIN).final_from(date(2026, 3, 28)) == at(date(2026, 3, 28), 23)
    assert calendar(lookback=0, zone=BERLIN).final_from(date(2026, 3, 29)) == at(date(2026, 3, 29), 22)


def test_the_tail_of_yesterday_is_read_where_yesterday_is_final() -> None:
    yesterday = date(2026, 3, 30)
    final = {FIRST + timedelta(days=number): DayState(read_at=at(TODAY)) for number in range(31)}
    windows = plan_windows(calendar(lookback=0, overlap=90), final, at(TODAY), ASKED_NOTHING)
    assert windows[:2] == (tail_window(yesterday, 90), day_window(TODAY))
    assert windows[0].start == at(yesterday, 22, 30)
    # Where it is read whole, its tail is not read too.
    assert windows[0].kind not in {window.kind for window in plan_windows(calendar(overlap=90), {}, at(TODAY), ASKED_NOTHING)}


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 3, 5), date(2026, 3, 6), [date(2026, 3, 5), date(2026, 3, 6)]),
        (None, date(2026, 3, 2), [FIRST, date(2026, 3, 2)]),
        (date(2026, 3, 30), None, [date(2026, 3, 30), TODAY]),
        (date(2020, 1, 1), date(2026, 3, 1), [FIRST]),
        (TODAY, date(2030, 1, 1), [TODAY]),
    ],
)
def test_a_range_is_read_whatever_its_state_within_the_tables_days(
    first: date | None, last: date | None, expected: list[date]
) -> None:
    final = {FIRST + timedelta(days=number): DayState(read_at=at(TODAY + timedelta(days=90))) for number in range(31)}
    windows = plan_windows(calendar(), final, at(TODAY), Asked(first=first, last=last))
    assert list(windows) == [day_window(day) for day in expected]


def test_a_range_without_a_day_is_an_error_that_names_the_days() -> None:
    with pytest.raises(TerminalError, match="2026-03-01 to 2026-03-31"):
        plan_windows(calendar(), {}, at(TODAY), Asked(last=date(2026, 2, 1)))


def test_a_first_day_in_the_future_leaves_later_days_and_rows_without_a_date() -> None:
    windows = plan_windows(Calendar(zone=UTC, first=date(2026, 5, 1), lookback=7), {}, at(TODAY), ASKED_NOTHING)
    assert windows == (later_window(date(2026, 5, 1)), NO_DATE)
