"""Kill a run at every point where it may have changed something; a plain re-run ends as if nothing had happened."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.acceptance.driven import AT_A_TIME, EVERY_POINT, Driven, Order, drive
from tests.acceptance.harness import configure, environment, execute, list_tables, run
from tests.acceptance.history import History, check_invariants, ops, read_history

AGAIN = Path(__file__).with_name("again_driver.py")
_FEW_THREADS = {"POLARS_MAX_THREADS": "1"}
"""The tables are tiny, the processes many."""
_LOGS = ("PipelineBatchSequence", "PipelineEventLog", "PipelineLog", "Quarantine", "HashLayout", "UdmTablesColumnsList")
_CHANGES = ("INSERT", "UPDATE", "DELETE", "ALTER")
_ROUND_SQLALCHEMY = ("BULK LOAD, after", "CALL create_schema, after", "CALL close")
# The third day changes ten rows: three chunks.
_CHUNKS = (("MAX_TX_ROWS", "4"),)
# One in a schema that is there, one whose schema has to be made.
_TABLES = (("ERP", "DEAL"), ("CRM", "FRESH"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A folder ready for a run, the points of an undisturbed run with these arguments, and how the tables end."""

    ready: Path
    arguments: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    points: Sequence[str]
    wanted: tuple[History, ...]


def _configure(folder: Path, **settings: str) -> None:
    # Every row is spooled to disk, so that a killed run leaves a folder behind.
    source = folder.parent / "erp.duckdb"
    fixed = {"SPOOL_MB": "0", "SPOOL_DIR": str(folder / "spool"), "WORKERS": "1"}
    configure(folder, {"ERP": source, "CRM": source}, **fixed, **settings)


def _copy(folder: Path, name: str, **settings: str) -> Path:
    copy = folder.parent / name
    shutil.copytree(folder, copy)
    _configure(copy, **settings)
    return copy


def _list(folder: Path) -> None:
    list_tables(folder / "warehouse", *map(".".join, _TABLES))
    names = "(SourceName, TableName, ColumnName, IsPrimaryKey)"
    keys = ", ".join(f"('{source}', '{table}', '{name}', true)" for source, table in _TABLES for name in ("ID", "LEG"))
    execute(folder / "warehouse" / "General.duckdb", f"INSERT INTO dbo.UdmTablesColumnsList {names} VALUES {keys}")


def _undisturbed(folder: Path, *arguments: str) -> Driven:
    [done] = drive([Order(folder=folder, arguments=arguments)], _FEW_THREADS)
    assert done.status == 0, done.text
    return done


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table on its third day with two of them in the warehouse, and a table that has never been loaded.

    The third day has new, changed and deleted rows, some that come back after a delete, a new column, a NULL in the key and
    two rows that claim one key.
    """
    source = tmp_path_factory.mktemp("kill") / "erp.duckdb"
    execute(
        source,
        "CREATE TABLE DEAL (ID INTEGER, LEG VARCHAR, AMOUNT DECIMAL(18,2), NOTE VARCHAR)",
        "INSERT INTO DEAL SELECT i, 'L' || i % 2, i * 1.25, 'deal ' || i FROM range(40) t(i)",
        "CREATE TABLE FRESH AS FROM DEAL WHERE ID < 30",
    )
    folder = source.with_name("ready")
    _configure(folder)
    assert run(folder, "--list-tables").status == 0
    _list(folder)
    assert run(folder, "--table", "DEAL").counts("ERP.DEAL") == (40, 40, 0, 0, 0, 0)
    execute(source, "DELETE FROM DEAL WHERE ID IN (3, 4, 5)")
    assert run(folder, "--table", "DEAL").counts("ERP.DEAL") == (37, 0, 0, 3, 37, 0)
    execute(
        source,
        "ALTER TABLE DEAL ADD COLUMN CHANNEL VARCHAR",
        "INSERT INTO DEAL VALUES (3, 'L1', 3.75, 'deal 3', NULL), (4, 'L0', 99, 'back with another value', 'WEB')",
        "INSERT INTO DEAL VALUES (100, 'L0', 1, 'new', NULL), (101, 'L1', 2, 'new', 'WEB')",
        "INSERT INTO DEAL VALUES (NULL, 'L0', 1, 'no key', NULL), (110, 'L0', 1, 'one', NULL), (110, 'L0', 2, 'two', NULL)",
        "UPDATE DEAL SET AMOUNT = AMOUNT + 1 WHERE ID IN (10, 11, 12)",
        "UPDATE DEAL SET CHANNEL = 'APP' WHERE ID IN (12, 13)",
        "DELETE FROM DEAL WHERE ID IN (20, 21)",
    )
    return folder


@pytest.fixture(scope="module")
def day(ready: Path) -> Case:
    """The run that loads both tables, undisturbed."""
    undisturbed = _copy(ready, "undisturbed")
    case = Case(ready=ready, points=_undisturbed(undisturbed).points, wanted=_histories(undisturbed))
    _check_same(case, [undisturbed])
    [deal, _] = case.wanted
    # The last day did happen, every kind of change is in it.
    assert {row[-4] for row in deal.bronze} == {"I", "U", "D", "R"}
    return case


def _histories(folder: Path) -> tuple[History, ...]:
    return tuple(read_history(folder / "warehouse", *table) for table in _TABLES)


def _chosen(points: Sequence[str]) -> list[int]:
    """The points' numbers to kill at, from 1: each side of what makes a change durable, with all of the change before it.

    A kill at a statement leaves what a kill at the commit before it does: that is left to EVERY_POINT, and to the contract
    suite, where statements fail on every target.
    """
    chosen = set()
    changes_history = False
    for number, name in enumerate(points, 1):
        if name.startswith(_CHANGES) and not any(f'"{log}"' in name for log in _LOGS):
            changes_history = True
        elif name == "COMMIT, after" or name.startswith(_ROUND_SQLALCHEMY):
            chosen.add(number)
        elif name == "COMMIT, before" and changes_history:
            changes_history = False
            chosen.add(number)
    return [number for number in range(1, len(points) + 1) if EVERY_POINT or number in chosen]


def _kill_at(case: Case, chosen: Sequence[int], name: str) -> list[Path]:
    """Kill a run at each chosen point, each in a folder of its own."""

    folders = [_copy(case.ready, f"{name}_{number}", **dict(case.settings)) for number in chosen]
    orders = [
        Order(folder=folder, fatal=number, arguments=case.arguments) for folder, number in zip(folders, chosen, strict=True)
    ]
    for order, done in zip(orders, drive(orders, _FEW_THREADS), strict=True):
        assert done.status == -signal.SIGKILL, f"not killed at {order.fatal}: {done.status}\n{done.text}"
        assert len(done.points) == order.fatal
    return folders


def _again(folders: Sequence[Path]) -> None:
    """A plain re-run in each folder."""

    def rerun(share: Sequence[Path]) -> None:
        command = [sys.executable, str(AGAIN), *map(str, share)]
        done = subprocess.run(command, cwd=share[0], env=environment(_FEW_THREADS), capture_output=True, timeout=300, check=False)
        text = done.stdout.decode()
        wrong = [folder for folder in share if f"exit status 0 in {folder}" not in text.splitlines()]
        assert not wrong, f"{wrong[0].name}: {text}\n{done.stderr.decode()}"

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(rerun, [folders[part::AT_A_TIME] for part in range(AT_A_TIME)]))


def _check_same(case: Case, folders: Sequence[Path]) -> None:
    for folder in folders:
        where = f"killed at {folder.name}: {(folder / 'points.txt').read_text().splitlines()[-1]}"
        assert _histories(folder) == case.wanted, where
        for table in _TABLES:
            check_invariants(folder / "warehouse", *table)
        assert list((folder / "spool").glob("*")) == [], where
        # The day's own batch is announced, and what could not be loaded has been kept aside.
        statement = (
            "SELECT (SELECT max(BatchId) FROM general.ops.TablePublished WHERE TableName = '{0}') = "
            "(SELECT max(BatchId) FROM general.ops.PipelineEventLog WHERE EventType = 'TABLE_TOTAL' AND TableName = '{0}')"
        )
        assert [ops(folder / "warehouse", statement.format(table)) for _, table in _TABLES] == [[(True,)], [(True,)]], where
        assert ops(folder / "warehouse", "SELECT count(DISTINCT RowJson) FROM general.ops.Quarantine") == [(3,)], where


def _remove(folders: Sequence[Path]) -> None:
    """Hundreds of megabytes that tell nothing any more."""
    for folder in folders:
        shutil.rmtree(folder)


def test_kill_anywhere_and_a_plain_rerun_ends_as_an_uninterrupted_run(day: Case) -> None:
    chosen = _chosen(day.points)
    assert len(chosen) > len(day.points) / 5
    killed = _kill_at(day, chosen, "killed")
    _again(killed)
    _check_same(day, killed)
    _remove(killed)


def test_kill_a_promotion_in_chunks_at_any_statement(day: Case) -> None:
    """Some of a batch's keys are in Stage or in Bronze, the others are not: the next run goes on at the chunk that was lost."""
    chunked = _copy(day.ready, "chunked", **dict(_CHUNKS))
    arguments = ("--table", "DEAL")
    points = _undisturbed(chunked, *arguments).points
    first = next(number for number, name in enumerate(points, 1) if name.startswith('INSERT INTO "UDM_Stage"."ERP"."DEAL_cdc"'))
    last = next(number for number, name in enumerate(points, 1) if 'INSERT INTO "General".ops."TablePublished"' in name)
    case = replace(day, points=points, settings=_CHUNKS, arguments=arguments)
    killed = _kill_at(case, [number for number in _chosen(points) if first <= number <= last], "chunk")
    assert sum(_half_promoted(folder / "warehouse") for folder in killed) > len(killed) / 2
    _again([chunked, *killed])
    _check_same(case, [chunked, *killed])
    _remove([chunked, *killed])


def _half_promoted(warehouse: Path) -> bool:
    """Whether Stage or Bronze holds some of a batch's chunks and not all."""
    markers = "(FROM stage.ops.PromotionMarker UNION ALL FROM bronze.ops.PromotionMarker)"
    return ops(warehouse, f"SELECT count(*) FROM {markers} WHERE ChunksDone < Chunks") != [(0,)]


def test_kill_while_healing(day: Case) -> None:
    """The run that brings to Bronze what a killed run left in Stage is killed in its turn."""
    marker = next(number for number, name in enumerate(day.points) if 'INSERT INTO "UDM_Stage".ops."PromotionMarker"' in name)
    [between] = _kill_at(day, [day.points.index("COMMIT, after", marker) + 1], "between")
    healed = _undisturbed(_copy(between, "healed"))
    points = healed.points
    assert "ended between Stage and Bronze" in healed.text
    published = next(number for number, name in enumerate(points, 1) if 'INSERT INTO "General".ops."TablePublished"' in name)
    first = next(number for number, name in enumerate(points, 1) if name.startswith('INSERT INTO "UDM_Bronze"'))
    healing = [n for n in _chosen(points) if first <= n <= published + 2 and points[n - 1] != "COMMIT, before"]
    killed = _kill_at(replace(day, ready=between), healing, "healing")
    _again(killed)
    _check_same(day, killed)
    _remove(killed)


def test_kill_while_the_target_is_created(day: Case) -> None:
    """Some of the control and ops tables made: the next run makes the others."""
    empty = day.ready.with_name("empty")
    _configure(empty)
    points = _undisturbed(_copy(empty, "created"), "--list-tables").points
    chosen = [number for number in range(1, len(points) + 1) if number % 13 == 0 or points[number - 1] == "COMMIT, after"]
    killed = _kill_at(replace(day, ready=empty, arguments=("--list-tables",)), chosen, "creating")
    _again(killed)
    for folder in killed:
        _list(folder)
    _again(killed)
    assert {str(_histories(folder)[1]) for folder in killed} == {str(day.wanted[1])}
    _remove(killed)
