"""Whatever a source or its table has wrong: that table says so and fails or warns, the others load, nothing is lost.

One warehouse goes through four runs, and the tests look at what each of them left: the first meets everything at once, before
the second some of it is put right and the sources change, the third is forced, the fourth is a plain one again.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.harness import Outcome, configure, execute, holder, list_tables, query, run
from tests.acceptance.history import History, check_invariants, ops, read_history

PASSWORD = "pr1vate:w0rd"
_ENCODED = "pr1vate%3Aw0rd"

_LOADED = ("GOOD", "NULLKEY", "TWICE", "CLASH", "EMPTY", "SHRINKS", "DROPS", "GROWS", "RETYPED")
_REFUSED = ("NOKEY", "NESTED", "MAPPED", "OURS", "ABSENT")
_SOURCES = ("GONE", "HELD", "GARBAGE", "TORN", "ROTTEN", "FOLDER", "POSTGRES", "MYSQL", "SQLITE", "UNSET")

_TABLES = (
    "CREATE TABLE GOOD (ID INTEGER PRIMARY KEY, V VARCHAR)",
    "INSERT INTO GOOD SELECT i, 'value ' || i FROM range(100) t(i)",
    "CREATE TABLE NULLKEY (K INTEGER, V VARCHAR)",
    "INSERT INTO NULLKEY VALUES (1, 'a'), (2, 'b'), (NULL, 'c'), (NULL, 'd')",
    "CREATE TABLE TWICE (K INTEGER, V VARCHAR)",
    "INSERT INTO TWICE VALUES (1, 'a'), (2, 'b'), (2, 'b'), (3, 'c'), (3, 'c'), (3, 'c')",
    "CREATE TABLE CLASH (K INTEGER, V VARCHAR)",
    "INSERT INTO CLASH VALUES (1, 'a'), (2, 'b'), (3, 'one'), (3, 'other'), (4, 'x'), (4, 'x'), (4, 'y')",
    "CREATE TABLE EMPTY (ID INTEGER PRIMARY KEY, V VARCHAR)",
    "CREATE TABLE SHRINKS AS SELECT i::INTEGER AS ID, 'v' AS V FROM range(1000) t(i)",
    "ALTER TABLE SHRINKS ADD PRIMARY KEY (ID)",
    "CREATE TABLE DROPS AS SELECT i::INTEGER AS ID, 'v' AS V FROM range(3000) t(i)",
    "ALTER TABLE DROPS ADD PRIMARY KEY (ID)",
    "CREATE TABLE GROWS AS SELECT i::INTEGER AS ID, 'v' AS V FROM range(100) t(i)",
    "ALTER TABLE GROWS ADD PRIMARY KEY (ID)",
    "CREATE TABLE RETYPED (ID INTEGER PRIMARY KEY, V INTEGER)",
    "INSERT INTO RETYPED VALUES (1, 10), (2, 20)",
    "CREATE TABLE NOKEY (A INTEGER, B VARCHAR)",
    "INSERT INTO NOKEY VALUES (1, 'x'), (2, 'y')",
    "CREATE TABLE NESTED (ID INTEGER PRIMARY KEY, ADDRESS STRUCT(street VARCHAR, town VARCHAR))",
    "INSERT INTO NESTED VALUES (1, {'street': 's', 'town': 't'})",
    "CREATE TABLE MAPPED (ID INTEGER PRIMARY KEY, TAGS MAP(VARCHAR, VARCHAR))",
    "INSERT INTO MAPPED VALUES (1, MAP {'a': 'b'})",
    "CREATE TABLE OURS (ID INTEGER PRIMARY KEY, udmHASH VARCHAR)",
    "INSERT INTO OURS VALUES (1, 'x')",
)
_SECOND_DAY = (
    "UPDATE GOOD SET V = 'changed' WHERE ID = 7",
    "INSERT INTO CLASH VALUES (1, 'no longer alone')",
    "UPDATE CLASH SET V = 'another' WHERE K = 2",
    "INSERT INTO CLASH VALUES (2, 'and another')",
    "UPDATE NULLKEY SET V = 'B' WHERE K = 2",
    "INSERT INTO EMPTY VALUES (1, 'first'), (2, 'second')",
    "DELETE FROM SHRINKS WHERE ID >= 50",
    "DELETE FROM DROPS WHERE ID >= 1500",
    "UPDATE DROPS SET V = 'changed' WHERE ID < 10",
    "INSERT INTO DROPS SELECT 10000 + i, 'new' FROM range(20) t(i)",
    "INSERT INTO GROWS SELECT 1000 + i, 'new' FROM range(501) t(i)",
    "ALTER TABLE RETYPED ALTER V TYPE VARCHAR",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Days:
    """The four runs, and what some tables held before and after the second."""

    warehouse: Path
    source: Path
    first: Outcome
    second: Outcome
    forced: Outcome
    last: Outcome
    before: dict[str, History]
    after: dict[str, History]
    messages: list[tuple[object, ...]]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    folder = tmp_path_factory.mktemp("bad")
    source = folder / "erp.duckdb"
    execute(source, *_TABLES)
    warehouse = configure(folder, _sources(folder, source))
    assert run(folder, "--list-tables").status == 0
    list_tables(warehouse, *(f"ERP.{table}" for table in (*_LOADED, *_REFUSED)), *(f"{name}.T" for name in _SOURCES))
    for table in ("NULLKEY", "TWICE", "CLASH"):
        _mark_key(warehouse, table, "K")
    with holder(folder / "held.duckdb"):
        first = run(folder)
    execute(source, *_SECOND_DAY)
    execute(warehouse / "General.duckdb", _pasted(first).replace("<key column>", "A"))
    _turn_clock_forward(warehouse)
    before = {table: read_history(warehouse, "ERP", table) for table in _LOADED}
    second = run(folder)
    after = {table: read_history(warehouse, "ERP", table) for table in _LOADED}
    forced = run(folder, "--source", "ERP", "--force")
    last = run(folder, "--source", "ERP", "--table", "SHRINKS")
    messages = ops(
        warehouse,
        "SELECT Message, NULL FROM general.ops.PipelineEventLog UNION ALL "
        "SELECT Message, ExceptionText FROM general.ops.PipelineLog",
    )
    return Days(
        warehouse=warehouse,
        source=source,
        first=first,
        second=second,
        forced=forced,
        last=last,
        before=before,
        after=after,
        messages=messages,
    )


def _sources(folder: Path, source: Path) -> dict[str, Path | str]:
    for name in ("held", "rotten"):
        execute(
            folder / f"{name}.duckdb",
            "CREATE TABLE T AS SELECT i AS ID, md5(i::VARCHAR) AS V FROM range(200000) t(i)",
            "ALTER TABLE T ADD PRIMARY KEY (ID)",
        )
    rotten = folder / "rotten.duckdb"
    whole = rotten.read_bytes()
    (folder / "torn.duckdb").write_bytes(whole[: len(whole) // 2])
    middle = len(whole) // 2
    rotten.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    (folder / "garbage.duckdb").write_text("this is no database\n" * 1000)
    (folder / "garbage.sqlite").write_text("this is no database\n" * 1000)
    (folder / "folder.duckdb").mkdir()
    return {
        "ERP": source,
        "GONE": folder / "gone.duckdb",
        "HELD": folder / "held.duckdb",
        "GARBAGE": folder / "garbage.duckdb",
        "TORN": folder / "torn.duckdb",
        "ROTTEN": rotten,
        "FOLDER": folder / "folder.duckdb",
        # Nothing listens on port 1.
        "POSTGRES": f"postgresql://reader:{_ENCODED}@127.0.0.1:1/core",
        "MYSQL": f"mysql://reader:{_ENCODED}@127.0.0.1:1/core",
        "SQLITE": f"sqlite:///{folder / 'garbage.sqlite'}",
    }


def _mark_key(warehouse: Path, table: str, column: str) -> None:
    names = "(SourceName, TableName, ColumnName, IsPrimaryKey)"
    execute(
        warehouse / "General.duckdb", f"INSERT INTO dbo.UdmTablesColumnsList {names} VALUES ('ERP', '{table}', '{column}', true)"
    )


def _pasted(outcome: Outcome) -> str:
    """The statement that the message about the missing key tells to execute."""
    found = re.search(r"INSERT INTO General\.dbo\.\w+ \([^)]*\) VALUES \([^)]*\)", outcome.line("ERP.NOKEY", "INSERT"))
    assert found
    return found[0]


def _turn_clock_forward(warehouse: Path) -> None:
    """Let everything have happened a day later: for the next run it is as if the clock had been set back by a day."""
    later = "{0} = {0} + INTERVAL 1 DAY"
    execute(warehouse / "UDM_Stage.duckdb", f"UPDATE ops.PromotionMarker SET {later.format('Instant')}")
    execute(warehouse / "UDM_Bronze.duckdb", f"UPDATE ops.PromotionMarker SET {later.format('Instant')}")
    execute(warehouse / "General.duckdb", f"UPDATE ops.TablePublished SET {later.format('Instant')}")
    for table in _LOADED:
        execute(
            warehouse / "UDM_Stage.duckdb",
            f"UPDATE ERP.{table}_cdc SET {later.format('_extracted_at')}, {later.format('_cdc_valid_from')}",
        )
        execute(warehouse / "UDM_Bronze.duckdb", f"UPDATE ERP.{table}_scd2_python SET {later.format('UdmEffectiveDateTime')}")


def test_bad_tables_fail_and_the_others_load(days: Days) -> None:
    assert days.first.status == 1
    statuses = {name: row["status"] for name, row in days.first.summary.items()}
    assert statuses == {
        **{f"ERP.{table}": "SUCCESS" for table in _LOADED},
        **{f"ERP.{table}": "FAILED" for table in _REFUSED},
        **{f"{source}.T": "FAILED" for source in _SOURCES},
    }
    assert days.first.counts("ERP.GOOD") == (100, 100, 0, 0, 0, 0)


@pytest.mark.parametrize("table", _LOADED)
def test_history_is_sound_after_all_runs(days: Days, table: str) -> None:
    check_invariants(days.warehouse, "ERP", table)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ERP.NOKEY", ("no primary key", "unique index on NOT NULL columns")),
        ("ERP.NESTED", ("'ADDRESS'", "STRUCT(street VARCHAR, town VARCHAR)", "VARCHAR")),
        ("ERP.MAPPED", ("'TAGS'", "MAP(VARCHAR, VARCHAR)")),
        ("ERP.OURS", ("'udmHASH'", "'UdmHash'", "another name")),
        ("ERP.ABSENT", ("no table", "main.ABSENT", "UdmTablesList")),
        ("GONE.T", ("gone.duckdb does not exist", "UDM_SOURCE_GONE")),
        ("HELD.T", ("held.duckdb", "Another process is writing it")),
        ("GARBAGE.T", ("garbage.duckdb", "whole")),
        ("TORN.T", ("torn.duckdb", "whole")),
        ("ROTTEN.T", ("rotten.duckdb", "Corruption")),
        ("FOLDER.T", ("folder.duckdb is not a file",)),
        ("POSTGRES.T", ("POSTGRES", "refused")),
        ("MYSQL.T", ("MYSQL", "refused")),
        ("SQLITE.T", ("SQLITE", "not a database")),
        ("UNSET.T", ("not configured", "UDM_SOURCE_UNSET")),
    ],
)
def test_a_failure_is_said_and_recorded(days: Days, name: str, says: tuple[str, ...]) -> None:
    source, table = name.split(".")
    line = next(line for line in days.first.err.splitlines() if f"ERROR   {name}" in line)
    said = line.partition(f"{name}: failed: ")[2]
    for part in says:
        assert part in said
    assert not re.match(r"\w+(Error|Exception)\b", said), f"no message of ours: {said}"
    # Beneath the summary the same is said again, and no message is torn into several lines.
    assert days.first.out.splitlines().count(f"{name}: {said}") == 1
    statement = "SELECT Status, Message FROM general.ops.PipelineEventLog WHERE EventType = 'TABLE_TOTAL' AND BatchId = 1"
    [(status, message)] = ops(days.warehouse, f"{statement} AND SourceName = '{source}' AND TableName = '{table}'")
    assert status == "FAILED"
    assert str(message).removeprefix(f"{name}: ") == said


def test_what_failed_left_nothing_behind(days: Days) -> None:
    failed = "FROM duckdb_tables() WHERE schema_name <> 'ops' AND NOT table_name SIMILAR TO '({}).*'"
    loaded = "|".join(f"{table}_" for table in _LOADED)
    for name in ("UDM_Stage", "UDM_Bronze"):
        tables = {row[0] for row in query(days.warehouse / f"{name}.duckdb", f"SELECT table_name {failed.format(loaded)}")}
        # HELD and NOKEY were put right for the second run.
        assert {table.removesuffix("_cdc").removesuffix("_scd2_python") for table in map(str, tables)} <= {"NOKEY", "T"}


def test_no_password_is_shown_or_recorded(days: Days) -> None:
    for run_outcome in (days.first, days.second):
        assert "POSTGRES.T" in run_outcome.text
        for secret in (PASSWORD, _ENCODED, "pr1vate", "w0rd"):
            assert secret not in run_outcome.text
            assert not [message for message in days.messages if secret in str(message)]


def test_doing_what_the_message_says_names_the_key(days: Days) -> None:
    assert days.second.counts("ERP.NOKEY") == (2, 2, 0, 0, 0, 0)
    check_invariants(days.warehouse, "ERP", "NOKEY", days.source)


def test_a_released_source_loads(days: Days) -> None:
    assert days.second.counts("HELD.T") == (200_000, 200_000, 0, 0, 0, 0)


def test_null_keys_are_quarantined_counted_and_warned_of(days: Days) -> None:
    assert days.first.counts("ERP.NULLKEY") == (4, 2, 0, 0, 0, 2)
    days.first.line("WARNING", "ERP.NULLKEY", "2 rows", "ops.Quarantine")
    assert days.second.counts("ERP.NULLKEY") == (4, 0, 1, 0, 1, 2)
    assert _quarantined(days, "NULLKEY") == [("NULL_KEY", '{"K": null, "V": "c"}'), ("NULL_KEY", '{"K": null, "V": "d"}')]


def test_equal_duplicates_collapse_with_a_warning(days: Days) -> None:
    assert days.first.counts("ERP.TWICE") == (6, 3, 0, 0, 0, 0)
    days.first.line("WARNING", "ERP.TWICE", "3 exact duplicates")
    assert days.second.counts("ERP.TWICE") == (6, 0, 0, 0, 3, 0)


def test_conflicting_duplicates_are_quarantined_and_keep_their_history(days: Days) -> None:
    assert days.first.counts("ERP.CLASH") == (7, 2, 0, 0, 0, 5)
    days.first.line("WARNING", "ERP.CLASH", "5 rows", "ops.Quarantine")
    assert len(_quarantined(days, "CLASH")) == 5
    # Keys 1 and 2 have come into conflict since: they are not loaded anew, and they are not taken for deleted either.
    assert days.second.counts("ERP.CLASH")[1:4] == (0, 0, 0)
    assert days.after["CLASH"] == days.before["CLASH"]


def _quarantined(days: Days, table: str) -> list[tuple[object, ...]]:
    statement = f"SELECT Reason, RowJson FROM general.ops.Quarantine WHERE BatchId = 1 AND TableName = '{table}' ORDER BY ALL"
    return ops(days.warehouse, statement)


def test_zero_rows_are_an_empty_table_at_first(days: Days) -> None:
    assert days.first.counts("ERP.EMPTY") == (0, 0, 0, 0, 0, 0)
    assert days.before["EMPTY"] == History(stage=[], bronze=[])
    assert days.second.counts("ERP.EMPTY") == (2, 2, 0, 0, 0, 0)


def test_an_unbelievable_size_blocks_the_table_until_forced(days: Days) -> None:
    assert days.second.status == 1
    for table, rows in (("SHRINKS", "50 rows"), ("GROWS", "601 rows")):
        line = days.second.line("ERROR", f"ERP.{table}", rows, "--force")
        assert "Nothing was changed" in line
        assert days.after[table] == days.before[table]
    assert days.forced.counts("ERP.SHRINKS") == (50, 0, 0, 950, 50, 0)
    assert days.forced.counts("ERP.GROWS") == (601, 501, 0, 0, 100, 0)
    check_invariants(days.warehouse, "ERP", "SHRINKS", days.source)
    check_invariants(days.warehouse, "ERP", "GROWS", days.source)


def test_force_restarts_the_baseline(days: Days) -> None:
    assert days.last.status == 0
    assert days.last.counts("ERP.SHRINKS") == (50, 0, 0, 0, 50, 0)


def test_too_many_deletes_are_withheld_until_forced(days: Days) -> None:
    days.second.line("ERROR", "ERP.DROPS", "1,500 of 3,000", "--force")
    assert days.second.counts("ERP.DROPS") == (1520, 20, 10, 0, 1490, 0)
    assert days.second.summary["ERP.DROPS"]["status"] == "FAILED"
    assert days.forced.counts("ERP.DROPS") == (1520, 0, 0, 1500, 1520, 0)
    check_invariants(days.warehouse, "ERP", "DROPS", days.source)


def test_a_changed_type_fails_that_table_and_changes_nothing(days: Days) -> None:
    days.second.line("ERROR", "ERP.RETYPED", "'V'", "VARCHAR", "INTEGER")
    assert days.after["RETYPED"] == days.before["RETYPED"]


def test_a_clock_that_steps_back_makes_no_interval_run_backwards(days: Days) -> None:
    assert days.second.counts("ERP.GOOD") == (100, 0, 1, 0, 99, 0)
    statement = "SELECT UdmEffectiveDateTime, UdmEndDateTime FROM bronze.ERP.GOOD_scd2_python WHERE ID = 7 ORDER BY ALL"
    [(begin, end), (successor, still_open)] = ops(days.warehouse, statement)
    assert str(begin) < str(end) == str(successor)
    assert still_open is None
    check_invariants(days.warehouse, "ERP", "GOOD", days.source)


def test_a_dry_run_blocks_as_the_run_would(days: Days, tmp_path: Path) -> None:
    folder = tmp_path / "dry"
    shutil.copytree(days.warehouse, folder / "warehouse")
    configure(folder, {"ERP": days.source.with_name("shrunk.duckdb")})
    shutil.copy(days.source, days.source.with_name("shrunk.duckdb"))
    execute(days.source.with_name("shrunk.duckdb"), "DELETE FROM GOOD WHERE ID > 4")
    outcome = run(folder, "--table", "GOOD", "--dry-run")
    assert outcome.status == 1
    outcome.line("ERP.GOOD", "5 rows", "--force")
