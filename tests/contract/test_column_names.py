"""Column and table names: any name that a database allows is carried, but for those that collide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import orchestration.extraction
from extract.duckdb_extractor import DuckDBExtractor
from extract.extractor import SourceDescription, SourceTable
from extract.source_connections import SourceConnections
from model.system_columns import BRONZE_SYSTEM, STAGE_SYSTEM
from model.types import TEXT, Column
from sources.registry import Source
from tests.contract.pipeline import Pipeline

AWKWARD = (
    "a%b", 'a"b', "a.b", "a b ", ":x", "a\\b", "{x}", "[x]", "%(x)s", "a'b", "--", "/* */", "order", "SELECT", "index", "key",
    "rowid", "sent_key", "change_operation", "before", "changes", "found", "conflict", "incoming_arrow_stream", "literal",
    "at", "struct", "pivot", "map", "ünïcödé", "\N{GRINNING FACE}", "x" * 60, "1", "ID ", "_pos", "a:null", "a:least", "\t",
)  # fmt: skip


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def awkward_names(pipeline: Pipeline) -> list[str]:
    return [name for name in AWKWARD if name not in pipeline.backend.lacking_names]


def awkward_table(pipeline: Pipeline, rows: list[tuple[object, ...]]) -> None:
    columns = ", ".join(f"{identifier(name)} VARCHAR" for name in awkward_names(pipeline))
    pipeline.source.table("AWKWARD", f"ID INTEGER PRIMARY KEY, {columns}", rows)


def test_columns_with_awkward_names_are_loaded_updated_and_deleted(pipeline: Pipeline) -> None:
    names = awkward_names(pipeline)
    values = tuple(f"in {name}" for name in names)
    awkward_table(pipeline, [(1, *values), (2, *values), (3, *values)])
    pipeline.load("AWKWARD")
    turned = values[1:] + values[:1]
    awkward_table(pipeline, [(1, *values), (2, *turned)])
    result = pipeline.load("AWKWARD")
    assert (result.unchanged, result.updated, result.deleted) == (1, 1, 1)
    active = [row for row in pipeline.dump("bronze", "AWKWARD") if row["UdmActiveFlag"]]
    assert {row["ID"]: tuple(row[name] for name in names) for row in active} == {1: values, 2: turned}


def test_a_name_that_is_too_long_for_the_target_fails_its_table_before_anything_is_read(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL would cut it in silence, and take two columns for one."""
    long = "y" * (pipeline.backend.longest_name or 120)
    pipeline.source.table("WIDE", f'ID INTEGER PRIMARY KEY, "{long}1" INTEGER, "{long}2" INTEGER', [(1, 1, 1)])
    pipeline.source.table(long, "ID INTEGER PRIMARY KEY", [(1,)])
    if pipeline.backend.longest_name is None:
        assert pipeline.load("WIDE").inserted == pipeline.load(long).inserted == 1
        return
    monkeypatch.setattr(DuckDBExtractor, "read", None)
    for table, name in (("WIDE", f"{long}1"), (long, f"{long}_cdc")):
        message = pipeline.fail(table)
        assert repr(name) in message
        assert str(pipeline.backend.longest_name) in message
        assert pipeline.columns("stage", table) == {}


@pytest.mark.parametrize("table", ['a"b', "a.b%", ":x '", "ünï_7"])
def test_a_table_with_an_awkward_name_is_loaded_twice(pipeline: Pipeline, table: str) -> None:
    pipeline.source.table(table.replace('"', '""'), "ID INTEGER PRIMARY KEY, V INTEGER", [(1, 1), (2, 2)])
    pipeline.load(table)
    pipeline.source.table(table.replace('"', '""'), "ID INTEGER PRIMARY KEY, V INTEGER", [(1, 1), (2, 3)])
    assert pipeline.load(table).updated == 1
    assert len(pipeline.dump("bronze", table)) == 3
    assert pipeline.staging_tables() == []


def test_a_source_column_named_like_one_of_ours_fails_its_table_alone_and_names_both(pipeline: Pipeline) -> None:
    names = [STAGE_SYSTEM[0], STAGE_SYSTEM[-1], BRONZE_SYSTEM[0], BRONZE_SYSTEM[-1], "UDMHASH", "udmactiveflag"]
    tables = [f"T{number}" for number in range(len(names))]
    statements = [f'CREATE TABLE {table} ("{name}" INTEGER PRIMARY KEY)' for table, name in zip(tables, names, strict=True)]
    pipeline.source.execute(*statements)
    pipeline.source.table("FINE", "ID INTEGER PRIMARY KEY", [(1,)])
    *refused, fine = pipeline.run_tables(*tables, "FINE")
    assert fine.status == "SUCCESS"
    for name, result in zip(names, refused, strict=True):
        assert result.status == "FAILED"
        assert repr(name) in result.message
        assert "view" in result.message
        assert pipeline.columns("stage", result.table) == {}


class TwoSpellings(DuckDBExtractor):
    """A source that knows `Name` and `NAME` apart, as PostgreSQL and Oracle do and DuckDB does not."""

    def describe(self, table: SourceTable) -> SourceDescription:
        known = super().describe(table)
        return SourceDescription(columns=(*known.columns, Column(name="NAME", type=TEXT)), key=known.key)


def test_columns_that_differ_only_in_case_fail_the_table_and_are_named(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_it(source: Source, connections: SourceConnections) -> DuckDBExtractor:
        return TwoSpellings(source)

    monkeypatch.setattr(orchestration.extraction, "open_extractor", open_it)
    pipeline.source.table("ACCT", "ID INTEGER PRIMARY KEY, Name VARCHAR", [(1, "x")])
    message = pipeline.fail("ACCT")
    assert "'Name'" in message
    assert "'NAME'" in message
    assert pipeline.columns("stage", "ACCT") == {}


@pytest.fixture
def renamed(pipeline: Pipeline) -> Iterator[Pipeline]:
    pipeline.source.table("ACCT", "ID INTEGER PRIMARY KEY, Balance INTEGER", [(1, 1)])
    pipeline.load("ACCT")
    yield pipeline
    assert [row["Balance"] for row in pipeline.dump("bronze", "ACCT")] == [1]


@pytest.mark.parametrize("columns", ["ID INTEGER PRIMARY KEY, BALANCE INTEGER", "Id INTEGER PRIMARY KEY, Balance INTEGER"])
def test_a_column_whose_name_changes_in_case_only_is_an_error_that_names_both_spellings(renamed: Pipeline, columns: str) -> None:
    renamed.source.table("ACCT", columns, [(1, 2)])
    message = renamed.fail("ACCT")
    old, new = ("Balance", "BALANCE") if "BALANCE" in columns else ("ID", "Id")
    assert repr(old) in message
    assert repr(new) in message
    assert "view" in message
    query = 'SELECT "ErrorType" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch AND "EventType" = \'EXTRACT\''
    assert renamed.query(query, batch=renamed.batch) == [("SchemaEvolutionError",)]


def test_a_table_of_a_thousand_columns_is_loaded_and_compared(pipeline: Pipeline) -> None:
    if pipeline.backend.name == "postgresql":
        pytest.skip("takes ten seconds each; PostgreSQL's own limit has a test of its own")
    names = [f"C{number}" for number in range(1, 1_000)]
    columns = ", ".join(["ID INTEGER PRIMARY KEY", *(f"{name} INTEGER" for name in names)])
    rows = f"SELECT {', '.join(['range'] * 1_000)} FROM range(5)"
    pipeline.source.execute(f"CREATE TABLE WIDE ({columns})", f"INSERT INTO WIDE {rows}")
    assert pipeline.load("WIDE").inserted == 5
    pipeline.source.execute("UPDATE WIDE SET C999 = NULL WHERE ID = 3")
    result = pipeline.load("WIDE")
    assert (result.updated, result.unchanged) == (1, 4)
