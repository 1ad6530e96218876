"""What is old enough goes from Stage and ops: never what is current, never what Bronze lacks, never Bronze, never for hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import orchestration.retention
from model import ops
from observability.context import table_context
from tests.contract.command import command_of, list_tables
from tests.contract.pipeline import Pipeline
from tests.contract.test_healing import killed

TABLE, COLUMNS = "ACCT", "ID INTEGER PRIMARY KEY, V INTEGER"


def later(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """The target's clock goes so many days ahead of the machine's."""
    now = type(pipeline.target).now
    ahead = timedelta(days=days)
    shifted: Any = lambda target, connection: now(target, connection) + ahead  # noqa: E731
    monkeypatch.setattr(type(pipeline.target), "now", shifted)


def day(pipeline: Pipeline, *values: int, **options: Any) -> None:
    pipeline.source.table(TABLE, COLUMNS, [(key, value) for key, value in enumerate(values)])
    pipeline.load(TABLE, **options)


def ended(pipeline: Pipeline) -> int:
    [(count,)] = pipeline.query('SELECT count(*) FROM {stage} WHERE "_cdc_is_current" = {false}', TABLE)
    return int(count)


def purged(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    like = """WHERE "EventType" = 'CLEANUP' AND "Message" LIKE 'retention%' ORDER BY "BatchId" """
    return pipeline.query(f'SELECT "TableName", "RowsDeleted", "Message" FROM {{ops}}."PipelineEventLog" {like}')


def test_old_stage_rows_go_once_a_day_and_bronze_keeps_everything(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    day(pipeline, 1, 1, 1)
    day(pipeline, 2, 2)  # two updates and a delete, with its event
    bronze = pipeline.dump("bronze", TABLE)
    with monkeypatch.context() as patch:
        later(pipeline, patch, 80)
        day(pipeline, 3, 2)
        assert (ended(pipeline), purged(pipeline)) == (5, [])
    later(pipeline, monkeypatch, 100)
    day(pipeline, 3, 2, dry_run=True)
    day(pipeline, 3, 2, retention_stage_days=0)
    assert ended(pipeline) == 5
    current = [row for row in pipeline.dump("stage", TABLE) if row["_cdc_is_current"]]
    day(pipeline, 3, 2)
    assert (ended(pipeline), purged(pipeline)) == (1, [(TABLE, 4, "retention")])
    assert [row for row in pipeline.dump("stage", TABLE) if row["_cdc_is_current"]] == current
    kept = {row["_scd2_key"] for row in bronze} - {row["_scd2_key"] for row in pipeline.dump("bronze", TABLE)}
    assert kept == set()
    pipeline.query('UPDATE {ops}."PipelineEventLog" SET "StartedAt" = :now WHERE "Message" = \'retention\'', now=_now(pipeline))
    day(pipeline, 3, 2)
    assert len(purged(pipeline)) == 1


def _now(pipeline: Pipeline) -> datetime:
    with pipeline.target.engine.connect() as connection:
        return pipeline.target.now(connection)


def test_what_bronze_lacks_is_kept_however_old(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    day(pipeline, 1)
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.promoting.run_scd2_targeted", killed)
        pipeline.source.table(TABLE, COLUMNS, [(0, 2)])
        pipeline.fail(TABLE)
        later(pipeline, patch, 100)
        pipeline.run_tables(TABLE, run_all=_only_purge)
        assert ended(pipeline) == 1
    later(pipeline, monkeypatch, 100)
    day(pipeline, 2)
    assert ended(pipeline) == 0
    assert sorted(row["V"] for row in pipeline.dump("bronze", TABLE)) == [1, 2]


def _only_purge(run: Any, configs: Any) -> Any:
    for config in configs:
        with table_context(config.source, config.table):
            orchestration.retention.purge_stage(run, config)
    return []


def test_a_first_purge_ends_in_time_and_goes_on_the_next_time(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    day(pipeline, *[1] * 10)
    day(pipeline, *[2] * 10)
    later(pipeline, monkeypatch, 100)
    monkeypatch.setattr(orchestration.retention, "SECONDS", 0.0)
    monkeypatch.setattr("data_load.purging.purge.__defaults__", (lambda: None, 4))
    left = []
    for _ in range(3):
        day(pipeline, *[2] * 10)
        left.append(ended(pipeline))
    assert left == [6, 2, 0]


def test_old_lines_and_events_of_ops_go_with_a_run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    day(pipeline, 1)
    log, events = (pipeline.target.own(table) for table in (ops.PIPELINE_LOG, ops.PIPELINE_EVENT_LOG))
    about = {"BatchId": 0, "LoggerName": "udm", "Message": "old"}
    now = _now(pipeline)
    with pipeline.target.recorder.begin() as connection:
        for number, (level, days) in enumerate([("INFO", 91), ("INFO", 89), ("ERROR", 364), ("ERROR", 366)]):
            line = {**about, "LogNumber": number, "LogLevel": level, "LoggedAt": now - timedelta(days=days)}
            connection.execute(log.insert().values(line))
        first = events.update().values(StartedAt=now - timedelta(days=366)).where(events.c.EventType == "EXTRACT")
        connection.execute(first)
    list_tables(pipeline, TABLE)
    assert command_of(pipeline, monkeypatch, tmp_path)() == 0
    lines = pipeline.query('SELECT "LogNumber" FROM {ops}."PipelineLog" WHERE "Message" = \'old\' ORDER BY "LogNumber"')
    assert lines == [(1,), (2,)]
    assert purged(pipeline) == [("ops", 3, "retention")]
