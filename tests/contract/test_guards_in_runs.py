"""Guards: an extract of unbelievable size changes nothing; too many deletes are held back and everything else is applied."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from model.ops import PIPELINE_EVENT_LOG
from tests.contract.pipeline import Pipeline

TABLE = "ACCT"
EXTRACTED = "RowsExtracted"


def extract(pipeline: Pipeline, *, rows: int, value: int = 0, start: int = 0) -> None:
    """The table holds the keys `start` to `start + rows - 1`, all with one value."""
    pipeline.source.execute(
        f"CREATE OR REPLACE TABLE {TABLE} (ID INTEGER PRIMARY KEY, V INTEGER)",
        f"INSERT INTO {TABLE} SELECT range, {value} FROM range({start}, {start + rows})",
    )


def steps(pipeline: Pipeline) -> dict[str, str]:
    query = 'SELECT "EventType", "Status" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch'
    return dict(pipeline.query(query, batch=pipeline.batch))


def blocked(pipeline: Pipeline, **settings: float) -> str:
    """The run is blocked by its size: FAILED in ops, nothing written to either layer."""
    before = pipeline.dumps(TABLE)
    message = pipeline.fail(TABLE, **settings)
    assert pipeline.dumps(TABLE) == before
    assert steps(pipeline) == {"EXTRACT": "FAILED", "TABLE_TOTAL": "FAILED"}
    assert "--force" in message
    return message


def test_an_extract_under_a_tenth_of_its_baseline_is_blocked_and_one_of_a_tenth_is_not(pipeline: Pipeline) -> None:
    extract(pipeline, rows=100)
    pipeline.load(TABLE)
    extract(pipeline, rows=9)
    assert "9 rows" in blocked(pipeline)
    extract(pipeline, rows=10)
    assert pipeline.load(TABLE).deleted == 90


def test_an_extract_over_five_times_its_baseline_is_blocked_and_one_of_five_times_is_not(pipeline: Pipeline) -> None:
    extract(pipeline, rows=100)
    pipeline.load(TABLE)
    extract(pipeline, rows=501)
    blocked(pipeline)
    extract(pipeline, rows=500)
    assert pipeline.load(TABLE).inserted == 400


def test_an_empty_extract_is_blocked_where_the_baseline_is_not_empty(pipeline: Pipeline) -> None:
    extract(pipeline, rows=2)
    pipeline.load(TABLE)
    extract(pipeline, rows=0)
    blocked(pipeline, guard_low=0.0)


def test_the_first_run_and_a_table_that_was_always_empty_have_no_baseline(pipeline: Pipeline) -> None:
    extract(pipeline, rows=0)
    pipeline.load(TABLE)
    extract(pipeline, rows=1_000)
    assert pipeline.load(TABLE).inserted == 1_000


def test_the_baseline_does_not_learn_from_blocked_runs(pipeline: Pipeline) -> None:
    """Never again: the row-count guard learning from its own blocked runs."""
    extract(pipeline, rows=100)
    pipeline.load(TABLE)
    extract(pipeline, rows=5)
    for _ in range(4):
        assert "100" in blocked(pipeline)


def test_the_baseline_does_not_learn_from_runs_whose_deletes_were_blocked(pipeline: Pipeline) -> None:
    """Never again: the row-count guard learning from its own blocked runs."""
    extract(pipeline, rows=100)
    pipeline.load(TABLE)
    extract(pipeline, rows=20)
    for _ in range(3):
        pipeline.fail(TABLE, delete_guard_rows=10)
    extract(pipeline, rows=8)
    assert "100" in blocked(pipeline)


def test_the_baseline_does_not_learn_from_runs_that_failed_later(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    extract(pipeline, rows=100)
    pipeline.load(TABLE)
    extract(pipeline, rows=20)
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.promoting.load_staging", fail)
        for _ in range(3):
            pipeline.fail(TABLE)
    extract(pipeline, rows=8)
    assert "100" in blocked(pipeline)


def test_the_baseline_is_the_median_of_the_last_fourteen_good_runs(pipeline: Pipeline) -> None:
    for rows in (1_000, 200):
        extract(pipeline, rows=rows)
        pipeline.load(TABLE)
    extract(pipeline, rows=59)
    assert "600 (median)" in blocked(pipeline)
    # Thirteen more good runs, six of 200 rows and seven of 300. With the second run they are fourteen: 250 is their median, and
    # that of thirteen or of fifteen would be 300.
    log = pipeline.target.own(PIPELINE_EVENT_LOG)
    second = sa.select(log).where(log.c.BatchId == 2, log.c.EventType.in_(["EXTRACT", "TABLE_TOTAL"]))
    with pipeline.target.engine.begin() as connection:
        good = [dict(row) for row in connection.execute(second).mappings()]
        more = [{**row, "BatchId": n, EXTRACTED: 200 if n < 106 else 300} for n in range(100, 113) for row in good]
        connection.execute(sa.insert(log), more)
    extract(pipeline, rows=19)
    assert "250 (median)" in blocked(pipeline)


def test_force_loads_a_blocked_extract_and_restarts_the_baseline(pipeline: Pipeline) -> None:
    extract(pipeline, rows=100)
    for _ in range(3):
        pipeline.load(TABLE)
    extract(pipeline, rows=5)
    blocked(pipeline)
    assert pipeline.load(TABLE, force=True).deleted == 95
    extract(pipeline, rows=6)
    assert pipeline.load(TABLE).inserted == 1
    extract(pipeline, rows=100)
    assert "5" in blocked(pipeline)


def test_another_tables_runs_are_no_baseline(pipeline: Pipeline) -> None:
    pipeline.source.table("OTHER", "ID INTEGER PRIMARY KEY", [(key,) for key in range(100)])
    pipeline.load("OTHER")
    extract(pipeline, rows=1)
    pipeline.load(TABLE)


def test_too_many_deletes_are_held_back_while_inserts_and_updates_are_applied(pipeline: Pipeline) -> None:
    extract(pipeline, rows=100)
    pipeline.load(TABLE)
    extract(pipeline, rows=50, value=1, start=60)
    result = pipeline.run_table(TABLE, delete_guard_rows=10)
    assert result.status == "FAILED"
    assert (result.inserted, result.updated, result.deleted) == (10, 40, 0)
    assert "60 of 100" in result.message
    assert "--force" in result.message
    assert steps(pipeline)["TABLE_TOTAL"] == "FAILED"
    active = pipeline.query('SELECT "V", count(*) FROM {bronze} WHERE "UdmActiveFlag" = {true} GROUP BY "V" ORDER BY 1', TABLE)
    assert active == [(0, 60), (1, 50)]
    assert not [row for row in pipeline.dump("stage", TABLE) if row["_cdc_operation"] == "D"]


def test_held_back_deletes_stay_held_back_until_forced(pipeline: Pipeline) -> None:
    extract(pipeline, rows=100)
    pipeline.load(TABLE)
    extract(pipeline, rows=40)
    for _ in range(2):
        before = pipeline.dumps(TABLE)
        pipeline.fail(TABLE, delete_guard_rows=10)
        assert pipeline.dumps(TABLE) == before
    assert pipeline.load(TABLE, delete_guard_rows=10, force=True).deleted == 60
    assert pipeline.load(TABLE, delete_guard_rows=10).changed == 0


def test_deletes_up_to_a_fifth_of_the_keys_or_up_to_a_thousand_are_applied(pipeline: Pipeline) -> None:
    extract(pipeline, rows=6_000)
    pipeline.load(TABLE)
    extract(pipeline, rows=4_800)
    assert pipeline.load(TABLE).deleted == 1_200
    extract(pipeline, rows=3_800)
    assert pipeline.load(TABLE).deleted == 1_000
    extract(pipeline, rows=2_799)
    assert "1,001 of 3,800" in pipeline.fail(TABLE)
