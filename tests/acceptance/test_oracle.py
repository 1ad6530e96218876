"""The small tables' command as a process, reading through Oracle's driver from a stand-in that speaks Oracle's protocol."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.acceptance.harness import configure, execute, run, running
from tests.contract.test_oracle_extractor import ID, Database
from tests.oracle_stand_in import NUMBER, PASSWORD, VARCHAR, Rows, StandIn, oracle_number

NAME = ("NAME", "VARCHAR2", None, 40, None, None, 40, "Y")


def rows(*names: str) -> Rows:
    sent = [[oracle_number(place), name.encode() or None] for place, name in enumerate(names)]
    return Rows(columns=[("C0", NUMBER), ("C1", VARCHAR)], batches=[sent])


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(answer=Database([ID, NAME], rows())) as found:
        yield found


def prepared(folder: Path, server: StandIn) -> Path:
    warehouse = configure(folder, {"DNA": server.url})
    assert run(folder, "--list-tables").status == 0
    execute(
        warehouse / "General.duckdb",
        "INSERT INTO dbo.UdmTablesList (SourceName, SourceSchemaName, SourceObjectName, StageLoadTool)"
        " VALUES ('DNA', 'OSIBANK', 'ACCT', 'Python')",
    )
    return warehouse


def test_two_days_of_a_table_become_its_history(tmp_path: Path, server: StandIn) -> None:
    warehouse = prepared(tmp_path, server)
    server.answer = Database([ID, NAME], rows("first", "", "third"))
    assert run(tmp_path).counts("DNA.ACCT")[:4] == (3, 3, 0, 0)
    assert run(tmp_path).counts("DNA.ACCT")[:5] == (3, 0, 0, 0, 3)
    server.answer = Database([ID, NAME], rows("first", "second"))
    outcome = run(tmp_path)
    assert outcome.status == 0
    assert outcome.counts("DNA.ACCT")[:4] == (2, 0, 1, 1)
    with duckdb.connect(str(warehouse / "UDM_Bronze.duckdb"), read_only=True) as bronze:
        found = bronze.execute(
            "SELECT ID, NAME, UdmScd2Operation FROM DNA.ACCT_scd2_python ORDER BY ID, UdmEffectiveDateTime"
        ).fetchall()
    assert found == [(0, "first", "I"), (1, None, "I"), (1, "second", "U"), (2, "third", "D")]


def test_a_read_that_ends_early_changes_nothing_and_shows_no_password(tmp_path: Path, server: StandIn) -> None:
    warehouse = prepared(tmp_path, server)
    server.answer = Database([ID, NAME], rows("first", "second"), count=3)
    outcome = run(tmp_path)
    assert outcome.status == 1
    assert outcome.line("counted 3 rows and delivered 2")
    assert PASSWORD not in outcome.text
    with duckdb.connect(str(warehouse / "UDM_Stage.duckdb"), read_only=True) as stage:
        assert stage.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'ACCT%'").fetchall() == [(0,)]


def test_ctrl_c_breaks_the_statement_that_runs(tmp_path: Path, server: StandIn) -> None:
    prepared(tmp_path, server)
    database = Database([ID, NAME], rows("first"))
    database.answers["SELECT COUNT(*)"] = [Rows(waits=True)]
    server.answer = database
    with running(tmp_path) as command:
        assert server.waiting.wait(60)
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(30) == 130
