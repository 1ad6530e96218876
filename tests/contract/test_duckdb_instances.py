"""Instances of DuckDB that are kept for the next file: each file is read as if it had been opened by itself, and let go."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import duckdb
import pytest
from sqlalchemy.engine import URL

from connections import duckdb_instances
from connections.duckdb_target import DuckDBTarget
from connections.target import Databases
from extract.duckdb_extractor import DuckDBExtractor
from extract.extractor import SourceTable
from model.errors import SourceRefused
from sources.registry import Source

T = SourceTable(source="SRC", schema="s", table="t")
ROWS = 5_000


@pytest.fixture(autouse=True)
def spare(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Future[duckdb.DuckDBPyConnection]]]:
    """No instance of another test's, and none left to one."""
    kept: list[Future[duckdb.DuckDBPyConnection]] = []
    monkeypatch.setattr(duckdb_instances, "_SPARE", kept)
    yield kept
    for one in kept:
        one.result().close()


def write(file: Path, value: str, *more: str) -> Path:
    with duckdb.connect(str(file)) as connection:
        for statement in ("CREATE SCHEMA s", f"CREATE TABLE s.t AS SELECT range AS id, '{value}' AS v FROM range({ROWS})", *more):
            connection.execute(statement)
    return file


def opened(file: Path) -> DuckDBExtractor:
    return DuckDBExtractor(Source(name="SRC", url=URL.create("duckdb", database=str(file))))


def values(extractor: DuckDBExtractor, table: SourceTable = T) -> set[str]:
    columns = extractor.describe(table).columns
    return {value for frame in extractor.read(table, columns, ROWS) for value in frame.get_column("v").unique()}


def writes(file: Path) -> bool:
    """Whether another process can open the file for writing: nobody has it open."""
    code = f"import duckdb; duckdb.connect({str(file)!r}).execute('CREATE TABLE w (i INT)')"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_one_instance_reads_one_file_after_the_other_and_lets_each_go(
    tmp_path: Path, spare: list[Future[duckdb.DuckDBPyConnection]]
) -> None:
    files = [write(tmp_path / f"{name}.duckdb", name) for name in ("one", "two")]
    for file in files:
        with opened(file) as extractor:
            assert values(extractor) == {file.stem}
            assert not spare
            assert not writes(file)
        assert len(spare) == 1
        assert writes(file)


def test_two_files_at_once_have_an_instance_each(tmp_path: Path, spare: list[Future[duckdb.DuckDBPyConnection]]) -> None:
    one, two = (opened(write(tmp_path / f"{name}.duckdb", name)) for name in ("one", "two"))
    assert (values(one), values(two)) == ({"one"}, {"two"})
    one.close()
    two.close()
    one.close()
    assert len(spare) == 2


@pytest.mark.parametrize("stem", ["memory", "temp", "system", "main", "a.b", "it's", 'q"q', "1 x"])
def test_a_file_of_any_name_is_read_and_its_views_may_name_it(tmp_path: Path, stem: str) -> None:
    file = write(tmp_path / f"{stem}.duckdb", "v", "CREATE VIEW s.w AS SELECT * FROM s.t")
    for _ in range(2):
        with opened(file) as extractor:
            assert values(extractor, SourceTable(source="SRC", schema="s", table="w")) == {"v"}


def test_a_view_may_name_the_file_that_it_is_in(tmp_path: Path) -> None:
    file = write(tmp_path / "bank.duckdb", "v", "CREATE VIEW s.w AS SELECT * FROM bank.s.t")
    with opened(file) as extractor:
        assert values(extractor, SourceTable(source="SRC", schema="s", table="w")) == {"v"}


def test_a_read_that_is_given_up_ends_the_instance_and_lets_the_file_go(
    tmp_path: Path, spare: list[Future[duckdb.DuckDBPyConnection]]
) -> None:
    file = write(tmp_path / "one.duckdb", "one")
    with opened(file) as extractor:
        frames = extractor.read(T, extractor.describe(T).columns, 100)
        next(frames)
        connection = extractor._connection
    assert not spare
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("SELECT 1")
    del frames
    assert writes(file)


def test_whatever_is_attached_is_let_go(tmp_path: Path, spare: list[Future[duckdb.DuckDBPyConnection]]) -> None:
    file = write(tmp_path / "one.duckdb", "one")
    instance = duckdb_instances.take_instance()
    duckdb_instances.attach_to_read(instance, file)
    instance.execute("USE memory")  # as where an attachment was interrupted
    duckdb_instances.give_back(instance)
    assert len(spare) == 1
    assert writes(file)


def test_an_instance_that_has_spilled_is_not_kept(tmp_path: Path, spare: list[Future[duckdb.DuckDBPyConnection]]) -> None:
    file = write(tmp_path / "one.duckdb", "one")
    with opened(file) as extractor:
        extractor._connection.execute("SET memory_limit = '100MB'")
        extractor._connection.execute("CREATE TEMP TABLE s AS SELECT random() AS x, range AS y FROM range(6000000) ORDER BY x")
        assert list(tmp_path.glob("one.duckdb.tmp/*"))  # beside the file, where DuckDB puts what it spills
    assert not spare
    assert not list(tmp_path.glob("one.duckdb.tmp/*"))


def test_a_file_that_cannot_be_opened_costs_no_instance(
    tmp_path: Path, spare: list[Future[duckdb.DuckDBPyConnection]]
) -> None:
    (tmp_path / "bad.duckdb").write_bytes(b"x" * 5_000)
    with pytest.raises(SourceRefused, match="not a valid DuckDB database file"):
        opened(tmp_path / "bad.duckdb")
    assert len(spare) == 1
    with opened(write(tmp_path / "one.duckdb", "one")) as extractor:
        assert values(extractor) == {"one"}


def test_who_has_closed_interrupts_nobody_else(tmp_path: Path) -> None:
    first = opened(write(tmp_path / "one.duckdb", "one"))
    first.close()
    with opened(write(tmp_path / "two.duckdb", "two")) as second:
        assert second._connection is first._connection
        frames = second.read(T, second.describe(T).columns, 100)
        next(frames)
        first.interrupt()
        assert sum(frame.height for frame in frames) == ROWS - 100


def test_instances_made_ahead_are_taken_first_and_their_error_is_the_takers(monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb_instances.make_ahead(1)
    made = duckdb_instances.take_instance()
    assert made.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall() == [("memory",)]
    made.close()

    def broken() -> duckdb.DuckDBPyConnection:
        raise duckdb.OutOfMemoryException("no memory")

    monkeypatch.setattr(duckdb, "connect", broken)
    duckdb_instances.make_ahead(1)
    with pytest.raises(duckdb.OutOfMemoryException):
        duckdb_instances.take_instance()


def test_a_closed_target_has_written_everything_and_let_its_files_go(tmp_path: Path) -> None:
    target = DuckDBTarget(tmp_path, Databases(stage="S", bronze="B", general="G"), memory_limit="500MB")
    with target.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE G.main.t AS SELECT 1 AS i")
    assert (tmp_path / "G.duckdb.wal").exists()
    target.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["B.duckdb", "G.duckdb", "S.duckdb"]
    assert all(writes(tmp_path / f"{name}.duckdb") for name in "SBG")
    target.close()


def test_a_process_that_ends_while_memory_is_freed_ends_well(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from connections.duckdb_target import DuckDBTarget
from connections.target import Databases
target = DuckDBTarget(Path({str(tmp_path)!r}), Databases(stage="S", bronze="B", general="G"), memory_limit="2GB")
target._root.execute("CREATE TABLE memory.main.big AS SELECT range AS i, range::VARCHAR AS v FROM range(5_000_000)")
target.close()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
