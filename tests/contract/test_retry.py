"""What fails for a reason that may pass is tried again, at a transaction's boundary, and never applied twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from connections import open_target
from connections.target import Target
from model.errors import Interrupted, PipelineError, SourceRefused, SourceUnavailable, TransientError
from orchestration.cancellation import Cancellation
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from tests.contract.command import command_of, list_tables
from tests.contract.conftest import Records
from tests.contract.days import COLUMNS, TABLE
from tests.contract.faults import SECRET, Faults, after, connection_lost, deadlock, refused
from tests.contract.pipeline import Pipeline, Row
from tests.contract.test_healing import published
from tests.contract.test_invariant_kill import STRIDE_IN_CHUNKS, state

BEFORE: list[Row] = [(1, "stays", 1), (2, "before", 2), (3, "goes", 3)]
AFTER: list[Row] = [(1, "stays", 1), (2, "after", 2), (4, "three", 4), (4, "in", 5), (4, "conflict", 6), (7, "new", 7)]
KEYLESS = COLUMNS.replace(" PRIMARY KEY", "")
BOTH = pytest.mark.parametrize("error", [deadlock, connection_lost])


@pytest.fixture
def faults(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(pipeline.target, monkeypatch)


@pytest.fixture(autouse=True)
def no_waiting(pipeline: Pipeline) -> None:
    object.__setattr__(pipeline.settings, "retry_seconds", 0.0)


def first_day(pipeline: Pipeline, table: str) -> None:
    pipeline.set_key(table, "ID")
    pipeline.source.table(table, KEYLESS, BEFORE)
    pipeline.load(table)
    pipeline.source.table(table, KEYLESS, AFTER)


def undisturbed(pipeline: Pipeline, **settings: Any) -> list[list[str]]:
    first_day(pipeline, "WHOLE")
    counts(pipeline.load("WHOLE", **settings))
    return state(pipeline, "WHOLE")


def counts(result: TableResult) -> None:
    found = (result.inserted, result.updated, result.deleted, result.unchanged, result.quarantined)
    assert found == (1, 1, 1, 1, 3)


def check_exact(pipeline: Pipeline, table: str, expected: list[list[str]]) -> None:
    """As undisturbed: the layers, one marker and one announcement a batch, each event, log line and quarantined row once."""
    assert state(pipeline, table) == expected
    about: dict[str, Any] = {"name": table, "batch": pipeline.batch}
    for name, times in (("{stage_ops}", 1), ("{bronze_ops}", 1)):
        query = f'SELECT count(*) FROM {name}."PromotionMarker" WHERE "TableName" = :name AND "BatchId" = :batch'
        assert pipeline.query(query, **about) == [(times,)]
    for name, times in (("TablePublished", 1), ("Quarantine", 3)):
        query = f'SELECT count(*) FROM {{ops}}."{name}" WHERE "TableName" = :name AND "BatchId" = :batch'
        assert pipeline.query(query, **about) == [(times,)], name
    query = 'SELECT "EventNumber" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch'
    numbers = [number for (number,) in pipeline.query(query, batch=pipeline.batch)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert pipeline.staging_tables() == []
    assert pipeline.load(table).changed == 0


def steps(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    query = 'SELECT "EventType", "Status" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch ORDER BY "EventNumber"'
    return pipeline.query(query, batch=pipeline.batch)


def times(pipeline: Pipeline, step: str) -> int:
    return sum(name == step for name, _ in steps(pipeline))


@BOTH
def test_a_fault_at_any_statement_and_round_any_commit_ends_as_an_undisturbed_run(
    pipeline: Pipeline, faults: Faults, error: Callable[[], Exception]
) -> None:
    """Never again: a retry that loads twice."""
    expected = undisturbed(pipeline)
    number, reached = 3, True  # the first three draw the batch, which here the test does
    while reached:
        number += STRIDE_IN_CHUNKS
        table = f"ACCT{number}"
        first_day(pipeline, table)
        with faults.at_number(number, error):
            result = pipeline.run_table(table, max_tx_rows=2)
            where = f"point {number}: {faults.seen[min(number, len(faults.seen)) - 1]}"
            reached = len(faults.seen) >= number
        assert result.status == "SUCCESS", f"{where}: {result.message}"
        counts(result)
        try:
            check_exact(pipeline, table, expected)
        except AssertionError as wrong:
            raise AssertionError(where) from wrong
    assert number > 40


def test_a_deadlock_is_tried_again_on_the_same_session_and_nothing_is_extracted_again(
    pipeline: Pipeline, faults: Faults, logged: Records
) -> None:
    expected = undisturbed(pipeline)
    first_day(pipeline, TABLE)
    with faults.at(lambda point: point.startswith("UPDATE") and "_cdc_" in point, deadlock, times=2):
        pipeline.load(TABLE)
    assert (times(pipeline, "EXTRACT"), times(pipeline, "BCP_LOAD"), times(pipeline, "CDC_PROMOTION")) == (1, 1, 1)
    check_exact(pipeline, TABLE, expected)
    lines = [message for message in logged.messages(30) if "attempt" in message]
    assert [line.partition("the next one")[0] for line in lines] == [
        f"DNA.{TABLE}: CDC_PROMOTION failed (OperationalError 40P01): attempt {number} of 3; " for number in (1, 2)
    ]
    assert not any(SECRET in message for message in logged.messages(30))


@pytest.mark.parametrize("database", ["stage", "bronze"])
def test_a_commit_whose_answer_was_lost_is_decided_by_the_marker(
    pipeline: Pipeline, faults: Faults, database: str, logged: Records
) -> None:
    expected = undisturbed(pipeline)
    first_day(pipeline, TABLE)
    there = getattr(pipeline.target.databases, database)
    with faults.at(after("COMMIT, after", "INSERT INTO", "PromotionMarker", there), deadlock):
        pipeline.load(TABLE, retry_attempts=1)
    assert any("its marker says that it is in" in message for message in logged.messages(30))
    assert times(pipeline, "EXTRACT") == 1
    check_exact(pipeline, TABLE, expected)


@pytest.mark.parametrize(("point", "extracts"), [("COMMIT, before", 2), ("COMMIT, after", 1)])
def test_a_lost_session_starts_the_table_over_and_what_had_got_through_is_not_extracted_again(
    pipeline: Pipeline, faults: Faults, point: str, extracts: int
) -> None:
    expected = undisturbed(pipeline)
    first_day(pipeline, TABLE)
    stage = pipeline.target.databases.stage
    with faults.at(after(point, "INSERT INTO", "PromotionMarker", stage), connection_lost):
        counts(pipeline.load(TABLE))
    assert times(pipeline, "EXTRACT") == extracts
    assert steps(pipeline)[-1] == ("TABLE_TOTAL", "SUCCESS")
    [(message,)] = pipeline.query('SELECT "Message" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch '
                                  'AND "EventType" = \'TABLE_TOTAL\'', batch=pipeline.batch)  # fmt: skip
    assert message == "attempt 2"
    check_exact(pipeline, TABLE, expected)


def test_a_lost_session_that_another_run_gets_the_lock_of_is_skipped(
    pipeline: Pipeline, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_day(pipeline, TABLE)
    with ExitStack() as other:

        def taken(*_: Any) -> None:
            other.enter_context(pipeline.target.lock_table("dna", TABLE.casefold()))

        monkeypatch.setattr(Cancellation, "wait", taken)
        with faults.at(lambda point: "_cdc_" in point and point.startswith("UPDATE"), connection_lost):
            result = pipeline.run_table(TABLE)
    assert result.status == "SKIPPED"
    monkeypatch.undo()
    assert pipeline.load(TABLE).changed == 3


@BOTH
def test_attempts_that_are_exhausted_fail_the_table_with_the_last_error_and_their_number(
    pipeline: Pipeline, faults: Faults, error: Callable[[], Exception], logged: Records
) -> None:
    first_day(pipeline, TABLE)
    before = pipeline.dumps(TABLE)
    with faults.at(lambda point: "_cdc_" in point and point.startswith("UPDATE"), error, times=4):
        message = pipeline.fail(TABLE, retry_attempts=4)
    assert "failed 4 times" in message
    assert "OperationalError" in message
    assert pipeline.dumps(TABLE) == before
    assert sum("attempt" in line for line in logged.messages(30)) == 3
    assert steps(pipeline)[-1] == ("TABLE_TOTAL", "FAILED")
    assert pipeline.load(TABLE).changed == 3


@BOTH
def test_one_attempt_means_none_again(pipeline: Pipeline, faults: Faults, error: Callable[[], Exception]) -> None:
    first_day(pipeline, TABLE)
    with faults.at(lambda point: "_cdc_" in point and point.startswith("UPDATE"), error):
        assert "times" not in pipeline.fail(TABLE, retry_attempts=1)


def test_what_a_person_has_to_change_fails_at_once(pipeline: Pipeline, faults: Faults, logged: Records) -> None:
    first_day(pipeline, TABLE)
    with faults.at(lambda point: "_cdc_" in point and point.startswith("UPDATE"), refused):
        pipeline.fail(TABLE)
    assert not any("attempt" in line for line in logged.messages(30))
    assert times(pipeline, "EXTRACT") == 1


@pytest.mark.parametrize(("error", "extracts"), [(SourceUnavailable, 3), (SourceRefused, 1)])
def test_only_the_extract_starts_over_where_a_source_does_not_answer_and_nothing_where_it_refuses(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, error: type[PipelineError], extracts: int
) -> None:
    def unavailable(*_: Any) -> None:
        raise error("gone")

    monkeypatch.setattr("orchestration.extraction.open_extractor", unavailable)
    pipeline.fail(TABLE, retry_seconds=0.0, retry_attempts=3)
    assert (times(pipeline, "EXTRACT"), times(pipeline, "TABLE_TOTAL")) == (extracts, 1)


def test_a_lock_that_is_lost_between_two_transactions_starts_the_table_over(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the server targets report it: an error of ours, raised where a transaction begins."""
    expected = undisturbed(pipeline)
    first_day(pipeline, TABLE)
    lost = iter([False, True])

    class Session:
        def __init__(self, session: Any) -> None:
            self._session = session

        @contextmanager
        def begin(self) -> Iterator[Any]:
            if next(lost, False):
                raise TransientError("The session that held the table's lock was lost.")
            with self._session.begin() as connection:
                yield connection

    lock_table = pipeline.target.lock_table

    @contextmanager
    def locked(source: str, table: str) -> Iterator[Any]:
        with lock_table(source, table) as session:
            yield Session(session)

    monkeypatch.setattr(pipeline.target, "lock_table", locked)
    counts(pipeline.load(TABLE))
    check_exact(pipeline, TABLE, expected)


def test_an_interrupt_during_the_wait_ends_the_run_at_once(
    pipeline: Pipeline, faults: Faults, logged: Records
) -> None:
    first_day(pipeline, TABLE)
    runs: list[RunContext] = []

    def interrupt() -> None:
        runs[0].cancellation.request()

    timer = threading.Timer(0.3, interrupt)

    def deadlock_and_interrupt() -> Exception:
        timer.start()  # from here on, however long a busy machine took to come here
        return deadlock()

    started = time.monotonic()
    with faults.at(lambda point: "_cdc_" in point and point.startswith("UPDATE"), deadlock_and_interrupt):
        result = pipeline.run_table(TABLE, retry_seconds=100.0, around=runs.append)
    timer.join()
    assert time.monotonic() - started < 20
    assert "interrupted" in result.message
    assert any(record.exc_info and isinstance(record.exc_info[1], Interrupted) for record in logged.records)
    assert pipeline.load(TABLE).changed == 3


@BOTH
@pytest.mark.parametrize("point", ["COMMIT, before", "COMMIT, after"])
@pytest.mark.parametrize("table", ["PipelineEventLog", "PipelineLog", "PipelineBatchSequence"])
def test_ops_are_written_once_although_a_write_failed(
    pipeline: Pipeline,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    error: Callable[[], Exception],
    point: str,
    table: str,
) -> None:
    pipeline.source.table(TABLE, COLUMNS, BEFORE)
    list_tables(pipeline, TABLE)
    monkeypatch.setenv("RETRY_SECONDS", "0")
    opened: list[Faults] = []

    def open_faulty(*arguments: Any, **options: Any) -> Target:
        target = open_target(*arguments, **options)
        opened.append(Faults(target, monkeypatch))
        opened[0].arm(after(point, "INSERT INTO", table), error)
        return target

    monkeypatch.setattr("orchestration.command.open_target", open_faulty)
    assert command_of(pipeline, monkeypatch, tmp_path)() == 0
    assert opened[0].left == 0
    number = {"PipelineEventLog": "EventNumber", "PipelineLog": "LogNumber", "PipelineBatchSequence": "BatchId"}[table]
    numbers = sorted(value for (value,) in pipeline.query(f'SELECT "{number}" FROM {{ops}}."{table}"'))
    assert len(numbers) == len(set(numbers)) > 0
    [(ended,)] = pipeline.query('SELECT "ExitStatus" FROM {ops}."PipelineBatchSequence"')
    assert ended == 0
    assert published(pipeline)
