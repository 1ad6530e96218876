"""Wrong commands and settings, targets that cannot be used or are in use, full disks: the exit status and what is said."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.harness import LARGE, SMALL, Outcome, configure, execute, holder, list_tables, query, run, running, shell
from tests.acceptance.history import check_invariants, contents, ops

SECRET = "pr1vate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A command line and settings that are refused, and what the message must hold."""

    arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    env_file: bytes | None = None
    program: Path = SMALL
    says: tuple[str, ...]


_TARGET = {"UDM_TARGET": "duckdb:////nowhere"}
WRONG = {
    "unknown option": Wrong(arguments=("--tabel", "ACCT"), says=("--tabel", "usage:")),
    "no worker": Wrong(arguments=("--workers", "0"), says=("--workers", "at least 1")),
    "unknown format": Wrong(arguments=("--log-format", "xml"), says=("--log-format", "json")),
    "a positional": Wrong(arguments=("ACCT",), says=("ACCT", "usage:")),
    "unknown option, large": Wrong(program=LARGE, arguments=("--tabel", "ACCT"), says=("--tabel", "usage:")),
    "target is no URL": Wrong(settings={"UDM_TARGET": f"user:{SECRET}@host"}, says=("UDM_TARGET", "not a URL")),
    "target has a bad port": Wrong(
        settings={"UDM_TARGET": f"mssql://user:{SECRET}@host:{SECRET}/x"}, says=("UDM_TARGET", "not a URL")
    ),
    "target of an unknown kind": Wrong(settings={"UDM_TARGET": f"oracle://user:{SECRET}@host/x"}, says=("UDM_TARGET", "duckdb")),
    "target that does not answer": Wrong(
        settings={"UDM_TARGET": f"postgresql://user:{SECRET}@127.0.0.1:1/x"}, says=("nothing answers", "UDM_TARGET")
    ),
    "target not absolute": Wrong(settings={"UDM_TARGET": "duckdb://folder"}, says=("UDM_TARGET", "absolute", "four slashes")),
    "target in a file's place": Wrong(settings={"UDM_TARGET": f"duckdb:///{SMALL}/warehouse"}, says=("target", SMALL.name)),
    "source without target": Wrong(
        settings={"UDM_SOURCE_CRM": f"postgresql://u:{SECRET}@h/x"}, says=("UDM_SOURCE_CRM is set, but UDM_TARGET is not",)
    ),
    "password without source": Wrong(
        settings={"UDM_SOURCE_CRM_PASSWORD": SECRET}, says=("UDM_SOURCE_CRM_PASSWORD", "UDM_SOURCE_CRM is not")
    ),
    "source is no URL": Wrong(
        settings={**_TARGET, "UDM_SOURCE_CRM": f"postgresql://u:{SECRET}@h:{SECRET}/x"},
        says=("UDM_SOURCE_CRM", "not a URL"),
    ),
    "source of an unknown kind": Wrong(
        settings={**_TARGET, "UDM_SOURCE_CRM": f"db2://u:{SECRET}@h/x"}, says=("UDM_SOURCE_CRM", "postgresql")
    ),
    "password twice": Wrong(
        settings={**_TARGET, "UDM_SOURCE_CRM": f"mysql://u:{SECRET}@h/x", "UDM_SOURCE_CRM_PASSWORD": SECRET},
        says=("UDM_SOURCE_CRM", "twice"),
    ),
    "password file missing": Wrong(
        settings={**_TARGET, "UDM_SOURCE_CRM": "mysql://u@h/x", "UDM_SOURCE_CRM_PASSWORD_FILE": "/nowhere/pw"},
        says=("UDM_SOURCE_CRM_PASSWORD_FILE", "cannot be read"),
    ),
    "workers": Wrong(settings={"WORKERS": "two"}, says=("WORKERS", "'two'", "whole number")),
    "ratio": Wrong(settings={"GUARD_LOW_RATIO": "10%"}, says=("GUARD_LOW_RATIO", "0.1")),
    "size": Wrong(settings={"DUCKDB_MEMORY_LIMIT": "lots"}, says=("DUCKDB_MEMORY_LIMIT", "1GB")),
    "level": Wrong(settings={"LOG_LEVEL": "chatty"}, says=("LOG_LEVEL", "WARNING")),
    "database": Wrong(settings={"STAGE_DB": "stage; DROP"}, says=("STAGE_DB", "letters")),
    "settings file missing": Wrong(settings={"UDM_ENV_FILE": "/nowhere/.env"}, says=("/nowhere/.env", "cannot be read")),
    "settings file not UTF-8": Wrong(env_file=f"UDM_TARGET={SECRET}\xe9\n".encode("latin-1"), says=(".env", "UTF-8")),
    "settings file not readable": Wrong(env_file=b"<a folder>", says=(".env", "cannot be read")),
    "settings file is something else": Wrong(env_file=f"UDM_TARGET: {SECRET}\n".encode(), says=(".env", "Line 1", "NAME=value")),
    "a quote is missing": Wrong(env_file=f"WORKERS=2\nUDM_TARGET='duckdb:////{SECRET}\n".encode(), says=(".env", "Line 2")),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Outcome, Path]]:
    """Every wrong command, two at a time, each in a folder of its own."""
    parent = tmp_path_factory.mktemp("wrong")

    def refuse(name: str) -> tuple[Outcome, Path]:
        wrong = WRONG[name]
        folder = parent / name
        folder.mkdir()
        if wrong.env_file == b"<a folder>":
            (folder / ".env").mkdir()
        elif wrong.env_file is not None:
            (folder / ".env").write_bytes(wrong.env_file)
        return run(folder, *wrong.arguments, program=wrong.program, settings=wrong.settings), folder

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(WRONG, pool.map(refuse, WRONG), strict=True))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_command_or_setting_is_refused_with_its_remedy(refused: dict[str, tuple[Outcome, Path]], name: str) -> None:
    outcome, folder = refused[name]
    assert outcome.status == 2
    for part in WRONG[name].says:
        assert part in outcome.err
    assert outcome.out == ""
    assert SECRET not in outcome.text
    # Never a silent fallback to the embedded default, and nothing was made.
    assert [path.name for path in folder.iterdir() if path.name != ".env"] == []


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a target that lists two tables, one wide enough to fill a small disk in mid-statement, and their source."""
    folder = tmp_path_factory.mktemp("ready")
    source = folder / "erp.duckdb"
    execute(
        source,
        "CREATE TABLE WIDE AS SELECT i AS ID, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS V FROM range(150000) t(i)",
        "ALTER TABLE WIDE ADD PRIMARY KEY (ID)",
        "CREATE TABLE NARROW AS SELECT i AS ID FROM range(3) t(i)",
        "ALTER TABLE NARROW ADD PRIMARY KEY (ID)",
    )
    warehouse = configure(folder / "work", {"ERP": source})
    assert run(folder / "work", "--list-tables").status == 0
    list_tables(warehouse, "ERP.WIDE", "ERP.NARROW")
    return folder / "work", source


@pytest.fixture
def folder(ready: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the prepared folder."""
    work, source = ready
    shutil.copytree(work, tmp_path / "work")
    configure(tmp_path / "work", {"ERP": source})
    return tmp_path / "work"


def test_unknown_names_are_refused_with_the_nearest_known_ones(folder: Path) -> None:
    before = contents(folder / "warehouse")
    table = run(folder, "--table", "WIED", "--source", "erp")
    source = run(folder, "--table", "WIDE", "--source", "EPR")
    nothing_near = run(folder, "--table", "#")
    assert [table.status, source.status, nothing_near.status] == [2, 2, 2]
    table.line("WIED", "Did you mean WIDE?")
    source.line("EPR", "Did you mean ERP?")
    nothing_near.line("'#'", "Known: ", "NARROW", "WIDE")
    assert contents(folder / "warehouse") == before


def test_a_target_file_that_is_something_else_is_left_alone(folder: Path) -> None:
    file = folder / "warehouse" / "UDM_Bronze.duckdb"
    file.write_text("somebody's notes\n" * 500)
    outcome = run(folder)
    assert outcome.status == 2
    outcome.line("ERROR", "UDM_Bronze.duckdb", "not a valid DuckDB database file")
    assert file.read_text() == "somebody's notes\n" * 500


def test_sql_server_without_an_odbc_driver_manager_is_refused_with_how_to_install_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open shared object file')")
    url, without = f"mssql://u:{SECRET}@127.0.0.1:1", {"PYTHONPATH": str(tmp_path)}
    target = run(folder, settings={**without, "UDM_TARGET": url})
    assert target.status == 2
    target.line("libodbc.so.2", "apt-get install unixodbc", "dnf install unixODBC")
    list_tables(folder / "warehouse", "SRC.T")
    source = run(folder, settings={**without, "UDM_SOURCE_SRC": f"{url}/CCM"})
    assert source.status == 1  # of the tables, those of other sources are loaded
    source.line("ERROR", "SRC.T", "libodbc.so.2", "apt-get install unixodbc")
    assert source.counts("ERP.NARROW") == (3, 3, 0, 0, 0, 0)
    assert SECRET not in target.text + source.text


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_target_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    outcome = run(tmp_path, "--list-tables", settings={"UDM_TARGET": f"duckdb:///{tmp_path}/closed/warehouse"})
    assert outcome.status == 2
    outcome.line("ERROR", "closed/warehouse", "permissions")


def test_a_target_in_use_skips_and_names_the_holder(folder: Path) -> None:
    with holder(folder / "warehouse" / "General.duckdb") as process:
        outcome = run(folder, "--table", "NARROW")
    assert outcome.status == 3
    outcome.line("SKIPPED", f"PID {process}", "Wait until it has ended")
    assert run(folder, "--table", "NARROW").counts("ERP.NARROW") == (3, 3, 0, 0, 0, 0)


def test_of_two_runs_that_start_together_one_loads_and_the_other_skips(folder: Path, ready: tuple[Path, Path]) -> None:
    with running(folder) as one, running(folder) as other:
        outcomes = sorted((one.finish(), other.finish()), key=lambda outcome: outcome.status)
        pids = {one.process.pid, other.process.pid}
    assert [outcome.status for outcome in outcomes] == [0, 3]
    loaded, skipped = outcomes
    assert loaded.counts("ERP.WIDE") == (150_000, 150_000, 0, 0, 0, 0)
    assert sum(f"PID {pid}" in skipped.line("SKIPPED") for pid in pids) == 1
    for table in ("WIDE", "NARROW"):
        check_invariants(folder / "warehouse", "ERP", table, ready[1])
    # The run that skipped wrote nothing at all.
    assert ops(folder / "warehouse", "SELECT BatchId, ExitStatus FROM general.ops.PipelineBatchSequence") == [(1, 0)]


def test_a_disk_too_full_to_create_the_target(tmp_path: Path) -> None:
    settings = {"UDM_TARGET": f"duckdb:///{tmp_path}/warehouse"}
    outcome = run(tmp_path, "--list-tables", settings=settings, bytes_a_file=4096)
    assert outcome.status == 2
    outcome.line("ERROR", "warehouse", "File too large", "disk")
    # Half a file would be refused for ever.
    assert list((tmp_path / "warehouse").iterdir()) == []


def test_a_run_whose_output_is_closed_says_everything_in_its_log(folder: Path) -> None:
    outcome = shell(folder, f"'{sys.executable}' '{SMALL}' --table NARROW >&-")
    assert (outcome.status, outcome.out) == (0, "")
    outcome.line("INFO", "ERP.NARROW", "3 inserted")
    outcome.line("INFO", "UDM_Bronze.ERP.NARROW_scd2_python")


def test_a_misspelt_setting_is_2_and_names_the_nearest(tmp_path: Path) -> None:
    outcome = run(tmp_path, settings={"UDM_TARGT": "duckdb:////nowhere"})
    assert outcome.status == 2
    outcome.line("ERROR", "UDM_TARGT", "UDM_TARGET")
    assert list(tmp_path.iterdir()) == []


def test_nothing_changed_is_not_said_beside_a_table_that_failed(folder: Path, ready: tuple[Path, Path]) -> None:
    assert run(folder, "--table", "NARROW").status == 0
    assert "Nothing changed" in run(folder, "--table", "NARROW").out
    list_tables(folder / "warehouse", "ERP.GONE")
    execute(folder / "warehouse" / "General.duckdb", "DELETE FROM dbo.UdmTablesList WHERE SourceObjectName = 'WIDE'")
    outcome = run(folder)
    assert outcome.status == 1
    assert "Nothing changed" not in outcome.text


def test_a_disk_too_full_for_the_samples(tmp_path: Path) -> None:
    outcome = run(tmp_path, "--list-tables", bytes_a_file=1 << 20)
    assert outcome.status in (1, 2)
    outcome.line("ERROR", "DNA.duckdb", "File too large")
    assert list((tmp_path / "udm_data" / "sources").iterdir()) == []


def test_a_disk_that_fills_up_fails_that_table_and_a_plain_rerun_ends_right(folder: Path, ready: tuple[Path, Path]) -> None:
    outcome = run(folder, bytes_a_file=5 << 20)
    assert outcome.status == 1
    assert outcome.summary["ERP.WIDE"]["status"] == "FAILED"
    assert outcome.counts("ERP.NARROW") == (3, 3, 0, 0, 0, 0)
    outcome.line("ERROR", "ERP.WIDE", "File too large", "Free space")
    assert "sqlalche.me" not in outcome.text
    statement = "SELECT Status FROM general.ops.PipelineEventLog WHERE TableName = 'WIDE' AND EventType = 'TABLE_TOTAL'"
    assert ops(folder / "warehouse", statement) == [("FAILED",)]
    assert query(folder / "warehouse" / "UDM_Bronze.duckdb", "SELECT * FROM ops.PromotionMarker WHERE TableName = 'WIDE'") == []
    assert run(folder).status == 0
    for table in ("WIDE", "NARROW"):
        check_invariants(folder / "warehouse", "ERP", table, ready[1])


def test_a_disk_that_fills_up_between_stage_and_bronze(folder: Path, ready: tuple[Path, Path]) -> None:
    bronze = folder / "warehouse" / "UDM_Bronze.duckdb"
    wide = " || ".join(f"md5((i + {salt})::VARCHAR)" for salt in range(4))
    execute(bronze, f"CREATE TABLE dbo_filler AS SELECT {wide} AS V FROM range(700000) t(i)")
    outcome = run(folder, "--table", "WIDE", bytes_a_file=bronze.stat().st_size + (1 << 20))
    assert outcome.status == 1
    outcome.line("ERROR", "ERP.WIDE", "UDM_Bronze.duckdb", "File too large", "Free space")
    assert "sqlalche.me" not in outcome.text
    statement = "SELECT EventType, Status FROM general.ops.PipelineEventLog WHERE EventType LIKE '%PROMOTION' ORDER BY ALL"
    assert ops(folder / "warehouse", statement) == [("CDC_PROMOTION", "SUCCESS"), ("SCD2_PROMOTION", "FAILED")]
    # Whether the commit is in DuckDB's log or not: the next run finds out, and publishes what this one could not.
    assert run(folder, "--table", "WIDE").counts("ERP.WIDE") == (150_000, 0, 0, 0, 150_000, 0)
    check_invariants(folder / "warehouse", "ERP", "WIDE", ready[1])


def test_a_full_spool_fails_that_table_and_leaves_no_folder(folder: Path, ready: tuple[Path, Path]) -> None:
    configure(folder, {"ERP": ready[1]}, SPOOL_MB="0", SPOOL_DIR=str(folder / "spool"))
    outcome = run(folder, bytes_a_file=5 << 20)
    assert outcome.status == 1
    assert outcome.counts("ERP.NARROW") == (3, 3, 0, 0, 0, 0)
    outcome.line("ERROR", "ERP.WIDE", str(folder / "spool"), "File too large", "SPOOL_DIR")
    assert list((folder / "spool").iterdir()) == []
    # With room on the disk the same settings do.
    assert run(folder).status == 0
    check_invariants(folder / "warehouse", "ERP", "WIDE", ready[1])
    assert list((folder / "spool").iterdir()) == []


def test_a_failing_statement_shows_no_value_of_a_row(folder: Path, ready: tuple[Path, Path]) -> None:
    source = folder / "own.duckdb"
    execute(source, "CREATE TABLE PERS (TAXID VARCHAR, NAME VARCHAR)", f"INSERT INTO PERS VALUES (NULL, '{SECRET}'), ('1', 'x')")
    warehouse = configure(folder, {"OWN": source})
    list_tables(warehouse, "OWN.PERS")
    names = "(SourceName, TableName, ColumnName, IsPrimaryKey)"
    key = f"INSERT INTO dbo.UdmTablesColumnsList {names} VALUES ('OWN', 'PERS', 'TAXID', true)"
    execute(warehouse / "General.duckdb", key, "ALTER TABLE ops.Quarantine ALTER Reason TYPE INTEGER")
    for arguments in (("-v",), ("--log-format", "json")):
        outcome = run(folder, "--source", "OWN", *arguments)
        assert outcome.status == 1
        outcome.line("ERROR", "OWN.PERS", "Conversion")
        assert SECRET not in outcome.text
    assert SECRET not in str(contents(warehouse))
