"""Days of a large table whose size is known are read together: what comes of it must be what reading each of them would give."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from extract.selection import Between
from model.errors import SourceUnavailable
from orchestration import window_runs
from tests.contract.conftest import Records
from tests.contract.faults import Faults, refused
from tests.contract.large import TABLE, Large, at, day
from tests.contract.pipeline import Pipeline, Row

NOW = at(2026, 3, 12, 12)
TOGETHER, LATER = "2026-03-09..2026-03-13", ["2026-03-13..", ".."]
APART = [f"2026-03-{number:02}..2026-03-{number + 1:02}" for number in range(9, 13)]


@pytest.fixture
def large(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Large:
    """Loaded once: of the four days that are read again an earlier read, or their weekday's, tells the size."""
    large = Large(pipeline, monkeypatch, lookback_days=3)
    large.now = NOW
    large.fill(*rows())
    assert large.load().inserted == 110
    return large


def rows(**changed: Row | None) -> list[Row]:
    """Ten rows each of the days 2 to 12, numbered; `k23=None` leaves one out, `k23=(…)` is another one."""
    every = {number: (number, day(2 + number // 10), "x") for number in range(110)}
    every.update({int(name[1:]): row for name, row in changed.items()})  # type: ignore[misc]
    return [row for row in every.values() if row is not None]


def states_of_days(large: Large) -> list[Row]:
    """The days of the last run: state, rows and changed rows."""
    query = (
        'SELECT "ExtractDate", "State", "RowsExtracted", "RowsChanged" FROM {ops}."PipelineExtractionState" AS s '
        "WHERE \"WindowKind\" = 'DAY' AND \"AttemptNumber\" = (SELECT max(\"AttemptNumber\") FROM "
        '{ops}."PipelineExtractionState" AS o WHERE o."ExtractDate" = s."ExtractDate" AND o."WindowKind" = s."WindowKind") '
        'AND "ExtractDate" >= :first ORDER BY "ExtractDate"'
    )
    return large.pipeline.query(query, first=date(2026, 3, 9))


def test_each_day_is_counted_and_settled_apart(large: Large) -> None:
    large.fill(*rows(k70=(70, day(9), "y"), k75=None, k80=(80, day(12), "moved"), k99=(99, day(4), "to a final day")))
    result = large.load()
    assert large.asked == [TOGETHER, *LATER, "keys"]
    assert (result.extracted, result.inserted, result.updated, result.deleted) == (38, 0, 3, 1)
    assert states_of_days(large) == [
        (day(9), "SUCCESS", 9, 1), (day(10), "SUCCESS", 9, 0), (day(11), "SUCCESS", 9, 0), (day(12), "SUCCESS", 11, 1),
    ]  # fmt: skip
    assert [large.versions(key) for key in (75, 80, 99)] == [
        [("x", "D")], [("x", "I"), ("moved", "U")], [("x", "I"), ("to a final day", "U")],
    ]  # fmt: skip
    assert large.load().changed == 0


def test_keys_that_are_missing_from_days_read_apart_are_all_found(large: Large, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Stage they lie where the first and the last of these days do, and between."""
    monkeypatch.setattr(window_runs, "SPAN_ROWS", 10)
    large.fill(*rows(k70=None, k85=None, k105=None, k72=(72, day(9), "y"), k103=(103, day(12), "y")))
    result = large.load()
    assert large.asked == [*APART, *LATER, "keys"]
    assert (result.inserted, result.updated, result.deleted) == (0, 2, 3)
    assert [large.versions(key) for key in (70, 85, 105)] == [[("x", "D")]] * 3


def test_a_day_that_the_guard_blocks_leaves_the_others_alone(large: Large) -> None:
    large.fill(*rows(**dict.fromkeys(f"k{number}" for number in range(80, 90)), k70=(70, day(9), "y")))
    result = large.run(guard_day_rows=5)
    assert (result.status, result.updated, result.deleted) == ("FAILED", 1, 0)
    assert "2026-03-10: the day has 0 rows" in result.message
    assert large.asked == [TOGETHER, *APART, *LATER]
    assert [row[1] for row in states_of_days(large)] == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS"]
    # Each is one attempt, though two reads.
    assert large.states()["2026-03-10"] == ["SUCCESS", "FAILED"]
    assert len(large.active()) == 110


def test_days_that_the_source_does_not_send_together_are_read_apart(large: Large, logged: Records) -> None:
    large.fill(*rows(k70=(70, day(9), "y")))

    def failing(selection: Any) -> Exception | None:
        whole = isinstance(selection, Between) and (selection.start, selection.end) == (day(9), day(13))
        return SourceUnavailable("too long") if whole else None

    large.failing = failing
    assert large.load().updated == 1
    assert large.asked == [TOGETHER, *APART, *LATER]
    assert any("to be read again" in message for message in logged.messages())


def test_a_key_in_two_of_the_days_is_what_the_later_one_shows(large: Large, pipeline: Pipeline) -> None:
    pipeline.set_key(TABLE, "ID")
    twice = [(200, day(9), "first"), (200, day(11), "last"), (201, day(10), "p"), (201, day(10), "q")]
    large.fill(*rows(), *twice, columns="ID INTEGER, D DATE, V VARCHAR")
    result = large.load()
    assert (result.inserted, result.quarantined, large.versions(200)) == (1, 2, [("last", "I")])
    assert large.asked == [TOGETHER, *APART, *LATER]


def test_days_whose_promotion_fails_are_read_again_each_by_itself(
    large: Large, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(pipeline.target, monkeypatch)
    for layer, value in (("_cdc", "y"), ("_scd2_python", "z")):
        large.fill(*rows(k70=(70, day(9), value), k80=(80, day(10), value)))
        with faults.at(lambda point: point.startswith("INSERT INTO") and layer in point and "_staging" in point, refused):  # noqa: B023
            # Stage had them already where Bronze refused: what it has is healed there, and no change of this run.
            assert large.load().updated == (2 if layer == "_cdc" else 0)
        assert [large.versions(key)[-1] for key in (70, 80)] == [(value, "U")] * 2
    assert pipeline.staging_tables() == []
    assert large.load().changed == 0


def test_so_many_rows_are_read_together_and_no_more(large: Large, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_runs, "SPAN_ROWS", 20)
    large.load()
    assert large.asked == ["2026-03-09..2026-03-11", "2026-03-11..2026-03-13", *LATER]
