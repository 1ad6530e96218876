"""The small tables' command as processes on servers: held tables, kills, lost servers, a reader beside fifty runs."""

from __future__ import annotations

import itertools
import math
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.acceptance.driven import EVERY_POINT, Order, drive
from tests.acceptance.harness import LARGE, environment, execute, run, running
from tests.acceptance.warehouses import SERVERS, Warehouse

DAYS = Path(__file__).with_name("days_driver.py")
_ROWS = 30_000  # so many that a test can step in while they are loaded
_CASES = [f"CASE{number:02}" for number in range(400 if EVERY_POINT else 14)]
_CASE_ROWS = 2_400  # of which a day changes more than are sent as an INSERT
_KEYS, _RUNS = 200, 50


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("servers") / "erp.duckdb"
    for table, rows in {"DEAL": _ROWS, **dict.fromkeys(_CASES, _CASE_ROWS), "PULSE": _KEYS}.items():
        values = f"SELECT i, 'deal ' || i, (i * 1.25)::DECIMAL(18,2) FROM range({rows}) t(i)"
        if table == "PULSE":
            values = f"SELECT i, 'beat', 0 FROM range({rows}) t(i)"
        create = f"CREATE TABLE {table} (ID INTEGER PRIMARY KEY, NAME VARCHAR, AMOUNT DECIMAL(18,2))"
        execute(file, create, f"INSERT INTO {table} {values}")
    values = "SELECT i, 'day ' || i, i, current_date - (i % 5)::INTEGER FROM range(5000) t(i)"
    execute(file, "CREATE TABLE DAYS (ID INTEGER PRIMARY KEY, NAME VARCHAR, AMOUNT DECIMAL(18,2), D DATE)")
    execute(file, f"INSERT INTO DAYS {values}")
    return file


@pytest.fixture(params=SERVERS, ids=lambda server: server.__name__.lower())
def server(request: pytest.FixtureRequest) -> type[Warehouse]:
    return request.param  # type: ignore[no-any-return]


@contextmanager
def opened(server: type[Warehouse], folder: Path, source: Path, **settings: str) -> Iterator[Warehouse]:
    """General created, nothing listed or loaded."""
    warehouse = server(folder, source, **settings)
    try:
        yield warehouse
    finally:
        warehouse.drop()


@pytest.fixture
def warehouse(server: type[Warehouse], tmp_path: Path, source: Path) -> Iterator[Warehouse]:
    with opened(server, tmp_path / "run", source, BATCH_ROWS="20000") as made:
        yield made


@contextmanager
def next_day(source: Path, *tables: str) -> Iterator[None]:
    """The tables one day later, and as they were afterwards."""
    for table in tables:
        execute(
            source,
            f"CREATE TABLE BEFORE_{table} AS FROM {table}",
            f"UPDATE {table} SET NAME = NAME || ' changed' WHERE ID % 2 = 0",
            f"DELETE FROM {table} WHERE ID % 100 = 7",
            f"INSERT INTO {table} SELECT ID + {_ROWS}, NAME, AMOUNT FROM BEFORE_{table} WHERE ID < 50",
        )
    try:
        yield
    finally:
        for table in tables:
            execute(source, f"DELETE FROM {table}", f"INSERT INTO {table} FROM BEFORE_{table}", f"DROP TABLE BEFORE_{table}")


def test_the_second_of_two_runs_is_skipped_with_exit_3_and_says_who_holds_the_table(warehouse: Warehouse) -> None:
    warehouse.list_tables("DEAL")
    with running(warehouse.folder, "-v") as first:
        first.wait_for("ERP.DEAL: BCP_LOAD")
        first.process.send_signal(signal.SIGSTOP)
        second = run(warehouse.folder)
        first.process.send_signal(signal.SIGCONT)
        outcome = first.finish()
    assert second.status == 3, second.text
    second.line("SKIPPED")
    second.line(*warehouse.holder)
    assert outcome.status == 0, outcome.text
    assert len(warehouse.history("DEAL")[1]) == _ROWS
    warehouse.check_nothing_left()
    skipped = 'SELECT count(*) FROM {general_ops}."PipelineEventLog" WHERE "Status" = \'SKIPPED\''
    assert warehouse.query(skipped) == [(1,)]


def test_both_commands_at_once_leave_each_others_tables_alone(warehouse: Warehouse) -> None:
    warehouse.list_tables("DEAL")
    warehouse.list_large_table("DAYS", "D", date.today() - timedelta(days=4))  # noqa: DTZ011 - as DuckDB has it
    with running(warehouse.folder) as small, running(warehouse.folder, program=LARGE) as large:
        outcomes = [small.finish(), large.finish()]
    assert [outcome.status for outcome in outcomes] == [0, 0], outcomes
    assert (len(warehouse.history("DEAL")[1]), len(warehouse.history("DAYS")[1])) == (_ROWS, 5_000)
    again = run(warehouse.folder, program=LARGE)
    again.line("Nothing changed since the last run.")
    warehouse.check_nothing_left()


def test_a_reader_beside_fifty_runs_sees_every_key_once_and_all_of_them_on_one_day(
    warehouse: Warehouse, source: Path
) -> None:
    warehouse.list_tables("PULSE")
    assert run(warehouse.folder).status == 0
    read = (
        'SELECT count(*), count(DISTINCT "ID"), min("AMOUNT"), max("AMOUNT") '
        'FROM {bronze}."PULSE_scd2_python" WHERE "UdmActiveFlag" = {true}'
    ).format(**warehouse.names, true=warehouse.true)
    seen: set[tuple[int, int, int, int]] = set()
    polls, stop = itertools.count(), threading.Event()

    def poll() -> None:
        with warehouse.session() as query:
            while not stop.wait(0.002):  # a reader that never rests takes a processor from the runs
                [(rows, keys, first, last)] = query(read)
                seen.add((rows, keys, int(first), int(last)))
                next(polls)

    change = "UPDATE PULSE SET AMOUNT = AMOUNT + 1"
    command = [sys.executable, str(DAYS), str(source), str(_RUNS), change]
    with ThreadPoolExecutor(1) as pool:
        polling = pool.submit(poll)
        try:
            done = subprocess.run(command, cwd=warehouse.folder, env=environment(), capture_output=True, timeout=600, check=False)
        finally:
            stop.set()
            polling.result()
    assert done.returncode == 0, done.stderr.decode()
    assert warehouse.query('SELECT count(*) FROM {bronze}."PULSE_scd2_python"') == [(_KEYS * (_RUNS + 1),)]
    days = sorted(first for _, _, first, _ in seen)
    assert seen == {(_KEYS, _KEYS, day, day) for day in days}
    assert len(days) > _RUNS / 2
    assert next(polls) > 2 * _RUNS


def _order(folder: Path, fatal: int, table: str) -> Order:
    return Order(folder=folder, fatal=fatal, arguments=("--table", table), record=Path(f"points_{table}.txt"))


def _chosen(points: Sequence[str]) -> list[int]:
    """The points at which a kill could do harm: in and after each load and each statement of a promotion."""
    history = ("_cdc", "_scd2_python", "PromotionMarker", "TablePublished")
    changes = [name.startswith(("INSERT", "UPDATE")) and any(part in name for part in history) for name in points]
    harmful = ("BULK LOAD, the utility", "BULK LOAD, a frame", "BULK LOAD, after", "COMMIT", "CALL settle")
    return [n for n, name in enumerate(points, 1) if EVERY_POINT or changes[n - 1] or changes[n - 2] or name.startswith(harmful)]


def _anonymous(point: str) -> str:
    return re.sub(r"CASE\d+(_\d+)?", "", point)  # a staging table ends in its batch


@pytest.mark.parametrize("rows", ["0", "500"], ids=["one transaction", "chunks"])
def test_killed_anywhere_and_run_again_ends_as_an_uninterrupted_run(
    server: type[Warehouse], source: Path, tmp_path: Path, rows: str
) -> None:
    with opened(server, tmp_path / "run", source, BATCH_ROWS="1000", MAX_TX_ROWS=rows) as warehouse:
        whole, *others = _CASES
        warehouse.list_tables(*_CASES)
        assert run(warehouse.folder).status == 0
        with next_day(source, *_CASES):
            [undisturbed] = drive([_order(warehouse.folder, 0, whole)])
            points = undisturbed.points
            assert undisturbed.status == 0, undisturbed.text
            wanted = warehouse.history(whole)
            assert {row[3] for row in wanted[1]} == {"I", "U", "D"}
            chosen = _chosen(points)
            assert len(chosen) > len(others)
            cases = list(zip(chosen[:: math.ceil(len(chosen) / len(others))], others, strict=False))

            killed = drive([_order(warehouse.folder, number, table) for number, table in cases])
            for (number, _), done in zip(cases, killed, strict=True):
                assert (done.status, len(done.points)) == (-signal.SIGKILL, number), done.text
                assert _anonymous(done.points[-1]) == _anonymous(points[number - 1])
            again = run(warehouse.folder)
            assert again.status == 0, again.text
        for number, table in cases:
            assert warehouse.history(table) == wanted, points[number - 1]
        warehouse.check_nothing_left()
        assert list((warehouse.folder / "spool").iterdir()) == []


@pytest.mark.parametrize("step", ["BCP_LOAD", "CDC_PROMOTION", "SCD2_PROMOTION"])
def test_a_server_that_is_lost_in_mid_run_costs_a_clean_failure_and_never_a_wrong_row(
    warehouse: Warehouse, source: Path, step: str
) -> None:
    warehouse.list_tables("DEAL")
    assert run(warehouse.folder).status == 0
    with next_day(source, "DEAL"):
        with running(warehouse.folder, "-v") as command:
            command.wait_for(f"ERP.DEAL: {step}")
            warehouse.strike(command.process.pid)
            outcome = command.finish()
        assert outcome.status in {0, 1}, outcome.text
        warehouse.wait_until_up()
        again = run(warehouse.folder)
        assert again.status == 0, again.text
    stage, bronze, _ = warehouse.history("DEAL")
    warehouse.check_nothing_left()
    active = [row for row in bronze if row[4]]
    changed, deleted = _ROWS // 2, _ROWS // 100
    assert len(active) == _ROWS - deleted + 50
    assert sum(row[3] == "U" for row in bronze) == changed
    assert [row[:3] for row in active] == [row[:3] for row in stage if row[4]]
    assert {row[1].endswith("changed") for row in active if row[0] % 2 == 0 and row[0] < _ROWS} == {True}
