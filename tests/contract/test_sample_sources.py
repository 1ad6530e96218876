"""The embedded sample sources, on real DuckDB files: content, repeatability, business days, kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from model.errors import ConfigurationError, SourceRefused, SourceUnavailable
from sources.__main__ import main
from sources.sample import DaySummary, ensure_samples, files, first_business_day, next_day, sample_tables
from sources.sample.business_days import business_date, business_date_sql

ROOT = Path(__file__).parents[2]
NAMES = ["DNA", "CCM", "EPICOR"]
INITIAL_ROWS = {
    "DNA.OSIBANK.ACCT": 60_000,
    "DNA.OSIBANK.ACCTTYP": 48,
    "DNA.OSIBANK.ACCTACCTROLEPERS": 4_000,
    "DNA.OSIBANK.ACCTLOCK": 0,
    "DNA.OSIBANK.ACCTUSERFIELD": 2_000,
    "DNA.OSIBANK.EDGEVALUE": 240,
    "DNA.OSIBANK.ORG": 300,
    "DNA.OSIBANK.PERS": 8_000,
    "DNA.OSIBANK.RTXN": 90_000,
    "CCM.dbo.Card": 5_000,
    "CCM.dbo.CardAuthorization": 5_000,
    "CCM.dbo.Cardholder": 3_000,
    "EPICOR.Erp.Customer": 1_200,
    "EPICOR.Erp.OrderDtl": 4_000,
    "EPICOR.Erp.Part": 5_000,
}
KEYS = {
    "DNA.OSIBANK.ACCT": ["ACCTNBR"],
    "DNA.OSIBANK.ACCTTYP": ["MJACCTTYPCD", "MIACCTTYPCD"],
    "DNA.OSIBANK.ACCTACCTROLEPERS": ["ACCTNBR", "ACCTROLECD", "PERSNBR"],
    "DNA.OSIBANK.ACCTLOCK": ["ACCTNBR", "ACCTLOCKCD"],
    "DNA.OSIBANK.ACCTUSERFIELD": ["ACCTNBR", "USERFIELDCD"],
    "DNA.OSIBANK.EDGEVALUE": ["EDGENBR"],
    "DNA.OSIBANK.ORG": ["ORGNBR"],
    "DNA.OSIBANK.PERS": ["PERSNBR"],
    "DNA.OSIBANK.RTXN": ["ACCTNBR", "RTXNNBR"],
    "CCM.dbo.Card": ["CardId"],
    "CCM.dbo.CardAuthorization": ["AuthorizationId"],
    "CCM.dbo.Cardholder": ["CardholderId"],
    "EPICOR.Erp.Customer": ["Company", "CustNum"],
    "EPICOR.Erp.OrderDtl": ["Company", "OrderNum", "OrderLine"],
    "EPICOR.Erp.Part": ["Company", "PartNum"],
}
TABLES = list(INITIAL_ROWS)
WRONG_USAGE = 2
FIRST_BUSINESS_DAY = first_business_day(date.today())  # noqa: DTZ011 - as the samples have it
Days = list[tuple[Path, dict[str, DaySummary]]]
UNIQUE_INDEX = "DNA.OSIBANK.ACCTACCTROLEPERS"
EMPTY = "DNA.OSIBANK.ACCTLOCK"


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    """Copies of the samples as of business days 0 to 3, each with that day's summaries by table."""
    work = tmp_path_factory.mktemp("work")
    ensure_samples(work)
    steps: Days = []
    for number in range(4):
        summaries = next_day(work) if number else []
        copy = tmp_path_factory.mktemp("day") / str(number)
        shutil.copytree(work, copy)
        steps.append((copy, {f"{s.source_name}.{s.schema_name}.{s.object_name}": s for s in summaries}))
    return steps


@pytest.fixture
def fresh(tmp_path: Path, days: Days) -> Path:
    """A copy of the samples' initial content that a test may change."""
    return Path(shutil.copytree(days[0][0], tmp_path / "fresh"))


@contextmanager
def attached(*folders: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Every sample file of the folders, attached as DNA0, CCM0, ..., those of the second as DNA1, ..."""
    with duckdb.connect() as connection:
        for number, folder in enumerate(folders):
            for name in NAMES:
                connection.execute(f"ATTACH '{folder / name}.duckdb' AS {name}{number} (READ_ONLY)")
        yield connection


def at(table: str, number: int) -> str:
    """The name of a table within `attached`."""
    source, schema, name = table.split(".")
    return f'{source}{number}."{schema}"."{name}"'


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {query}").fetchone()
    assert row is not None
    return int(row[0])


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Per table its row count and a sum of hashes over all rows, to compare under one version of DuckDB."""
    rows = "SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0)"
    with attached(folder) as connection:
        return {table: connection.execute(f"{rows} FROM {at(table, 0)} AS t").fetchall()[0] for table in TABLES}


def unmet(folder: Path, table: str, conditions: list[str]) -> list[str]:
    """The conditions that no row of the table meets."""
    with attached(folder) as connection:
        return [text for text in conditions if count(connection, f"{at(table, 0)} WHERE {text}") == 0]


def states(folder: Path) -> list[tuple[int, date, date]]:
    with attached(folder) as connection:
        return [row for name in NAMES for row in connection.execute(f"FROM {name}0.udm_sample.sample_state").fetchall()]


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_tables_have_their_promised_rows(days: Days) -> None:
    with attached(days[0][0]) as connection:
        found = connection.execute(
            "SELECT database_name, schema_name, table_name FROM duckdb_tables()"
            " WHERE schema_name <> 'udm_sample' AND NOT internal"
        ).fetchall()
        rows = {f"{file[:-1]}.{schema}.{table}": (file, schema, table) for file, schema, table in found}
        assert {name: count(connection, at(name, 0)) for name in rows} == INITIAL_ROWS


def test_every_key_is_declared_in_the_catalogue(days: Days) -> None:
    with attached(days[0][0]) as connection:
        primary = {
            f"{file[:-1]}.{schema}.{table}": columns
            for file, schema, table, columns in connection.execute(
                "SELECT database_name, schema_name, table_name, constraint_column_names"
                " FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
            ).fetchall()
        }
        indexes = connection.execute(
            "SELECT table_name, is_unique, expressions FROM duckdb_indexes() WHERE NOT is_primary"
        ).fetchall()
        nullable = connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'ACCTACCTROLEPERS' AND NOT is_nullable"
        ).fetchall()
    assert primary == {table: key for table, key in KEYS.items() if table != UNIQUE_INDEX}
    key = KEYS[UNIQUE_INDEX]
    assert indexes == [("ACCTACCTROLEPERS", True, f"[{', '.join(key)}]")]
    assert [name for (name,) in nullable] == key


def test_the_control_rows_describe_the_files(days: Days) -> None:
    rows = {f"{t.source_name}.{t.schema_name}.{t.object_name}": t for t in sample_tables(FIRST_BUSINESS_DAY)}
    assert sorted(rows) == sorted(TABLES)
    assert [name for name, row in rows.items() if row.aggregate_column is not None] == ["DNA.OSIBANK.RTXN"]
    large = rows["DNA.OSIBANK.RTXN"]
    with attached(days[0][0]) as connection:
        first, type_ = connection.execute(
            f'SELECT min("{large.aggregate_column}"), any_value(typeof("{large.aggregate_column}"))'
            f" FROM {at('DNA.OSIBANK.RTXN', 0)}"
        ).fetchall()[0]
    assert (first, type_) == (large.first_load_date, large.aggregate_column_type)


def test_transactions_cover_90_days_with_missing_and_later_dates(
    days: Days,
) -> None:
    with attached(days[0][0]) as connection:
        past, missing, later = connection.execute(
            "SELECT count(DISTINCT POSTDATE) FILTER (POSTDATE <= $1), count(*) FILTER (POSTDATE IS NULL),"
            f" count(*) FILTER (POSTDATE > $1) FROM {at('DNA.OSIBANK.RTXN', 0)}",
            [FIRST_BUSINESS_DAY],
        ).fetchall()[0]
    assert (past, missing) == (90, 2_250)
    assert later > 0


def test_the_extremes_are_there(days: Days) -> None:
    conditions = [
        *("isnan(APPROX)", "APPROX = 'inf'", "APPROX = '-inf'", "APPROX = 0 AND signbit(APPROX)"),
        *("APPROX = '5e-324'", "APPROX = '1.7976931348623157e308'", "isnan(APPROXREAL)"),
        *("EXACT = '9999999999999999999999999999.9999999999'", "EXACT = '0.0000000001'", "EXACT IS NULL"),
        *("WHOLE = '-99999999999999999999999999999999999999'", "RAW = ''", r"RAW = '\x00\x00\xFF'"),
        *("octet_length(RAW) = 10000", "GUID = '00000000-0000-0000-0000-000000000000'", "FLAG IS NULL"),
        *("DAY = '0001-01-01'", "DAY = '9999-12-31'", "INSTANT = '0001-01-01 00:00:00'"),
        *("INSTANT = '9999-12-31 23:59:59.999999'", "INSTANTTZ = '9999-12-31 23:59:59.999999+00'"),
        *("INSTANTNS::VARCHAR = '2026-06-30 12:34:56.123456789'", "CLOCK = '24:00:00'"),
        *("CLOCK = '12:00:00.000001'", f"HUGE = {2**127 - 1}", f"HUGE = {-(2**127)}"),
        *(f"UHUGE = {2**128 - 1}", f"UBIG = {2**64 - 1}", "TINY = -128", f"BIG = {-(2**63)}", "TXT = ''"),
        *("TXT = ' '", "TXT = chr(9)", "TXT = chr(10)", "TXT = 'e' || chr(769)", "TXT = chr(128169)"),
        *('"ORDER" IS NULL', "\"SELECT\" = 'drop table'", '"Interest Rate" > 0', "\"mixedCase\" = 'aA'"),
    ]
    assert unmet(days[0][0], "DNA.OSIBANK.EDGEVALUE", conditions) == []


def test_some_keys_are_told_apart_only_by_their_exact_value(days: Days) -> None:
    folded_keys = [
        ("DNA.OSIBANK.ACCTTYP", "lower(MJACCTTYPCD), lower(MIACCTTYPCD)"),
        ("DNA.OSIBANK.ACCTTYP", "rtrim(MJACCTTYPCD), rtrim(MIACCTTYPCD)"),
        ("DNA.OSIBANK.EDGEVALUE", "EDGENBR::DOUBLE"),
        ("EPICOR.Erp.Part", "Company, lower(PartNum)"),
        ("EPICOR.Erp.Part", "Company, rtrim(PartNum)"),
    ]
    with attached(days[0][0]) as connection:
        for table, folded in folded_keys:
            merged = count(connection, f"(SELECT DISTINCT {folded} FROM {at(table, 0)})")
            assert merged < INITIAL_ROWS[table], folded


def test_names_are_written_as_people_write_them(days: Days) -> None:
    conditions = [
        *("MDLNAME = ''", "MDLNAME = ' '", "MDLNAME IS NULL", "LASTNAME = 'NULL'", "FIRSTNAME = '太郎'"),
        *("contains(FIRSTNAME, chr(128512))", "contains(NOTE, chr(9))", "contains(NOTE, chr(13) || chr(10))"),
        *("contains(NOTE, '\"')", "length(NOTE) > 30000", "FIRSTNAME = 'José'"),
    ]
    assert unmet(days[0][0], "DNA.OSIBANK.PERS", conditions) == []


def test_a_text_column_named_like_a_date_holds_no_dates(
    days: Days,
) -> None:
    with attached(days[0][0]) as connection:
        table = at("DNA.OSIBANK.ACCTUSERFIELD", 0)
        dates = count(connection, f"{table} WHERE try_cast(UPDATEDATE AS DATE) IS NOT NULL")
        assert dates < INITIAL_ROWS["DNA.OSIBANK.ACCTUSERFIELD"] // 5


def test_the_comparison_of_contents_sees_one_changed_value(fresh: Path, days: Days) -> None:
    assert contents(fresh) == contents(days[0][0])
    with duckdb.connect(str(fresh / "DNA.duckdb")) as connection:
        connection.execute("UPDATE OSIBANK.ACCT SET ACCTDESC = '' WHERE ACCTDESC IS NULL AND ACCTNBR = 4000000001")
    now, then = contents(fresh), contents(days[0][0])
    assert [table for table in TABLES if now[table] != then[table]] == ["DNA.OSIBANK.ACCT"]


def test_the_content_is_pinned(days: Days) -> None:
    """Another DuckDB, or an edited recipe, must not silently change what users and golden files have seen."""
    with attached(days[2][0]) as connection:
        pinned = connection.execute(
            "SELECT count(*), sum(NOTEBAL)::VARCHAR, md5(string_agg(concat_ws('|', ACCTNBR, MINACCTTYPCD, NOTEINTRATE,"
            f" ACCTDESC, CURRACCTSTATCD), ',' ORDER BY ACCTNBR)) FROM {at('DNA.OSIBANK.ACCT', 0)}"
        ).fetchall()
    assert pinned == [(60_149, "13350808618.66", "4bd50e4848ea692765f25072724d4856")]


def test_a_summary_counts_what_really_changed(days: Days) -> None:
    for number in (1, 2, 3):
        after, summaries = days[number]
        with attached(days[number - 1][0], after) as connection:
            for table in TABLES:
                old, new, key = at(table, 0), at(table, 1), ", ".join(KEYS[table])
                summary = summaries[table]
                counts = (
                    count(connection, f"{new} ANTI JOIN {old} USING ({key})"),
                    count(connection, f"(FROM {new} EXCEPT FROM {old}) SEMI JOIN {old} USING ({key})"),
                    count(connection, f"{old} ANTI JOIN {new} USING ({key})"),
                )
                assert counts == (summary.inserted + summary.returned, summary.updated, summary.deleted), table
                assert (summary.day_number, summary.business_date) == (number, business_day(number))


def business_day(number: int) -> date:
    """Counted day by day, unlike the code under test."""
    day = FIRST_BUSINESS_DAY
    for _ in range(number):
        day += timedelta(days=1)
        while day.isoweekday() in (6, 7):
            day += timedelta(days=1)
    return day


def test_each_day_inserts_updates_and_deletes_in_every_table(
    days: Days,
) -> None:
    assert (days[1][1][EMPTY].inserted, days[1][1][EMPTY].updated, days[1][1][EMPTY].deleted) == (24, 0, 0)
    for number in (1, 2, 3):
        assert list(days[number][1]) == TABLES
        for table, summary in days[number][1].items():
            if table != EMPTY or number > 1:
                assert min(summary.inserted, summary.updated, summary.deleted) > 0, (number, table)


def test_from_the_second_day_on_deleted_keys_come_back(
    days: Days,
) -> None:
    for number in (2, 3):
        folders = [days[number - back][0] for back in (2, 1, 0)]
        with attached(*folders) as connection:
            for table in TABLES:
                key = ", ".join(KEYS[table])
                loaded, gone, now = (at(table, i) for i in range(3))
                back = count(
                    connection,
                    f"{now} ANTI JOIN {gone} USING ({key}) SEMI JOIN {loaded} USING ({key})",
                )
                assert back == days[number][1][table].returned, table
                # The table that starts empty has nothing to delete on the first day.
                assert back > 0 or (table, number) == (EMPTY, 2), table


def test_some_keys_come_back_unchanged_and_some_changed(
    days: Days,
) -> None:
    with attached(*(folder for folder, _ in days[:3])) as connection:
        loaded, gone, now = (at("DNA.OSIBANK.ACCT", i) for i in range(3))
        absent = f"(SELECT ACCTNBR FROM {loaded} ANTI JOIN {gone} USING (ACCTNBR))"
        back = f"(SELECT n.* FROM {now} AS n SEMI JOIN {absent} USING (ACCTNBR))"
        unchanged = count(connection, f"(FROM {back} INTERSECT FROM {loaded})")
        assert 0 < unchanged < count(connection, back)


def test_transactions_change_only_within_a_week_of_the_business_day(
    days: Days,
) -> None:
    """A windowed load looks back seven days; the samples must not need more."""
    for number in (1, 2, 3):
        with attached(days[number - 1][0], days[number][0]) as connection:
            old, new = at("DNA.OSIBANK.RTXN", 0), at("DNA.OSIBANK.RTXN", 1)
            changed = f"((FROM {old} EXCEPT FROM {new}) UNION ALL (FROM {new} EXCEPT FROM {old}))"
            oldest, moved = connection.execute(
                f"SELECT min(POSTDATE), count(*) FILTER (POSTDATE < EFFDATE) FROM {changed}",
            ).fetchall()[0]
        assert oldest >= business_day(number) - timedelta(days=7)
        assert moved > 0


def test_the_state_counts_business_days(days: Days) -> None:
    for number, (folder, _) in enumerate(days):
        assert states(folder) == [(number, business_day(number), FIRST_BUSINESS_DAY)] * 3


def test_business_days_skip_weekends_in_python_and_in_sql() -> None:
    monday = date(2026, 6, 29)
    with duckdb.connect() as connection:
        for weekday in range(5):
            first = monday + timedelta(days=weekday)
            calendar = (first + timedelta(days=i) for i in range(21))
            expected = [day for day in calendar if day.isoweekday() not in (6, 7)]
            numbers = range(len(expected))
            assert [business_date(first, number) for number in numbers] == expected
            query = f"SELECT {business_date_sql(first, 'n')} FROM range({len(expected)}) AS t(n) ORDER BY n"
            assert [day for (day,) in connection.execute(query).fetchall()] == expected


def test_existing_files_are_left_alone(fresh: Path) -> None:
    before = {path: path.stat() for path in fresh.iterdir()}
    ensure_samples(fresh)
    assert {path: path.stat() for path in fresh.iterdir()} == before


def test_a_file_deleted_between_days_is_generated_and_catches_up(tmp_path: Path, days: Days) -> None:
    folder = Path(shutil.copytree(days[1][0], tmp_path / "day1"))
    (folder / "EPICOR.duckdb").unlink()
    summaries = next_day(folder)
    assert contents(folder) == contents(days[2][0])
    assert sorted({(s.source_name, s.day_number) for s in summaries}) == [
        *(("CCM", 2), ("DNA", 2), ("EPICOR", 1), ("EPICOR", 2)),
    ]


def test_a_kill_while_generating_leaves_no_sample_file_behind(fresh: Path, days: Days) -> None:
    code = (
        "import os, signal, sys, pathlib, sources.sample.files as files\n"
        "files._publish = lambda temporary, path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.ensure_samples(pathlib.Path(sys.argv[1]))"
    )
    (fresh / "EPICOR.duckdb").unlink()
    process = run_python(code, str(fresh))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    assert not (fresh / "EPICOR.duckdb").exists()
    (leftover,) = fresh.glob(".*")
    assert leftover.name.startswith(".EPICOR.duckdb.")

    ensure_samples(fresh)
    assert contents(fresh) == contents(days[0][0])
    assert leftover.exists(), "it may belong to a process that is still generating"
    long_ago = time.time() - 3_700
    os.utime(leftover, (long_ago, long_ago))
    (fresh / "EPICOR.duckdb").unlink()
    ensure_samples(fresh)
    assert sorted(path.name for path in fresh.iterdir()) == sorted(f"{name}.duckdb" for name in NAMES)


def test_a_kill_between_two_files_is_completed_by_the_next_call(
    fresh: Path, days: Days, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import os, signal, sys, pathlib\n"
        "from importlib import import_module\n"
        "module = import_module('sources.sample.next_day')\n"
        "write = module.write_state\n"
        "def kill_in_second(connection, day, date):\n"
        "    write(connection, day, date)\n"
        "    if connection.execute('SELECT current_database()').fetchone() == ('CCM',):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.write_state = kill_in_second\n"
        "module.next_day(pathlib.Path(sys.argv[1]))"
    )
    process = run_python(code, str(fresh))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    assert [day for day, _, _ in states(fresh)] == [1, 0, 0]

    assert main(["next-day", "--folder", str(fresh)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == [table for table in TABLES if not table.startswith("DNA.")]
    assert contents(fresh) == contents(days[1][0])


def test_two_processes_may_generate_at_once(fresh: Path, days: Days) -> None:
    code = "import sys, pathlib; from sources.sample import ensure_samples\nensure_samples(pathlib.Path(sys.argv[1]))"
    (fresh / "CCM.duckdb").unlink()
    (fresh / "EPICOR.duckdb").unlink()
    processes = [run_python(code, str(fresh)) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sorted(path.name for path in fresh.iterdir()) == sorted(f"{name}.duckdb" for name in NAMES)
    assert contents(fresh) == contents(days[0][0])


def test_the_slower_of_two_generators_does_not_replace_a_file_in_use(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = files._publish

    def publish_late(temporary: Path, path: Path) -> None:
        path.write_bytes(b"the quicker one's")
        publish(temporary, path)

    monkeypatch.setattr(files, "_publish", publish_late)
    (fresh / "EPICOR.duckdb").unlink()
    ensure_samples(fresh)
    assert (fresh / "EPICOR.duckdb").read_bytes() == b"the quicker one's"
    assert len(list(fresh.iterdir())) == len(NAMES)


def test_without_hard_links_a_file_still_appears_complete(fresh: Path, monkeypatch: pytest.MonkeyPatch, days: Days) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    (fresh / "EPICOR.duckdb").unlink()
    ensure_samples(fresh)
    assert len(list(fresh.iterdir())) == len(NAMES)
    assert contents(fresh) == contents(days[0][0])


def test_a_file_held_by_another_process_is_named_and_nothing_changes(fresh: Path) -> None:
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(fresh / "EPICOR.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SourceUnavailable) as caught:
            next_day(fresh)
        status = main(["next-day", "--folder", str(fresh)])
        holder.communicate(timeout=60)
    assert f"{fresh / 'EPICOR.duckdb'} is in use by another process" in str(caught.value)
    assert str(holder.pid) in str(caught.value)
    assert caught.value.remedy
    assert status == 1
    assert [day for day, _, _ in states(fresh)] == [0, 0, 0]


def test_a_damaged_file_is_named_with_what_to_do(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fresh / "CCM.duckdb").write_bytes(b"not a database")
    with pytest.raises(SourceRefused) as caught:
        next_day(fresh)
    assert str(fresh / "CCM.duckdb") in str(caught.value)
    assert "delete it" in caught.value.remedy
    assert main(["next-day", "--folder", str(fresh)]) == 1
    assert str(fresh / "CCM.duckdb") in capsys.readouterr().err


def test_a_database_that_is_no_sample_is_left_alone(fresh: Path) -> None:
    (fresh / "CCM.duckdb").unlink()
    with duckdb.connect(str(fresh / "CCM.duckdb")) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS x")
    with pytest.raises(SourceRefused, match=r"CCM\.duckdb is not a sample source") as caught:
        next_day(fresh)
    assert caught.value.remedy


def test_a_folder_that_cannot_be_written_is_a_configuration_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as caught:
        ensure_samples(tmp_path / "file" / "sources")
    assert str(tmp_path / "file" / "sources") in str(caught.value)
    assert caught.value.remedy
    assert main(["next-day", "--folder", str(tmp_path / "file")]) == WRONG_USAGE
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_the_command_generates_and_says_so_then_reports_each_table(tmp_path: Path, days: Days) -> None:
    """Another process, another folder: the same day must have the same content here, too."""
    folder = tmp_path / "udm_data" / "sources"
    done = subprocess.run(
        [sys.executable, "-m", "sources", "next-day"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    banner, *lines = done.stdout.splitlines()
    assert banner == f"Generated the sample sources CCM, DNA, EPICOR in {folder}."
    assert [line.split()[1] for line in lines] == TABLES
    assert {line.split()[0] for line in lines} == {business_day(1).isoformat()}
    assert "120 inserted" in lines[0]
    assert contents(folder) == contents(days[1][0])
    assert states(folder) == states(days[1][0])


@pytest.mark.parametrize("arguments", [[], ["yesterday"], ["next-day", "--folder"], ["next-day", "extra"]])
def test_wrong_usage_is_exit_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == WRONG_USAGE
    assert "usage: python -m sources" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["next-day", "--help"]])
def test_help_is_exit_status_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert "next-day" in capsys.readouterr().out
