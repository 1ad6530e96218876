"""General: what is missing is created, what users have is added to and never dropped, narrowed or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from connections import open_target
from connections.target import Target
from model.control import CONTROL
from model.ops import BATCH_SEQUENCE, MARKERS, OPS
from tests.contract.backends import Backend, settings_for

Open = Callable[[], Target]


@pytest.fixture
def url(backend: Backend, tmp_path: Path) -> URL:
    """A warehouse in which nothing was ever created."""
    return backend.empty(tmp_path)


@pytest.fixture
def opening(url: URL, tmp_path: Path) -> Iterator[Open]:
    """Opens the warehouse, as often as asked, and closes what is open."""
    opened: list[Target] = []

    def open_it() -> Target:
        close()
        opened.append(open_target(settings_for(url, tmp_path)))
        return opened[-1]

    def close() -> None:
        for target in opened:
            target.close()

    yield open_it
    close()


def columns(target: Target, database: str, schema: str, table: str) -> dict[str, str]:
    query = (
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_catalog = :database "
        "AND table_schema = :schema AND table_name = :table ORDER BY ordinal_position"
    )
    with target.engine.connect() as connection:
        rows = connection.execute(sa.text(query), {"database": database, "schema": schema, "table": table})
        return {name: kind for name, kind in rows}  # noqa: C416 - a row is not a pair to mypy


def rows(target: Target, sql: str) -> list[tuple[Any, ...]]:
    with target.engine.begin() as connection:
        result = connection.execute(sa.text(sql))
        return [tuple(row) for row in result] if result.returns_rows else []


def test_an_empty_warehouse_gets_every_control_and_ops_table_with_every_column(opening: Open) -> None:
    target = opening()
    databases = target.databases
    everywhere = [(databases.general, CONTROL), (databases.general, OPS), (databases.stage, MARKERS), (databases.bronze, MARKERS)]
    for database, metadata in everywhere:
        for table in metadata.sorted_tables:
            held = columns(target, database, table.schema or "", table.name)
            assert list(held) == [column.name for column in table.columns], table.name


def test_opening_again_keeps_every_row_and_the_sequences_go_on(opening: Open) -> None:
    target = opening()
    with target.engine.begin() as connection:
        first = target.draw(connection, BATCH_SEQUENCE)
    rows(target, "INSERT INTO \"General\".dbo.\"UdmTablesList\" (\"SourceName\", \"SourceObjectName\") VALUES ('DNA', 'ACCT')")
    target = opening()
    with target.engine.begin() as connection:
        assert target.draw(connection, BATCH_SEQUENCE) > first
    assert rows(target, 'SELECT "SourceName", "SourceObjectName" FROM "General".dbo."UdmTablesList"') == [("DNA", "ACCT")]


def test_users_own_control_tables_get_the_missing_columns_and_keep_theirs(backend: Backend, url: URL, opening: Open) -> None:
    backend.execute(
        url,
        "General",
        "CREATE SCHEMA dbo",
        'CREATE TABLE dbo."UdmTablesList" ("Owner" VARCHAR NOT NULL, "SourceName" VARCHAR(20) NOT NULL, "SourceObjectName" '
        'VARCHAR(500), "LookbackDays" BIGINT, "StageLoadTool" VARCHAR DEFAULT \'Python\', PRIMARY KEY ("SourceName", "Owner"))',
        "INSERT INTO dbo.\"UdmTablesList\" VALUES ('Ann', 'DNA', 'ACCT', 3, 'Python'), ('Bob', 'CCM', 'X', NULL, 'SSIS')",
        'CREATE TABLE dbo."UdmTablesColumnsList" ("SourceName" VARCHAR, "TableName" VARCHAR, "ColumnName" VARCHAR, '
        '"Note" VARCHAR)',
        "INSERT INTO dbo.\"UdmTablesColumnsList\" VALUES ('DNA', 'ACCT', 'ID', 'theirs')",
    )
    target = opening()
    listed = columns(target, "General", "dbo", "UdmTablesList")
    assert list(listed)[:5] == ["Owner", "SourceName", "SourceObjectName", "LookbackDays", "StageLoadTool"]
    assert listed["LookbackDays"] == "BIGINT"
    assert set(listed) == {"Owner", *(column.name for column in CONTROL.tables["dbo.UdmTablesList"].columns)}
    mine = columns(target, "General", "dbo", "UdmTablesColumnsList")
    assert set(mine) == {"Note", *(column.name for column in CONTROL.tables["dbo.UdmTablesColumnsList"].columns)}
    stored = 'SELECT "Owner", "SourceName", "SourceObjectName", "LookbackDays", "StageLoadTool", "PartitionOn" FROM '
    assert rows(target, f'{stored} "General".dbo."UdmTablesList" ORDER BY 1') == [
        ("Ann", "DNA", "ACCT", 3, "Python", None),
        ("Bob", "CCM", "X", None, "SSIS", None),
    ]
    assert rows(target, 'SELECT "Note", "IsPrimaryKey" FROM "General".dbo."UdmTablesColumnsList"') == [("theirs", None)]


def test_columns_that_users_spell_in_another_case_are_not_added_again(backend: Backend, url: URL, opening: Open) -> None:
    backend.execute(
        url,
        "General",
        "CREATE SCHEMA dbo",
        'CREATE TABLE dbo."UdmTablesList" (sourcename VARCHAR, SOURCEOBJECTNAME VARCHAR, stageloadtool VARCHAR)',
    )
    assert len(columns(opening(), "General", "dbo", "UdmTablesList")) == len(CONTROL.tables["dbo.UdmTablesList"].columns)


def test_control_tables_that_users_spell_in_another_case_are_theirs_too(backend: Backend, url: URL, opening: Open) -> None:
    backend.execute(
        url,
        "General",
        "CREATE SCHEMA DBO",
        "CREATE TABLE dbo.UDMTABLESLIST (SourceName VARCHAR, SourceObjectName VARCHAR)",
        "INSERT INTO dbo.UDMTABLESLIST VALUES ('DNA', 'ACCT')",
    )
    target = opening()
    query = 'SELECT "SourceName", "StageLoadTool" FROM "General".dbo."UdmTablesList"'
    assert rows(target, query) == [("DNA", None)]


def test_a_table_of_ops_that_lost_a_column_gets_it_back_and_keeps_its_rows(opening: Open) -> None:
    target = opening()
    insert = 'INSERT INTO "General".ops."TablePublished" VALUES (\'DNA\', \'ACCT\', 1, now()::TIMESTAMP, now()::TIMESTAMP)'
    rows(target, insert)
    rows(target, 'ALTER TABLE "General".ops."TablePublished" DROP COLUMN "PublishedAt"')
    target = opening()
    assert rows(target, 'SELECT "BatchId", "PublishedAt" FROM "General".ops."TablePublished"') == [(1, None)]


def test_every_count_id_and_duration_is_64_bits_wide(opening: Open) -> None:
    """Never again: INT counters."""
    target = opening()
    databases = target.databases
    counted = 0
    for database, metadata in ((databases.general, OPS), (databases.stage, MARKERS), (databases.bronze, MARKERS)):
        for table in metadata.sorted_tables:
            for name, kind in columns(target, database, table.schema or "", table.name).items():
                if name.startswith("Rows") or name.endswith(("Id", "Number", "Ms")):
                    assert kind == "BIGINT", f"{table.name}.{name}"
                    counted += 1
    assert counted > 20
