"""The invariants of DESIGN.md section 5 by number; 3, 5 and 7 have files of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tests.contract.days import COLUMNS, DAYS, TABLE, play
from tests.contract.pipeline import Pipeline

RANGE = "SELECT range AS ID, range % 7 AS V FROM range({rows})"


def test_1_a_rerun_on_an_unchanged_source_writes_nothing_to_stage_or_bronze(pipeline: Pipeline) -> None:
    history = play(pipeline, days=DAYS[:2])
    markers = pipeline.query('SELECT * FROM {stage_ops}."PromotionMarker"')
    result = pipeline.load(TABLE)
    assert (result.changed, result.unchanged) == (0, len(DAYS[1]))
    assert pipeline.dumps(TABLE) == (history.stage, history.bronze)
    assert pipeline.query('SELECT * FROM {stage_ops}."PromotionMarker"') == markers
    keys = [row["_scd2_key"] for row in history.bronze]
    assert len(set(keys)) == len(keys)


def test_1_a_forced_rerun_and_a_dry_run_write_nothing_either(pipeline: Pipeline) -> None:
    history = play(pipeline, days=DAYS[1:2])
    pipeline.load(TABLE, force=True)
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    assert pipeline.load(TABLE, dry_run=True).changed
    assert pipeline.dumps(TABLE) == (history.stage, history.bronze)


class Reader:
    """Polls, from a thread and a connection of its own, how many active versions each of some keys has."""

    def __init__(self, pipeline: Pipeline, keys: list[int]) -> None:
        self._pipeline = pipeline
        self._keys = keys
        self._stop = threading.Event()
        self.seen: set[tuple[Any, ...]] = set()
        self.polls = 0

    def _poll(self) -> None:
        query = 'SELECT "ID", sum(CASE WHEN "UdmActiveFlag" = {true} THEN 1 ELSE 0 END) FROM {bronze} GROUP BY "ID"'
        while not self._stop.wait(0.002):
            counts = {key: int(count) for key, count in self._pipeline.query(query, TABLE)}
            self.seen |= {(key, counts.get(key)) for key in self._keys}
            self.seen |= {(key, count) for key, count in counts.items() if count > 1}
            self.polls += 1

    @contextmanager
    def polling(self) -> Iterator[None]:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self._poll)
            try:
                yield
            finally:
                self._stop.set()
                future.result()


def test_2_a_reader_sees_exactly_one_active_version_of_a_live_key_at_every_moment(pipeline: Pipeline) -> None:
    always = list(range(1, 200))
    pipeline.source.table(TABLE, COLUMNS, [(key, "day 0", key) for key in always])
    pipeline.load(TABLE)
    reader = Reader(pipeline, always)
    with reader.polling():
        for day in range(1, 5):
            others = [(1000 + day, "comes", 1), (2000 + day % 2, "comes and goes", day)]
            pipeline.source.table(TABLE, COLUMNS, [*((key, f"day {day}", key) for key in always), *others])
            pipeline.load(TABLE)
    assert reader.polls > 20
    assert reader.seen == {(key, 1) for key in always}


def test_4_a_table_that_is_emptied_reloaded_and_changed_keeps_every_closed_version(pipeline: Pipeline) -> None:
    history = play(pipeline, days=DAYS[:2])
    pipeline.source.table(TABLE, COLUMNS)
    pipeline.load(TABLE, force=True)
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    pipeline.load(TABLE, force=True)
    closed = [row for row in history.bronze if not row["UdmActiveFlag"]]
    now = pipeline.dump("bronze", TABLE)
    assert all(row in now for row in closed)
    assert len(now) == len(history.bronze) + len(DAYS[0])


def big_view(pipeline: Pipeline, query: str) -> None:
    """A table of 10,000 rows, in frames of 1,000, then read through another query."""
    pipeline.set_key("BIG", "ID")
    pipeline.source.view("BIG", RANGE.format(rows=10_000))
    pipeline.load("BIG")
    pipeline.source.view("BIG", query)


def test_6_no_delete_is_believed_from_an_extract_that_broke_in_the_middle(pipeline: Pipeline) -> None:
    broken = f"SELECT ID, CASE WHEN ID = 9000 THEN error('disk gone') ELSE V END AS V FROM ({RANGE.format(rows=10_000)})"
    big_view(pipeline, broken)
    before = pipeline.dumps("BIG")
    pipeline.fail("BIG", retry_seconds=0.0)
    assert pipeline.dumps("BIG") == before
    assert error_of(pipeline, "EXTRACT") == "SourceRefused"


def test_6_no_delete_is_believed_where_the_source_counts_other_rows_than_it_delivers(pipeline: Pipeline) -> None:
    inconsistent = f"SELECT * FROM ({RANGE.format(rows=100_000)}) WHERE ID < (SELECT random() * 100000)"
    big_view(pipeline, inconsistent)
    before = pipeline.dumps("BIG")
    message = pipeline.fail("BIG", retry_seconds=0.0)
    assert "counted" in message
    assert pipeline.dumps("BIG") == before
    assert error_of(pipeline, "EXTRACT") == "IncompleteExtract"


def error_of(pipeline: Pipeline, step: str) -> str | None:
    query = 'SELECT DISTINCT "ErrorType" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch AND "EventType" = :step'
    [(error,)] = pipeline.query(query, batch=pipeline.batch, step=step)
    return error  # type: ignore[no-any-return]


class Panic(BaseException):
    """What a driver's panic in Rust arrives as: not an Exception."""


STEPS = {
    "EXTRACT": "orchestration.extraction.Comparison.finish",
    "BCP_LOAD": "data_load.bcp_loader.verify_sample",
    "CDC_PROMOTION": "cdc.engine.write_marker",
    "SCD2_PROMOTION": "scd2.engine.write_marker",
    "CLEANUP": "orchestration.promoting.drop_staging",
}


@pytest.mark.parametrize(("step", "kind"), [*((step, RuntimeError) for step in STEPS), ("EXTRACT", Panic), ("CLEANUP", Panic)])
def test_8_a_failure_is_recorded_although_its_transaction_was_rolled_back(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, step: str, kind: type[BaseException]
) -> None:
    def fail(*_: Any) -> None:
        raise kind("out of luck")

    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    monkeypatch.setattr(STEPS[step], fail)
    assert "out of luck" in pipeline.fail(TABLE)
    query = 'SELECT "EventType", "Status", "ErrorType", "Message" FROM {ops}."PipelineEventLog" ORDER BY "EventNumber"'
    *earlier, failed, total = pipeline.query(query)
    assert failed == (step, "FAILED", kind.__name__, f"{kind.__name__}: out of luck")
    assert total == ("TABLE_TOTAL", "FAILED", kind.__name__, f"{kind.__name__}: out of luck")
    assert [event[:2] for event in earlier] == [(name, "SUCCESS") for name in list(STEPS)[: len(earlier)]]


def test_8_a_failure_is_recorded_also_when_the_data_engine_is_dead(pipeline: Pipeline) -> None:
    def dead(*_: Any) -> None:
        raise RuntimeError("connection lost")

    sa.event.listen(pipeline.target.engine, "before_cursor_execute", dead)
    try:
        assert "connection lost" in pipeline.fail(TABLE)
    finally:
        sa.event.remove(pipeline.target.engine, "before_cursor_execute", dead)
    assert error_of(pipeline, "TABLE_TOTAL") == "RuntimeError"
