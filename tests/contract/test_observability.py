"""Events: one row a step and table in PipelineEventLog, also of what failed; nothing that could not be written is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from model.control import CONTROL
from model.ops import OPS
from tests.contract.command import Command, command_of, list_tables
from tests.contract.days import COLUMNS, DAYS, TABLE
from tests.contract.pipeline import Pipeline

STEPS = ["EXTRACT", "BCP_LOAD", "CDC_PROMOTION", "SCD2_PROMOTION", "CLEANUP", "TABLE_TOTAL"]
COUNTS = '"RowsExtracted", "RowsInserted", "RowsUpdated", "RowsDeleted", "RowsUnchanged", "RowsQuarantined", "RowsDuplicate"'


@pytest.fixture
def command(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    list_tables(pipeline, TABLE)
    return command_of(pipeline, monkeypatch, tmp_path)


def steps(pipeline: Pipeline, columns: str = '"Status"') -> list[tuple[Any, ...]]:
    query = f'SELECT "EventType", {columns} FROM {{ops}}."PipelineEventLog" WHERE "BatchId" = :batch ORDER BY "EventNumber"'
    return pipeline.query(query, batch=pipeline.batch)


def load(pipeline: Pipeline, day: int) -> None:
    pipeline.source.table(TABLE, COLUMNS, DAYS[day - 1])
    pipeline.load(TABLE)


def test_a_run_with_changes_leaves_one_event_a_step(pipeline: Pipeline) -> None:
    load(pipeline, 1)
    assert steps(pipeline) == [(step, "SUCCESS") for step in STEPS]


def test_a_run_without_changes_has_no_load_and_no_promotion(pipeline: Pipeline) -> None:
    load(pipeline, 1)
    load(pipeline, 1)
    assert steps(pipeline) == [("EXTRACT", "SUCCESS"), ("TABLE_TOTAL", "SUCCESS")]


def test_events_count_the_rows_of_their_step(pipeline: Pipeline) -> None:
    load(pipeline, 1)
    load(pipeline, 2)
    expected = {
        "EXTRACT": (3, None, None, None, 1, 0, 0),
        "BCP_LOAD": (None, 5, None, None, None, None, None),
        "CDC_PROMOTION": (None, 1, 1, 3, None, None, None),
        "SCD2_PROMOTION": (None, 1, 1, 3, None, None, None),
        "CLEANUP": (None,) * 7,
        "TABLE_TOTAL": (3, 1, 1, 3, 1, 0, 0),
    }
    assert {step: tuple(counts) for step, *counts in steps(pipeline, COUNTS)} == expected


def test_events_have_a_number_a_source_a_table_and_times_that_fit(pipeline: Pipeline) -> None:
    load(pipeline, 1)
    rows = steps(pipeline, '"EventNumber", "SourceName", "TableName", "StartedAt", "EndedAt", "DurationMs"')
    assert [number for _, number, *_ in rows] == list(range(1, len(STEPS) + 1))
    for _, _, source, table, started, ended, milliseconds in rows:
        assert (source, table) == ("DNA", TABLE)
        assert milliseconds == round((ended - started).total_seconds() * 1000)
    *inner, total = rows
    assert all(total[4] <= started and ended <= total[5] for _, _, _, _, started, ended, _ in inner)


def test_a_forced_run_is_marked(pipeline: Pipeline) -> None:
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    pipeline.load(TABLE, force=True)
    assert ("TABLE_TOTAL", True) in steps(pipeline, '"IsForced"')


def test_events_of_several_tables_keep_apart(pipeline: Pipeline) -> None:
    tables = [f"T{number}" for number in range(4)]
    for table in tables:
        pipeline.source.table(table, COLUMNS, DAYS[0])
    pipeline.run_tables(*tables, workers=3)
    rows = steps(pipeline, '"TableName", "EventNumber"')
    assert sorted((table, step) for step, table, _ in rows) == sorted((table, step) for table in tables for step in STEPS)
    assert len({number for *_, number in rows}) == len(rows)


def test_events_that_could_not_be_written_at_first_are_written_at_the_end(pipeline: Pipeline) -> None:
    failures = [RuntimeError("no space"), None]

    def fail_once(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "PipelineEventLog" in statement and failures and (error := failures.pop(0)):
            raise error

    sa.event.listen(pipeline.target.recorder, "before_cursor_execute", fail_once)
    load(pipeline, 1)
    assert steps(pipeline) == [(step, "SUCCESS") for step in STEPS]


@pytest.mark.parametrize("table", ["PipelineEventLog", "PipelineLog", "TablePublished", "PipelineBatchSequence"])
def test_a_run_whose_ops_cannot_be_written_says_so_and_fails(
    pipeline: Pipeline, command: Command, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    """Invariant 8: no error is swallowed."""
    pipeline.refuse_rows(table)
    assert command() == 1
    err = capsys.readouterr().err
    assert table in err
    assert "refused" in err.lower()


def test_a_run_that_succeeds_leaves_a_batch_with_its_process_and_exit_status(pipeline: Pipeline, command: Command) -> None:
    assert command("--table", TABLE) == 0
    query = 'SELECT "BatchId", "ExitStatus", "StartedAt", "EndedAt", "Command" FROM {ops}."PipelineBatchSequence"'
    [(batch, status, started, ended, text)] = pipeline.query(query)
    assert status == 0
    assert started <= ended
    assert TABLE in text
    assert {row["_batch_id"] for row in pipeline.dump("bronze", TABLE)} == {batch}


def test_a_run_with_a_failed_table_leaves_exit_status_1(pipeline: Pipeline, command: Command) -> None:
    list_tables(pipeline, "NO_SUCH_TABLE")
    assert command() == 1
    assert pipeline.query('SELECT "ExitStatus" FROM {ops}."PipelineBatchSequence"') == [(1,)]
    assert len(pipeline.dump("bronze", TABLE)) == len(DAYS[0])


def everything(pipeline: Pipeline) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of General, and the layers of the one table."""
    tables = [table for metadata in (OPS, CONTROL) for table in metadata.sorted_tables]
    rows = {table.name: pipeline.query(f'SELECT * FROM {{{table.schema}}}."{table.name}"') for table in tables}
    return rows | {layer: [tuple(row.items()) for row in pipeline.dump(layer, TABLE)] for layer in ("stage", "bronze")}


@pytest.mark.parametrize("day", [1, 2])
def test_a_dry_run_reports_and_writes_nothing_at_all(
    pipeline: Pipeline, command: Command, capsys: pytest.CaptureFixture[str], day: int
) -> None:
    if day == 2:
        command()
        pipeline.source.table(TABLE, f"{COLUMNS}, NEW INTEGER", [(*row, None) for row in DAYS[1]])
    before = everything(pipeline)
    capsys.readouterr()
    assert command("--dry-run") == 0
    assert "Dry run" in capsys.readouterr().out
    assert everything(pipeline) == before
    assert pipeline.staging_tables() == []
