"""Ctrl-C, SIGTERM and a stopped process while a run is at work: it ends soon and cleanly, and a plain re-run ends right."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.harness import Outcome, Running, configure, execute, list_tables, run, running, wait_until
from tests.acceptance.history import check_invariants, ops

_ROWS = 400_000
_SOON = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose next run takes some seconds; the rows are spooled to disk."""
    folder = tmp_path_factory.mktemp("signals")
    source = folder / "erp.duckdb"
    execute(
        source,
        f"CREATE TABLE BIG AS SELECT i AS ID, md5(i::VARCHAR) AS A, md5((i + 1)::VARCHAR) AS B FROM range({_ROWS}) t(i)",
        "CREATE TABLE SMALL AS FROM BIG LIMIT 10",
    )
    settings = {"SPOOL_MB": "4", "SPOOL_DIR": str(folder / "spool"), "WORKERS": "1", "BATCH_ROWS": "50000"}
    warehouse = configure(folder, {"ERP": source}, **settings)
    assert run(folder, "--list-tables").status == 0
    list_tables(warehouse, "ERP.BIG", "ERP.SMALL")
    names = "(SourceName, TableName, ColumnName, IsPrimaryKey)"
    keys = "('ERP', 'BIG', 'ID', true), ('ERP', 'SMALL', 'ID', true)"
    execute(warehouse / "General.duckdb", f"INSERT INTO dbo.UdmTablesColumnsList {names} VALUES {keys}")
    return folder


def _interrupt(folder: Path, at: str, *signals: int) -> Outcome:
    """Start a run, send it the signals as soon as it says that it has entered a step, and wait for a clean end."""
    with running(folder, "-v") as command:
        command.wait_for(f"ERP.BIG: {at}")
        sent = time.monotonic()
        _send(command, signals)
        outcome = command.finish()
    assert time.monotonic() - sent < _SOON
    assert outcome.status == 128 + signals[0], outcome.text
    # An interrupted statement is no error of its own.
    assert "Traceback" not in outcome.text, outcome.text
    assert "Exception" not in outcome.text, outcome.text
    outcome.line("ERROR", "ERP.BIG", "interrupted")
    # The table after it was not begun, the rows on disk are gone.
    assert outcome.summary["ERP.SMALL"]["status"] == "FAILED"
    assert list((folder / "spool").glob("*")) == []
    _check_recorded(folder / "warehouse", outcome.status)
    return outcome


def _send(command: Running, signals: Sequence[int]) -> None:
    for number in signals:
        if not command.ended():
            command.process.send_signal(number)
            time.sleep(0.002)


def _check_recorded(warehouse: Path, status: int) -> None:
    """The run's end, and why its table failed."""
    last = "SELECT BatchId, ExitStatus FROM general.ops.PipelineBatchSequence ORDER BY BatchId DESC LIMIT 1"
    [(batch, ended)] = ops(warehouse, last)
    assert ended == status
    events = "SELECT Status, ErrorType, Message FROM general.ops.PipelineEventLog WHERE EventType = 'TABLE_TOTAL'"
    [(outcome, kind, message)] = ops(warehouse, f"{events} AND TableName = 'BIG' AND BatchId = {batch}")
    assert (outcome, kind) == ("FAILED", "Interrupted")
    assert "interrupted" in str(message)


def _rows(warehouse: Path, table: str) -> int:
    """The rows of a table that may not be there yet."""
    database, schema, name = table.split(".")
    exists = f"FROM duckdb_tables() WHERE (database_name, schema_name, table_name) = ('{database}', '{schema}', '{name}')"
    if not ops(warehouse, exists):
        return 0
    [(rows,)] = ops(warehouse, f"SELECT count(*) FROM {table}")
    assert isinstance(rows, int)
    return rows


def test_a_first_load_is_interrupted_in_each_step_and_then_ends_right(folder: Path) -> None:
    warehouse, source = folder / "warehouse", folder / "erp.duckdb"
    steps = (("EXTRACT", (signal.SIGINT,) * 100), ("BCP_LOAD", (signal.SIGTERM,)), ("CDC_PROMOTION", (signal.SIGINT,) * 100))
    for at, signals in steps:
        outcome = _interrupt(folder, at, *signals)
        # All or nothing; before its promotion nothing. A slow machine may have come further when the signal arrives.
        for layer, step in (("stage.ERP.BIG_cdc", "CDC_PROMOTION"), ("bronze.ERP.BIG_scd2_python", "SCD2_PROMOTION")):
            assert _rows(warehouse, layer) in ({0, _ROWS} if f"ERP.BIG: {step}" in outcome.text else {0}), outcome.text
    # A process that has come to a halt still holds the target.
    with running(folder, "-v") as halted:
        halted.wait_for("ERP.BIG: EXTRACT")
        halted.process.send_signal(signal.SIGSTOP)
        second = run(folder, "--table", "SMALL")
        halted.process.send_signal(signal.SIGCONT)
        outcome = halted.finish()
    assert second.status == 3
    second.line("SKIPPED", f"PID {halted.process.pid}")
    assert outcome.status == 0
    for table in ("BIG", "SMALL"):
        check_invariants(warehouse, "ERP", table, source)
    assert list((folder / "spool").glob("*")) == []

    # The next day: what is in Bronze stays as it is until a promotion is whole.
    execute(source, "UPDATE BIG SET A = 'changed' WHERE ID % 5 = 0", "DELETE FROM BIG WHERE ID % 11 = 1")
    deleted = len(range(1, _ROWS, 11))
    changed = len([key for key in range(0, _ROWS, 5) if key % 11 != 1])
    _interrupt(folder, "SCD2_PROMOTION", signal.SIGTERM, signal.SIGTERM)
    assert _rows(warehouse, "bronze.ERP.BIG_scd2_python") in {_ROWS, _ROWS + changed}
    again = run(folder)
    assert again.status == 0
    check_invariants(warehouse, "ERP", "BIG", source)
    closed = "SELECT count(*) FILTER (UdmScd2Operation = 'D'), count(*) FROM bronze.ERP.BIG_scd2_python WHERE NOT UdmActiveFlag"
    assert ops(warehouse, closed) == [(deleted, changed + deleted)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_the_samples_are_generated(tmp_path: Path, number: int) -> None:
    sources = tmp_path / "udm_data" / "sources"
    with running(tmp_path) as command:
        # DNA is the largest: most of the time DuckDB is at work on a statement.
        wait_until(lambda: any(sources.glob(".DNA*")), command.ended)
        command.process.send_signal(number)
        outcome = command.finish()
    assert outcome.status == 128 + number
    assert "Traceback" not in outcome.text
    outcome.line("ERROR", "interrupted")
    assert [file.name for file in sources.iterdir() if file.name.startswith(".")] == []


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what a process has loaded is told by Linux")
@pytest.mark.parametrize("loaded", ["_duckdb.", "_polars_runtime"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_modules_are_imported_in_two_threads(tmp_path: Path, number: int, loaded: str) -> None:
    with running(tmp_path) as command:
        maps = Path(f"/proc/{command.process.pid}/maps")
        wait_until(lambda: loaded in maps.read_text(encoding="utf-8"), command.ended)
        command.process.send_signal(number)
        outcome = command.finish()
    assert outcome.status == 128 + number
    assert outcome.text.splitlines() == ["Interrupted before anything was loaded."]
    assert list(tmp_path.glob("udm_data/*")) == []
