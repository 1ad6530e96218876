"""Large tables as their users load them: the sample by the README's command, and runs that are killed for real."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.acceptance.harness import LARGE, configure, environment, execute, next_day, query, run

DAYS = 12


def differences(data: Path, source: Path, table: str = "OSIBANK.RTXN", stored: str = "DNA.RTXN_scd2_python") -> tuple[int, int]:
    """Rows of the source that Bronze does not show as active, and active ones that the source does not have."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
        connection.execute(f"ATTACH '{data / 'UDM_Bronze.duckdb'}' AS bronze (READ_ONLY)")
        columns = connection.execute(f"DESCRIBE source.{table}").fetchall()
        names = ", ".join(f'"{row[0]}"' for row in columns)
        theirs, ours = (
            f"SELECT {names} FROM source.{table}",
            f"SELECT {names} FROM bronze.{stored} WHERE UdmActiveFlag",
        )
        lost, extra = (f"SELECT count(*) FROM ({one} EXCEPT ALL {other})" for one, other in ((theirs, ours), (ours, theirs)))
        return connection.execute(lost).fetchall()[0][0], connection.execute(extra).fetchall()[0][0]


def test_the_sample_is_loaded_day_by_day_and_moves_on(tmp_path: Path) -> None:
    first = run(tmp_path, "--table", "RTXN", "--source", "DNA", program=LARGE)
    assert first.status == 0, first.text
    row = first.summary["DNA.RTXN"]
    assert (row["days planned"], row["failed"], row["skipped"]) == (row["done"], "0", "0")
    assert first.counts("DNA.RTXN")[:2] == (90_000, 90_000)
    source, data = tmp_path / "udm_data" / "sources" / "DNA.duckdb", tmp_path / "udm_data"
    assert differences(data, source) == (0, 0)
    second = run(tmp_path, program=LARGE)
    second.line("Nothing changed since the last run.")
    assert int(second.summary["DNA.RTXN"]["days planned"]) == 10
    next_day(tmp_path)
    third = run(tmp_path, program=LARGE)
    assert third.status == 0
    _, inserted, updated, deleted, _, _ = third.counts("DNA.RTXN")
    assert (inserted, updated > 0, deleted > 0) == (1_000, True, True)
    assert differences(data, source) == (0, 0)
    planned = run(tmp_path, "--from", "2020-01-01", "--to", "2020-01-02", program=LARGE)
    assert planned.status == 1
    planned.line("holds no day of the table")
    listed = run(tmp_path, "--list-tables", program=LARGE)
    listed.line("DNA", "RTXN", "POSTDATE", "8 days from", "rows without a date")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "yesterday"), "'yesterday' is no day"),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "--from 2026-02-02 is after --to 2026-02-01"),
    ],
)
def test_a_wrong_range_is_a_wrong_command(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    outcome = run(tmp_path, *arguments, program=LARGE)
    assert outcome.status == 2
    assert said in outcome.text


def test_runs_that_are_killed_resume_and_end_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """SIGKILL at moments spread over a first load of twelve days, again and again until one run comes through."""
    source = tmp_path / "erp.duckdb"
    first = date.today() - timedelta(days=DAYS - 1)  # noqa: DTZ011 - the pipeline's own day
    execute(
        source,
        "CREATE TABLE DEAL (ID INTEGER PRIMARY KEY, D DATE, V VARCHAR)",
        f"INSERT INTO DEAL SELECT i, DATE '{first}' + (i % {DAYS})::INTEGER, 'v' || i FROM range(3000) s(i)",
    )
    warehouse = configure(tmp_path, {"ERP": source})
    assert run(tmp_path, "--list-tables", program=LARGE).status == 0
    execute(
        warehouse / "General.duckdb",
        "INSERT INTO dbo.UdmTablesList (SourceName, SourceObjectName, SourceAggregateColumnName, FirstLoadDate, StageLoadTool) "
        f"VALUES ('ERP', 'DEAL', 'D', DATE '{first}', 'Python')",
    )
    kills = 0
    chance = random.Random(1)
    for patience in (0.4, 0.5, 0.6, 0.7, 0.9, 1.1, 1.4, 2.0, 2.5):
        kills += _killed_after(tmp_path, patience + chance.random() / 8)
    assert kills, "none was killed: no run took so long"
    last = run(tmp_path, program=LARGE)
    assert last.status == 0, last.text
    assert differences(warehouse, source, "DEAL", "ERP.DEAL_scd2_python") == (0, 0)
    [(versions,)] = query(warehouse / "UDM_Bronze.duckdb", "SELECT count(*) FROM ERP.DEAL_scd2_python")
    assert versions == 3000
    again = run(tmp_path, program=LARGE)
    again.line("Nothing changed since the last run.")
    left = "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, '_staging_')"
    assert query(warehouse / "UDM_Stage.duckdb", left) == []


def _killed_after(folder: Path, seconds: float) -> bool:
    command = [sys.executable, str(LARGE), "--no-progress"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=nowhere, stderr=nowhere) as process:
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
    return not ended
