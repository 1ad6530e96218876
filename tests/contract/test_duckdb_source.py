"""A DuckDB file as a source: what its catalogue says of a table, whatever case the table is listed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sqlalchemy.engine import URL

from extract.duckdb_extractor import DuckDBExtractor
from extract.extractor import SourceTable
from model.errors import SourceRefused, SourceTableMissing
from sources.registry import Source

TABLES = (
    "CREATE SCHEMA s",
    'CREATE TABLE s."One" ("Id" INTEGER PRIMARY KEY, v VARCHAR NOT NULL UNIQUE)',
    "CREATE TABLE s.two (a INTEGER, b INTEGER, v DECIMAL(9,2), PRIMARY KEY (b, a))",
    "CREATE TABLE s.uniq (a INTEGER UNIQUE, b VARCHAR NOT NULL UNIQUE, c INTEGER NOT NULL)",
    "CREATE TABLE s.indexed (a INTEGER NOT NULL, b INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX of_two ON s.indexed (b, a)",
    "CREATE VIEW s.seen AS SELECT * FROM s.two",
    "CREATE TABLE s.dropped (a INTEGER)",
    "CREATE VIEW s.broken AS SELECT * FROM s.dropped",
    "DROP TABLE s.dropped",
)


@pytest.fixture
def extractor(tmp_path: Path) -> Iterator[DuckDBExtractor]:
    file = tmp_path / "source.duckdb"
    with duckdb.connect(str(file)) as connection:
        for statement in TABLES:
            connection.execute(statement)
    with DuckDBExtractor(Source(name="SRC", url=URL.create("duckdb", database=str(file)))) as opened:
        yield opened


@pytest.mark.parametrize(
    ("table", "columns", "key"),
    [
        ("One", ["Id INTEGER", "v VARCHAR"], ("Id",)),
        ("two", ["a INTEGER", "b INTEGER", "v DECIMAL(9,2)"], ("b", "a")),
        ("uniq", ["a INTEGER", "b VARCHAR", "c INTEGER"], ("b",)),
        ("indexed", ["a INTEGER", "b INTEGER"], ("b", "a")),
        ("seen", ["a INTEGER", "b INTEGER", "v DECIMAL(9,2)"], ()),
    ],
)
def test_columns_and_key_are_the_catalogues(
    extractor: DuckDBExtractor, table: str, columns: list[str], key: tuple[str, ...]
) -> None:
    for listed in (table, table.upper(), table.lower()):
        found = extractor.describe(SourceTable(source="SRC", schema="s", table=listed))
        assert [f"{column.name} {column.source_type}" for column in found.columns] == columns
        assert found.key == key


@pytest.mark.parametrize(("schema", "table"), [("s", "absent"), ("absent", "two"), (None, "two")])
def test_a_table_that_is_not_there_is_named(extractor: DuckDBExtractor, schema: str | None, table: str) -> None:
    with pytest.raises(SourceTableMissing, match=rf"has no table {schema or 'main'}\.{table}"):
        extractor.describe(SourceTable(source="SRC", schema=schema, table=table))
    assert extractor.describe(SourceTable(source="SRC", schema="s", table="two")).key == ("b", "a")


def test_a_view_over_a_table_that_is_not_there_says_which(extractor: DuckDBExtractor) -> None:
    with pytest.raises(SourceRefused, match="Catalog Error: Table with name dropped does not exist") as caught:
        extractor.describe(SourceTable(source="SRC", schema="S", table="Broken"))
    assert not isinstance(caught.value, SourceTableMissing)
