"""Large tables on every target: windows, checkpoints, moves, confirmed deletes, and the defects that a predecessor had."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from extract.selection import Between, WithKeys
from model.errors import SourceRefused, SourceUnavailable
from orchestration.pipeline_state import Asked
from orchestration.results import WindowCounts
from tests.contract.conftest import Records
from tests.contract.faults import Choose, Faults, connection_lost, refused
from tests.contract.large import COLUMNS, TABLE, Large, at, day
from tests.contract.pipeline import Pipeline


@pytest.fixture
def large(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Large:
    return Large(pipeline, monkeypatch)


ROWS = ((1, day(2), "a"), (2, day(3), "b"), (3, day(3), "c"), (4, day(5), "d"), (5, day(30), "e"), (6, None, "f"))


def test_every_row_is_loaded_by_the_window_of_its_date_and_a_rerun_writes_nothing(large: Large) -> None:
    large.fill((0, day(1), "before the first day"), *ROWS)
    result = large.load()
    assert (result.extracted, result.inserted, result.windows) == (6, 6, WindowCounts(planned=6, done=6, failed=0))
    assert large.active() == list(ROWS)
    assert large.asked == [*(f"2026-03-0{number}..2026-03-0{number + 1}" for number in range(2, 6)), "2026-03-06..", ".."]
    before = large.pipeline.dumps(TABLE)
    # The days 2 and 3 are final: they were read after their end and a day of lookback.
    assert large.load().changed == 0
    assert large.asked == ["2026-03-04..2026-03-05", "2026-03-05..2026-03-06", "2026-03-06..", ".."]
    assert large.pipeline.dumps(TABLE) == before


def test_a_row_whose_date_moves_is_one_update_forward_backward_outside_and_to_and_from_no_date(large: Large) -> None:
    before = (day(4), day(5), day(4), day(5), None, day(4), day(4))
    large.fill(*((number, date, "x") for number, date in enumerate(before, start=1)))
    large.load()
    moved = [
        (1, day(5), "forward"),
        (2, day(4), "backward"),
        (3, day(2), "to a final day"),
        (4, None, "to no date"),
        (5, day(5), "from no date"),
        (6, day(29), "to a later day"),
        (7, day(1), "before the first day"),
    ]
    large.fill(*moved)
    result = large.load()
    assert (result.inserted, result.updated, result.deleted) == (0, 7, 0)
    assert large.active() == moved
    assert [large.versions(key) for key in range(1, 8)] == [[("x", "I"), (row[2], "U")] for row in moved]
    assert large.load().changed == 0


def test_a_row_that_moves_from_a_final_day_is_found_by_its_key(large: Large) -> None:
    large.fill((1, day(2), "x"), (2, day(5), "y"))
    large.load()
    large.fill((1, day(5), "moved"), (2, day(5), "y"))
    assert (large.load().updated, large.versions(1)) == (1, [("x", "I"), ("moved", "U")])


def test_a_row_that_another_window_has_brought_is_not_asked_for(large: Large) -> None:
    large.fill((1, day(4), "x"), (2, day(5), "y"))
    large.load()
    large.fill((1, day(5), "moved"), (2, day(5), "y"))
    assert (large.load().updated, large.versions(1), "keys" in large.asked) == (1, [("x", "I"), ("moved", "U")], False)


def test_a_delete_is_confirmed_by_key_and_a_final_days_rows_are_left_alone(large: Large) -> None:
    large.fill(*ROWS)
    large.load()
    large.fill(*(row for row in ROWS if row[0] not in {1, 4, 5, 6}))
    result = large.load()
    # 1 lies on a final day, which is not read any more.
    assert (result.deleted, [row[0] for row in large.active()]) == (3, [1, 2, 3])
    assert large.asked[-1] == "keys"
    assert large.versions(4) == [("d", "D")]
    large.fill(*ROWS)
    assert large.load().inserted == 3
    assert large.versions(4) == [("d", "D"), ("d", "R")]


def test_a_delete_that_cannot_be_confirmed_closes_nothing_and_its_day_is_read_again(large: Large) -> None:
    large.fill(*ROWS)
    large.load()
    large.fill(*ROWS[:3])
    large.failing = lambda selection: SourceUnavailable("down") if isinstance(selection, WithKeys) else None
    assert large.run().status == "FAILED"
    assert len(large.active()) == 6
    assert large.states()["2026-03-05"] == ["SUCCESS", "LOADED"]
    # Many days later the day is still to be read, for its keys were never settled.
    large.failing = lambda _: None
    large.now += timedelta(days=20)
    assert large.load().deleted == 3
    assert large.states()["2026-03-05"] == ["SUCCESS", "LOADED", "SUCCESS"]


def test_too_many_missing_keys_block_the_deletes_alone(large: Large) -> None:
    large.fill(*ROWS)
    large.load()
    large.fill((2, day(3), "b"), (3, day(3), "c"), (7, day(5), "new"))
    result = large.run(confirm_deletes=2)
    assert (result.status, result.inserted, result.deleted, "CONFIRM_DELETES" in result.message) == ("FAILED", 1, 0, True)
    result = large.run(delete_guard_rows=1)
    assert (result.status, "gone at the source" in result.message, len(large.active())) == ("FAILED", True, 7)
    assert large.load(confirm_deletes=2, delete_guard_rows=1, force=True).deleted == 3


@pytest.mark.parametrize("rows", [1, 1_000], ids=["one by one", "together"])
def test_a_key_in_two_windows_is_what_was_read_last_and_does_not_flap(large: Large, pipeline: Pipeline, rows: int) -> None:
    large.one_by_one(rows)
    pipeline.set_key(TABLE, "ID")
    columns = "ID INTEGER, D DATE, V VARCHAR"
    large.fill((1, day(4), "first"), (1, day(5), "last"), columns=columns)
    large.load()
    assert large.active() == [(1, day(5), "last")]
    assert large.versions(1) == ([("last", "I")] if rows > 1 else [("first", "I"), ("last", "U")])
    before = pipeline.dumps(TABLE)
    assert large.load().changed == 0
    assert pipeline.dumps(TABLE) == before


def test_rows_of_another_day_than_was_asked_for_fail_the_window(large: Large, monkeypatch: pytest.MonkeyPatch) -> None:
    large.fill(*ROWS)
    monkeypatch.setattr("extract.duckdb_extractor.in_sql", lambda _: "ID <> 2")
    result = large.run()
    assert (result.status, result.inserted, "lies elsewhere" in result.message) == ("FAILED", 0, True)
    assert "UDM_SOURCE_" in result.message


def test_a_quarantined_key_counts_as_seen(large: Large, pipeline: Pipeline) -> None:
    pipeline.set_key(TABLE, "ID")
    columns = "ID INTEGER, D DATE, V VARCHAR"
    large.fill((1, day(4), "x"), (2, day(5), "y"), columns=columns)
    large.load()
    # In another window than its own, and in two rows that contradict each other.
    large.fill((1, day(5), "p"), (1, day(5), "q"), (2, day(5), "y"), columns=columns)
    result = large.load()
    assert (result.deleted, result.updated, large.versions(1)) == (0, 0, [("x", "I")])
    assert result.quarantined >= 2


def test_an_outage_longer_than_the_lookback_loses_no_day(large: Large) -> None:
    large.fill((1, day(5), "x"))
    large.load()
    large.now += timedelta(days=15)
    large.fill((1, day(5), "changed"), (2, day(7), "late"), (3, day(19), "y"))
    assert large.load().changed == 3
    assert "2026-03-05..2026-03-06" in large.asked
    assert large.active() == [(1, day(5), "changed"), (2, day(7), "late"), (3, day(19), "y")]


def test_an_empty_day_is_read_again_until_it_is_final(large: Large) -> None:
    large.fill((1, day(2), "x"))
    large.load()
    large.fill((1, day(2), "x"), (2, day(4), "late"))
    assert large.load().inserted == 1
    large.now += timedelta(days=2)
    large.load()
    assert large.states()["2026-03-04"] == ["SUCCESS"] * 3


def test_a_failed_day_does_not_stop_later_ones_and_is_retried(large: Large, logged: Records) -> None:
    large.fill(*ROWS)

    def failing(selection: Any) -> Exception | None:
        return SourceUnavailable("down") if isinstance(selection, Between) and selection.start == day(3) else None

    large.failing = failing
    for _ in range(3):
        result = large.run()
        assert (result.status, result.windows and result.windows.failed) == ("FAILED", 1)
    assert [row[0] for row in large.active()] == [1, 4, 5, 6]
    assert any("failed 3 times in a row" in message for message in logged.messages())
    large.failing = lambda _: None
    large.now += timedelta(days=9)
    assert large.load().inserted == 2
    assert large.states()["2026-03-03"] == ["FAILED"] * 3 + ["SUCCESS"]


def test_a_refused_login_is_not_tried_once_a_day(large: Large) -> None:
    large.fill(*ROWS)
    large.failing = lambda _: SourceRefused("wrong password")
    result = large.run()
    assert (result.status, result.windows) == ("FAILED", WindowCounts(planned=6, done=0, failed=1))
    assert len(large.asked) == 1


def second_insert_into_bronze() -> Choose:
    reached: list[str] = []

    def choose(point: str) -> bool:
        reached.extend([point] if point.startswith("INSERT INTO") and "_scd2_python" in point else [])
        return len(reached) == 2

    return choose


def test_a_lost_session_goes_on_with_the_windows_that_are_left(
    large: Large, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.fill(*ROWS)
    large.one_by_one()
    faults = Faults(pipeline.target, monkeypatch)
    # Between the second window's promotion to Stage and that to Bronze: healing brings its two rows there.
    with faults.at(second_insert_into_bronze(), connection_lost):
        assert large.load(retry_attempts=3, retry_seconds=0.001).inserted == 4
    assert large.active("ID") == [(1,), (2,), (3,), (4,), (5,), (6,)]
    assert large.asked.count("2026-03-02..2026-03-03") == 1
    assert pipeline.staging_tables() == []


def test_attempts_that_a_lost_session_ends_say_so(large: Large, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    large.fill(*ROWS)
    faults = Faults(pipeline.target, monkeypatch)
    with faults.at(lambda point: point.startswith("INSERT INTO") and "_scd2_python" in point, connection_lost):
        assert large.run(retry_attempts=1).status == "FAILED"
    told = pipeline.query('SELECT DISTINCT "State", "ErrorMessage" FROM {ops}."PipelineExtractionState"')
    assert [(state, "OperationalError" in message) for state, message in told] == [("FAILED", True)]
    # Stage had them: healing brings them to Bronze.
    assert large.load().changed == 0
    assert large.active() == list(ROWS)


def test_a_database_error_fails_its_window_and_the_next_run_heals_it(
    large: Large, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.fill(*ROWS)
    large.one_by_one()
    faults = Faults(pipeline.target, monkeypatch)
    with faults.at(second_insert_into_bronze(), refused):
        assert large.run().status == "FAILED"
    assert [row[0] for row in large.active()] == [1, 4, 5, 6]
    large.load()
    assert [row[0] for row in large.active()] == [1, 2, 3, 4, 5, 6]
    assert large.versions(2) == [("b", "I")]


def test_windows_that_fail_together_are_promoted_one_by_one(
    large: Large, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, logged: Records
) -> None:
    large.fill(*ROWS)
    faults = Faults(pipeline.target, monkeypatch)
    with faults.at(lambda point: point.startswith("INSERT INTO") and "_cdc" in point and "_staging" in point, refused):
        assert large.load().inserted == 6
    assert [row[0] for row in large.active()] == [1, 2, 3, 4, 5, 6]
    assert any("one by one" in message for message in logged.messages())
    # Where Stage has them all the rest is brought to its end, and nothing comes twice.
    large.fill(*((key, date, "changed") for key, date, _ in ROWS[3:]), *ROWS[:3])
    with faults.at(lambda point: point.startswith("INSERT INTO") and "_scd2_python" in point, refused):
        assert large.load().changed == 0
    assert any("to be read again" in message for message in logged.messages())
    assert [versions[-1] for versions in map(large.versions, (4, 5, 6))] == [("changed", "U")] * 3
    assert large.load().changed == 0
    assert pipeline.staging_tables() == []


def test_a_range_is_read_again_whatever_its_state(large: Large) -> None:
    large.fill(*ROWS)
    large.load()
    large.fill((1, day(2), "changed"), *ROWS[1:])
    assert large.load().changed == 0
    assert large.load(asked=Asked(first=date(2020, 1, 1), last=day(2))).updated == 1
    assert large.asked == ["2026-03-02..2026-03-03"]
    assert "holds no day" in large.run(asked=Asked(last=day(1))).message


def test_the_guard_goes_by_the_days_own_read_then_by_its_weekday(large: Large) -> None:
    large.fill(*((number, day(2 + number // 10), "x") for number in range(40)))
    large.load()
    before = large.active()
    large.fill(*((number, day(2 + number // 10), "x") for number in range(40) if number // 10 != 2))
    result = large.run(guard_day_rows=5)
    assert (result.status, "2026-03-04" in result.message, large.active()) == ("FAILED", True, before)
    # Today has not ended: it may be as empty as it likes.
    assert large.load(guard_day_rows=11).deleted == 10
    # The Monday after next to two Mondays with ten rows; the one between was an outage.
    large.now = at(2026, 3, 18, 12)
    monday = [(number, day(16), "y") for number in range(100, 170)]
    large.fill(*((number, day(2 + number // 10), "x") for number in range(40)), *monday)
    only = Asked(first=day(16), last=day(16))
    assert "2026-03-16: the day has 70 rows" in large.run(guard_day_rows=5, asked=only).message
    assert large.load(guard_day_rows=5, force=True, asked=only).inserted == 70
    # With that the baseline begins anew.
    assert large.load(guard_day_rows=5).inserted == 10


def test_a_dry_run_writes_nothing(large: Large, pipeline: Pipeline) -> None:
    large.fill(*ROWS)
    large.load()
    before = pipeline.dumps(TABLE), large.states()
    large.fill((1, day(2), "a"), (4, day(5), "changed"), (8, day(5), "new"))
    result = large.load(dry_run=True)
    assert (result.inserted, result.updated, result.deleted) == (1, 1, 2)
    assert (pipeline.dumps(TABLE), large.states()) == before


def test_the_tail_of_a_final_day_is_read_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    large = Large(pipeline, monkeypatch, lookback_days=0)
    columns = "ID INTEGER PRIMARY KEY, D TIMESTAMP, V VARCHAR"
    rows = [(1, at(2026, 3, 4, 10), "early"), (2, at(2026, 3, 4, 23, 50), "late")]
    large.fill(*rows, columns=columns)
    large.load()
    large.fill((1, at(2026, 3, 4, 10), "not seen"), (2, at(2026, 3, 4, 23, 50), "changed"), columns=columns)
    assert large.load().changed == 0
    assert large.load(overlap_minutes=15).updated == 1
    assert large.active("ID", "V") == [(1, "early"), (2, "changed")]


NEW_YORK = ZoneInfo("America/New_York")
FORMS: list[tuple[str, str | None, list[Any]]] = [
    ("TIMESTAMP", None, [at(2026, 3, 2), at(2026, 3, 4, 23, 59, 59, 999999), at(2026, 3, 5)]),
    # Midnight in New York is 5 o'clock in UTC.
    ("TIMESTAMPTZ", None, [datetime(2026, 3, 2, 5, tzinfo=ZoneInfo("UTC")), datetime(2026, 3, 4, 23, 59, tzinfo=NEW_YORK)]),
    ("INTEGER", None, [20260302, 20260304, 20260305, 99999999]),
    ("DECIMAL(8,0)", None, [20260302, 20260305]),
    ("VARCHAR", "YYYYMMDD", ["20260302", "20260304", "20260305", "20991231"]),
    ("VARCHAR", "yyyy-mm-dd hh24:mi:ss", ["2026-03-02 00:00:00", "2026-03-04 23:59:59", "2026-03-05 00:00:00"]),
    ("TIMESTAMP_NS", None, ["2026-03-02 00:00:00.000000001", "2026-03-04 23:59:59.999999999"]),
]


@pytest.mark.parametrize(("kind", "declared", "values"), FORMS, ids=[f"{form[0]} {form[1] or ''}".strip() for form in FORMS])
def test_dates_of_any_kind_in_the_sources_time_zone(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, kind: str, declared: str | None, values: list[Any]
) -> None:
    large = Large(pipeline, monkeypatch, aggregate_column_type=declared)
    monkeypatch.setattr(type(pipeline.source), "entry", property(_in_new_york))
    columns = f"ID INTEGER PRIMARY KEY, D {kind}, V VARCHAR"
    large.fill(*((number, value, "x") for number, value in enumerate((*values, None))), columns=columns)
    assert large.load().inserted == len(values) + 1
    assert large.load().changed == 0
    large.fill(*((number, value, "y") for number, value in enumerate(values[1:], start=1)), columns=columns)
    # The first row lies on a final day, the last had no date.
    result = large.load()
    assert (result.updated, result.deleted) == (len(values) - 1, 1)


def _in_new_york(source: Any) -> Any:
    from sqlalchemy.engine import URL  # noqa: PLC0415

    from sources.registry import Source  # noqa: PLC0415

    return Source(name=source.name, url=URL.create("duckdb", database=str(source.path)), time_zone=NEW_YORK)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"first_load_date": None}, "FirstLoadDate is not set"),
        ({"aggregate_column": "NO_SUCH"}, "has no column 'NO_SUCH'"),
        ({"aggregate_column": "V"}, "SourceAggregateColumnType is not set"),
        ({"aggregate_column": "V", "aggregate_column_type": "DD.MM.YYYY"}, "no format that begins with year"),
        ({"aggregate_column": "F"}, "holds no dates"),
        ({"lookback_days": -1}, "LookbackDays is -1"),
    ],
)
def test_a_table_that_cannot_be_windowed_says_why(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], said: str
) -> None:
    large = Large(pipeline, monkeypatch, **config)
    large.fill((1, day(2), "a", 1.5), columns=f"{COLUMNS}, F DOUBLE")
    assert said in large.run().message
