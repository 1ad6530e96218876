"""Days of unknown size, as of a first load, are read together when a week of them was small; what comes of it is the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from extract.selection import Between
from model.errors import SourceUnavailable
from orchestration import window_reading
from orchestration.results import WindowCounts
from tests.contract.conftest import Records
from tests.contract.large import FIRST, TABLE, Large, at, day
from tests.contract.pipeline import Pipeline, Row

LAST = 20
WEEK = [f"2026-03-{number:02}..2026-03-{number + 1:02}" for number in range(2, 9)]
REST, AFTER = "2026-03-09..2026-03-22", ["2026-03-22..", ".."]
APART = [f"2026-03-{number:02}..2026-03-{number + 1:02}" for number in range(9, 22)]


@pytest.fixture
def large(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Large:
    """Never loaded; its days are 2 to 21 of March, the last of them today."""
    large = Large(pipeline, monkeypatch)
    large.now = at(2026, 3, 21, 12)
    return large


def rows(*more: Row) -> list[Row]:
    """Two rows a day, numbered."""
    return [*((number, FIRST + timedelta(days=number // 2), "x") for number in range(2 * LAST)), *more]


def days_of(large: Large) -> list[Row]:
    query = (
        'SELECT "ExtractDate", "State", "RowsExtracted", "RowsChanged", "AttemptNumber" FROM {ops}."PipelineExtractionState" '
        "WHERE \"WindowKind\" = 'DAY' ORDER BY \"ExtractDate\""
    )
    return large.pipeline.query(query)


def test_a_first_load_of_small_days_reads_many_together_and_records_each(large: Large) -> None:
    large.fill(*rows())
    result = large.load()
    assert large.asked == [*WEEK, REST, *AFTER]
    assert (result.extracted, result.inserted, result.windows) == (40, 40, WindowCounts(planned=22, done=22, failed=0))
    assert days_of(large) == [(FIRST + timedelta(days=number), "SUCCESS", 2, 2, 1) for number in range(LAST)]
    assert large.active() == rows()
    assert large.load().changed == 0


@pytest.mark.parametrize("reason", ["the source", "too many rows", "a key in two of the days"])
def test_days_that_cannot_be_read_together_are_read_once_more_each_by_itself(
    large: Large, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, logged: Records, reason: str
) -> None:
    pipeline.set_key(TABLE, "ID")
    more: list[Row] = [(90, day(10), "first"), (90, day(12), "last")] if reason == "a key in two of the days" else []
    large.fill(*rows(*more), columns="ID INTEGER, D DATE, V VARCHAR")
    if reason == "too many rows":
        monkeypatch.setattr(window_reading, "MOST_ROWS", 20)

    def failing(selection: Any) -> Exception | None:
        whole = isinstance(selection, Between) and (selection.start, selection.end) == (day(9), day(22))
        return SourceUnavailable("too long") if whole and reason == "the source" else None

    large.failing = failing
    result = large.load()
    assert large.asked == [*WEEK, REST, *APART, *AFTER]
    assert (result.inserted, result.windows) == (40 + bool(more), WindowCounts(planned=22, done=22, failed=0))
    assert large.active() == sorted([*rows(), *more[1:]])
    assert [row[1] for row in days_of(large)] == ["SUCCESS"] * LAST
    assert any("to be read again, day by day" in message for message in logged.messages())


def test_a_dry_run_that_reads_days_in_vain_ends(large: Large, monkeypatch: pytest.MonkeyPatch) -> None:
    large.fill(*rows())
    monkeypatch.setattr(window_reading, "MOST_ROWS", 20)
    assert large.run(dry_run=True).extracted == 40
    assert large.asked == [*WEEK, REST, *APART, *AFTER]
