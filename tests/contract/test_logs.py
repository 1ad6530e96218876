"""The narrative: rows in PipelineLog and lines on standard error, with their table in context and no customer's value in them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from observability.context import step_context, table_context
from observability.log_handler import JsonFormatter, SqlServerLogHandler
from tests.contract.command import Command, command_of, list_tables, own_logging
from tests.contract.pipeline import Pipeline

LOG = logging.getLogger("udm.test")
# Their digits are so many that no instant, batch or process shows them by chance.
SECRET = "Hildegard Knef 081547110815"
SECRET_NUMBER = 8_154_711_081_500_000
BATCHED = 200


def log_rows(pipeline: Pipeline, columns: str) -> list[tuple[Any, ...]]:
    return pipeline.query(f'SELECT {columns} FROM {{ops}}."PipelineLog" ORDER BY "BatchId", "LogNumber"')


@pytest.fixture
def handler(pipeline: Pipeline) -> Iterator[SqlServerLogHandler]:
    """What the command attaches to the pipeline's logger for a run."""
    with own_logging():
        logger = logging.getLogger("udm")
        logger.setLevel(logging.DEBUG)
        attached = SqlServerLogHandler(pipeline.target, 1)
        logger.addHandler(attached)
        yield attached


@pytest.fixture
def command(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    pipeline.source.table("ACCT", "ID INTEGER, V INTEGER", [(1, 1), (1, 1), (None, 2)])
    pipeline.set_key("ACCT", "ID")
    list_tables(pipeline, "ACCT", "NO_SUCH_TABLE")
    return command_of(pipeline, monkeypatch, tmp_path)


def test_records_are_written_in_batches_and_the_rest_by_a_flush(pipeline: Pipeline, handler: SqlServerLogHandler) -> None:
    for number in range(BATCHED - 1):
        LOG.info("record %d", number)
    assert pipeline.query('SELECT count(*) FROM {ops}."PipelineLog"') == [(0,)]
    LOG.info("record %d", BATCHED - 1)
    assert pipeline.query('SELECT count(*) FROM {ops}."PipelineLog"') == [(BATCHED,)]
    LOG.info("the last")
    handler.flush()
    assert log_rows(pipeline, '"LogNumber", "Message"')[-1] == (BATCHED + 1, "the last")


def test_records_of_several_threads_are_all_written_once_with_their_own_context(
    pipeline: Pipeline, handler: SqlServerLogHandler
) -> None:
    def work(table: str) -> None:
        with table_context("DNA", table), step_context("EXTRACT"):
            for number in range(150):
                LOG.info("%s %d", table, number)

    threads = [threading.Thread(target=work, args=(f"T{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.flush()
    rows = log_rows(pipeline, '"LogNumber", "SourceName", "TableName", "EventType", "Message"')
    assert [number for number, *_ in rows] == list(range(1, 601))
    assert {(source, table, step, message.split()[0]) for _, source, table, step, message in rows} == {
        ("DNA", f"T{number}", "EXTRACT", f"T{number}") for number in range(4)
    }


def test_info_is_kept_and_debug_is_not(pipeline: Pipeline, handler: SqlServerLogHandler) -> None:
    LOG.debug("steps")
    LOG.info("outcome")
    handler.flush()
    assert log_rows(pipeline, '"LogLevel", "LoggerName", "Message"') == [("INFO", "udm.test", "outcome")]


def test_a_failed_table_is_logged_as_an_error_with_its_traceback_and_context(pipeline: Pipeline, command: Command) -> None:
    """Never again: errors logged at DEBUG and forgotten."""
    assert command() == 1
    rows = log_rows(pipeline, '"LogLevel", "SourceName", "TableName", "Message", "ExceptionText"')
    [(source, table, message, exception)] = [row[1:] for row in rows if row[0] == "ERROR"]
    assert (source, table) == ("DNA", "NO_SUCH_TABLE")
    assert "NO_SUCH_TABLE" in message
    assert "SourceTableMissing" in exception
    assert "Traceback" in exception
    assert {table for level, _, table, *_ in rows if level == "WARNING"} == {"ACCT"}


def test_json_output_is_one_object_a_line_and_nothing_else(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--log-format", "json") == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = [json.loads(line) for line in err.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    [failed] = [line for line in lines if line["level"] == "ERROR"]
    assert (failed["source"], failed["table"]) == ("DNA", "NO_SUCH_TABLE")
    [done] = [line for line in lines if line.get("event") == "table"]
    assert (done["table"], done["extracted"], done["inserted"], done["quarantined"]) == ("ACCT", 3, 1, 1)


def test_a_json_line_holds_newlines_quotes_and_emoji_in_one_line() -> None:
    record = LOG.makeRecord("udm", logging.INFO, "", 0, 'a\n"b"\t\x00 \N{GRINNING FACE} %s', ("\u2028",), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == 'a\n"b"\t\x00 \N{GRINNING FACE} \u2028'


def secret_tables(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tables that all fail or warn because of a customer's key or value, each in another place."""
    source, name = pipeline.source, SECRET.replace("'", "''")
    rows = f"(SELECT range AS ID, CASE range WHEN 9000 THEN '{name}' ELSE '1' END AS V FROM range(10000))"
    source.view("CONVERSION_LATE", f"SELECT ID, CAST(V AS INTEGER) AS V FROM {rows}")
    source.view("CONVERSION_EARLY", f"SELECT 1 AS ID, CAST('{name}' AS INTEGER) AS V")
    source.view("OUT_OF_RANGE", f"SELECT range AS ID, CAST(range + {SECRET_NUMBER} AS INTEGER) AS V FROM range(10000)")
    source.table("CONFLICT", "ID VARCHAR, V BIGINT", [(SECRET, SECRET_NUMBER), (SECRET, 2), (None, SECRET_NUMBER)])
    source.table("ALTERED", "ID VARCHAR PRIMARY KEY, V BIGINT", [(SECRET, SECRET_NUMBER)])
    source.table("REFUSED", "ID VARCHAR PRIMARY KEY, V BIGINT", [(SECRET, SECRET_NUMBER)])
    source.table("VANISHED", "ID VARCHAR PRIMARY KEY, V BIGINT", [(SECRET, SECRET_NUMBER)])
    for table in ("CONVERSION_LATE", "CONVERSION_EARLY", "OUT_OF_RANGE", "CONFLICT"):
        pipeline.set_key(table, "ID")
    pipeline.load("REFUSED")
    pipeline.query('UPDATE {stage} SET "_cdc_is_current" = {false}', "REFUSED")
    real = pipeline.target.bulk_load

    def bulk_load(connection: Any, name: Any, columns: Any, frames: Any) -> int:
        altered = (frame.with_columns(V=pl.col("V") + 1) if "ALTERED" in name.table else frame for frame in frames)
        return real(connection, name, columns, altered)

    monkeypatch.setattr(pipeline.target, "bulk_load", bulk_load)
    return ["CONVERSION_LATE", "CONVERSION_EARLY", "OUT_OF_RANGE", "CONFLICT", "ALTERED", "REFUSED", "VANISHED"]


def test_no_key_and_no_value_of_a_customer_is_in_any_log_row_event_or_message(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, handler: SqlServerLogHandler
) -> None:
    """Never again: PK values of customers in clear text in the log."""
    tables = secret_tables(pipeline, monkeypatch)
    results = {result.table: result for result in pipeline.run_tables(*tables)}
    pipeline.refuse_rows("Quarantine")
    unwritten = pipeline.run_table("CONFLICT")
    handler.flush()
    failed = {table for table, result in results.items() if result.status == "FAILED"}
    assert failed == {"CONVERSION_LATE", "CONVERSION_EARLY", "OUT_OF_RANGE", "ALTERED", "REFUSED"}
    assert unwritten.status == "FAILED"
    texts = [result.message for result in (*results.values(), unwritten)]
    texts += [str(row) for row in log_rows(pipeline, '"Message", "ExceptionText"')]
    texts += [str(row) for row in pipeline.query('SELECT * FROM {ops}."PipelineEventLog"')]
    everything = "\n".join(texts)
    assert len(everything) > 5_000
    for secret in (SECRET, *SECRET.split(), str(SECRET_NUMBER)[:10], SECRET.encode().hex()):
        assert secret not in everything, secret
