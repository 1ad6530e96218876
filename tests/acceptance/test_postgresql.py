"""The small tables' command as processes on a PostgreSQL server: held tables, kills, a crashing server, a reader beside it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.harness import configure, environment, execute, run, running
from tests.acceptance.test_kill import DRIVER
from tests.postgresql_server import postgresql_server

_NUMBERS = itertools.count(1)
_ROWS = 30_000
_BRONZE = """
SELECT "ID", "NAME", "AMOUNT", "UdmScd2Operation", "UdmActiveFlag", row_number() OVER w,
    CASE WHEN "UdmEndDateTime" IS NULL THEN 'open' WHEN lead("UdmEffectiveDateTime") OVER w IS NULL THEN 'closed'
         WHEN "UdmEndDateTime" = lead("UdmEffectiveDateTime") OVER w THEN 'meets' ELSE 'gap' END
FROM "UDM_Bronze.ERP"."DEAL_scd2_python" WINDOW w AS (PARTITION BY _key_hash ORDER BY "UdmEffectiveDateTime") ORDER BY 1, 6"""
_STAGE = """
SELECT "ID", "NAME", "AMOUNT", _cdc_operation, _cdc_is_current, row_number() OVER w
FROM "UDM_Stage.ERP"."DEAL_cdc"
WINDOW w AS (PARTITION BY _key_hash ORDER BY _cdc_valid_from, _cdc_operation <> 'D') ORDER BY 1, 6"""
_LEFT = "SELECT count(*) FROM pg_tables WHERE tablename LIKE '%staging%'"
_INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname LIKE 'UDM%ERP' ORDER BY 1"
_UNPUBLISHED = """
SELECT "BatchId" FROM "UDM_Stage.ops"."PromotionMarker" EXCEPT SELECT "BatchId" FROM "General.ops"."TablePublished" """
_ACTIVE = 'SELECT "ID", sum("UdmActiveFlag"::int) FROM "UDM_Bronze.ERP"."DEAL_scd2_python" WHERE "ID" < 100 GROUP BY 1'


class Warehouse:
    """A database of the tests' server and a folder whose `.env` names it."""

    def __init__(self, folder: Path, source: Path, template: str = "template0") -> None:
        server = postgresql_server()
        self.folder = folder
        self.database = f"acceptance_{os.getpid()}_{next(_NUMBERS)}"
        server.execute(f"CREATE DATABASE {self.database} TEMPLATE {template}")
        self.url = server.url.set(database=self.database).render_as_string(hide_password=False)
        settings = {"SPOOL_MB": "0", "SPOOL_DIR": str(folder / "spool"), "WORKERS": "1", "BATCH_ROWS": "20000"}
        configure(folder, {"ERP": source}, UDM_TARGET=self.url, **settings)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def history(self) -> list[list[tuple[Any, ...]]]:
        """What two runs can be compared by; nothing is left in staging, and all that is in Stage is published."""
        assert self.query(_LEFT) == [(0,)]
        assert self.query(_UNPUBLISHED) == []
        assert {count for _, count in self.query(_ACTIVE)} <= {0, 1}
        return [self.query(statement) for statement in (_STAGE, _BRONZE, _INDEXES)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("postgresql") / "erp.duckdb"
    rows = f"SELECT i AS ID, 'deal ' || i AS NAME, (i * 1.25)::DECIMAL(18,2) AS AMOUNT FROM range({_ROWS}) t(i)"
    execute(file, "CREATE TABLE DEAL (ID INTEGER PRIMARY KEY, NAME VARCHAR, AMOUNT DECIMAL(18,2))", f"INSERT INTO DEAL {rows}")
    return file


@pytest.fixture
def warehouse(tmp_path: Path, source: Path) -> Warehouse:
    """General created, DEAL listed, nothing loaded."""
    made = Warehouse(tmp_path / "run", source)
    assert run(made.folder, "--list-tables").status == 0
    columns = '"SourceName", "SourceObjectName", "StageLoadTool"'
    made.query(f"INSERT INTO \"General.dbo\".\"UdmTablesList\" ({columns}) VALUES ('ERP', 'DEAL', 'Python')")
    return made


@contextmanager
def next_day(source: Path) -> Iterator[None]:
    """The source one day later, and as it was afterwards."""
    execute(
        source,
        "CREATE TABLE BEFORE AS FROM DEAL",
        "UPDATE DEAL SET NAME = NAME || ' changed' WHERE ID % 3 = 0",
        "DELETE FROM DEAL WHERE ID % 100 = 7",
        f"INSERT INTO DEAL SELECT ID + {_ROWS}, NAME, AMOUNT FROM BEFORE WHERE ID < 50",
    )
    try:
        yield
    finally:
        execute(source, "DELETE FROM DEAL", "INSERT INTO DEAL FROM BEFORE", "DROP TABLE BEFORE")


def test_the_second_of_two_runs_is_skipped_with_exit_3_and_says_who_holds_the_table(warehouse: Warehouse) -> None:
    with running(warehouse.folder, "-v") as first:
        first.wait_for("ERP.DEAL: BCP_LOAD")
        first.process.send_signal(signal.SIGSTOP)
        second = run(warehouse.folder)
        first.process.send_signal(signal.SIGCONT)
        outcome = first.finish()
    assert second.status == 3, second.text
    second.line("SKIPPED")
    second.line("server process", "udm-pipeline")
    assert outcome.status == 0, outcome.text
    assert len(warehouse.history()[1]) == _ROWS
    skipped = 'SELECT count(*) FROM "General.ops"."PipelineEventLog" WHERE "Status" = \'SKIPPED\''
    assert warehouse.query(skipped) == [(1,)]


def test_a_reader_never_sees_a_key_without_or_with_two_active_versions(warehouse: Warehouse, source: Path) -> None:
    assert run(warehouse.folder).status == 0
    seen: set[int] = set()
    polls, stop = itertools.count(), threading.Event()

    def poll() -> None:
        with psycopg.connect(warehouse.url, autocommit=True) as connection:
            while not stop.is_set():
                seen.update(int(count) for _, count in connection.execute(_ACTIVE.encode()).fetchall())
                next(polls)

    with ThreadPoolExecutor(1) as pool:
        polling = pool.submit(poll)
        try:
            for _ in range(3):
                execute(source, "UPDATE DEAL SET AMOUNT = AMOUNT + 1 WHERE ID < 1000")
                assert run(warehouse.folder).counts("ERP.DEAL")[2] == 1000
        finally:
            stop.set()
            polling.result()
    assert next(polls) > 50
    assert seen == {1}


def _driven(folder: Path, fatal: int) -> tuple[int, list[str]]:
    record = folder / f"points_{fatal}.txt"
    command = [sys.executable, str(DRIVER), str(record), str(fatal)]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, timeout=120, check=False)
    return done.returncode, record.read_text().splitlines()


def _chosen(points: Sequence[str]) -> list[int]:
    """Some of the points at which a kill could do harm: in and after each load and promotion."""
    wanted = ("BULK LOAD, a frame", "BULK LOAD, after", 'INSERT INTO "UDM_', 'UPDATE "UDM_', "CALL settle")
    return [n for n, name in enumerate(points, 1) if name.startswith(wanted) or points[n - 2].startswith('INSERT INTO "UDM_')]


def test_killed_anywhere_and_run_again_ends_as_an_uninterrupted_run(warehouse: Warehouse, source: Path, tmp_path: Path) -> None:
    assert run(warehouse.folder).status == 0
    copies = itertools.count(1)

    def copy() -> Warehouse:
        return Warehouse(tmp_path / f"copy{next(copies)}", source, template=warehouse.database)

    with next_day(source):
        whole = copy()
        status, points = _driven(whole.folder, 0)
        assert status == 0
        wanted = whole.history()
        assert {row[3] for row in wanted[1]} == {"I", "U", "D"}
        chosen = _chosen(points)
        assert len(chosen) >= 12
        cases = [(number, copy()) for number in chosen[::3]]

        def killed(case: tuple[int, Warehouse]) -> None:
            number, here = case
            status, _ = _driven(here.folder, number)
            assert status == -signal.SIGKILL
            again = run(here.folder)
            assert again.status == 0, again.text

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(killed, cases))
    for number, here in cases:
        assert here.history() == wanted, points[number - 1]


@pytest.mark.parametrize("step", ["BCP_LOAD", "CDC_PROMOTION"])
def test_a_server_that_crashes_in_mid_run_costs_a_clean_failure_and_never_a_wrong_row(
    warehouse: Warehouse, source: Path, step: str
) -> None:
    assert run(warehouse.folder).status == 0
    with next_day(source):
        with running(warehouse.folder, "-v") as command:
            command.wait_for(f"ERP.DEAL: {step}")
            sessions = "application_name = 'udm-pipeline' AND datname = current_database()"
            [(pid, *_), *_] = warehouse.query(f"SELECT pid FROM pg_stat_activity WHERE {sessions}")
            os.kill(pid, signal.SIGKILL)  # the server throws everybody out and recovers
            outcome = command.finish()
        assert outcome.status in {0, 1}, outcome.text
        postgresql_server().wait_until_up()
        again = run(warehouse.folder)
        assert again.status == 0, again.text
        stage, bronze, _ = warehouse.history()
    active = [row for row in bronze if row[4]]
    changed, deleted = _ROWS // 3 - len(range(27, _ROWS, 300)), _ROWS // 100
    assert len(active) == _ROWS - deleted + 50
    assert sum(row[3] == "U" for row in bronze) in range(changed - 500, _ROWS // 3 + 1)
    assert [row[:3] for row in active] == [row[:3] for row in stage if row[4]]
    assert {row[1].endswith("changed") for row in active if row[0] % 3 == 0 and row[0] < _ROWS} == {True}
