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
from model.errors import ConfigurationError
from model.names import TableName
from model.ops import BATCH_SEQUENCE, MARKERS, OPS, TABLE_PUBLISHED
from model.types import integer
from tests.contract.backends import Backend
from tests.contract.pipeline import schema_of

Open = Callable[[], Target]


@pytest.fixture
def url(backend: Backend, tmp_path: Path) -> URL:
    """A warehouse in which nothing was ever created."""
    return backend.empty(tmp_path)


@pytest.fixture
def opening(backend: Backend, url: URL, tmp_path: Path) -> Iterator[Open]:
    """Opens the warehouse, as often as asked, and closes what is open."""
    opened: list[Target] = []

    def open_it() -> Target:
        close()
        opened.append(open_target(backend.settings(url, tmp_path)))
        return opened[-1]

    def close() -> None:
        for target in opened:
            target.close()

    yield open_it
    close()


def columns(target: Target, database: str, schema: str, table: str) -> dict[str, str]:
    with target.engine.connect() as connection:
        held = target.columns_of(connection, TableName(database=database, schema=schema, table=table))
    return {column.name: column.source_type for column in held}


def rows(target: Target, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a statement in which {dbo} and {ops} stand for General's schemas."""
    schemas = {schema: schema_of(target, target.databases.general, schema) for schema in ("dbo", "ops")}
    with target.engine.begin() as connection:
        result = connection.execute(sa.text(sql.format(**schemas)))
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
    rows(target, "INSERT INTO {dbo}.\"UdmTablesList\" (\"SourceName\", \"SourceObjectName\") VALUES ('DNA', 'ACCT')")
    target = opening()
    with target.engine.begin() as connection:
        assert target.draw(connection, BATCH_SEQUENCE) > first
    assert rows(target, 'SELECT "SourceName", "SourceObjectName" FROM {dbo}."UdmTablesList"') == [("DNA", "ACCT")]


def test_users_own_control_tables_get_the_missing_columns_and_keep_theirs(backend: Backend, url: URL, opening: Open) -> None:
    dbo = backend.schema("General", "dbo")
    text = "VARCHAR(50)"
    backend.execute(
        url,
        "General",
        *backend.create_schema(dbo),
        f'CREATE TABLE {dbo}."UdmTablesList" ("Owner" {text} NOT NULL, "SourceName" VARCHAR(20) NOT NULL, "SourceObjectName" '
        f'VARCHAR(500), "LookbackDays" BIGINT, "StageLoadTool" {text} DEFAULT \'Python\', PRIMARY KEY ("SourceName", "Owner"))',
        f"INSERT INTO {dbo}.\"UdmTablesList\" VALUES ('Ann', 'DNA', 'ACCT', 3, 'Python'), ('Bob', 'CCM', 'X', NULL, 'SSIS')",
        f'CREATE TABLE {dbo}."UdmTablesColumnsList" ("SourceName" {text}, "TableName" {text}, "ColumnName" {text}, '
        f'"Note" {text})',
        f"INSERT INTO {dbo}.\"UdmTablesColumnsList\" VALUES ('DNA', 'ACCT', 'ID', 'theirs')",
    )
    target = opening()
    listed = columns(target, target.databases.general, "dbo", "UdmTablesList")
    assert list(listed)[:5] == ["Owner", "SourceName", "SourceObjectName", "LookbackDays", "StageLoadTool"]
    assert listed["LookbackDays"] == target.type_text(integer(64))
    assert set(listed) == {"Owner", *(column.name for column in CONTROL.tables["dbo.UdmTablesList"].columns)}
    mine = columns(target, target.databases.general, "dbo", "UdmTablesColumnsList")
    assert set(mine) == {"Note", *(column.name for column in CONTROL.tables["dbo.UdmTablesColumnsList"].columns)}
    stored = 'SELECT "Owner", "SourceName", "SourceObjectName", "LookbackDays", "StageLoadTool", "PartitionOn" FROM '
    assert rows(target, f'{stored} {{dbo}}."UdmTablesList" ORDER BY 1') == [
        ("Ann", "DNA", "ACCT", 3, "Python", None),
        ("Bob", "CCM", "X", None, "SSIS", None),
    ]
    assert rows(target, 'SELECT "Note", "IsPrimaryKey" FROM {dbo}."UdmTablesColumnsList"') == [("theirs", None)]


def test_columns_that_users_spell_in_another_case_are_not_added_again(backend: Backend, url: URL, opening: Open) -> None:
    dbo = backend.schema("General", "dbo")
    spelled = '"sourcename" VARCHAR(50), "SOURCEOBJECTNAME" VARCHAR(50), "stageloadtool" VARCHAR(50)'
    backend.execute(url, "General", *backend.create_schema(dbo), f'CREATE TABLE {dbo}."UdmTablesList" ({spelled})')
    if backend.compares_case:
        # Two names there: ours would be added beside theirs, and their rows passed over in silence.
        with pytest.raises(ConfigurationError, match=r"sourcename.*SourceName|SOURCEOBJECTNAME|stageloadtool"):
            opening()
        return
    target = opening()
    found = columns(target, target.databases.general, "dbo", "UdmTablesList")
    assert len(found) == len(CONTROL.tables["dbo.UdmTablesList"].columns)


def test_control_tables_that_users_spell_in_another_case_are_theirs_too(backend: Backend, url: URL, opening: Open) -> None:
    upper = backend.schema("General", "DBO")
    backend.execute(
        url,
        "General",
        *backend.create_schema(upper),
        f'CREATE TABLE {upper}."UDMTABLESLIST" ("SourceName" VARCHAR(50), "SourceObjectName" VARCHAR(50))',
        f"INSERT INTO {upper}.\"UDMTABLESLIST\" VALUES ('DNA', 'ACCT')",
    )
    if backend.compares_case:
        with pytest.raises(ConfigurationError, match="UDMTABLESLIST"):
            opening()
        return
    target = opening()
    query = 'SELECT "SourceName", "StageLoadTool" FROM {dbo}."UdmTablesList"'
    assert rows(target, query) == [("DNA", None)]


def test_a_table_of_ops_that_lost_a_column_gets_it_back_and_keeps_its_rows(opening: Open) -> None:
    target = opening()
    with target.engine.begin() as connection:
        now = target.now(connection)
        published = {"SourceName": "DNA", "TableName": "ACCT", "BatchId": 1, "Instant": now, "PublishedAt": now}
        connection.execute(sa.insert(target.own(TABLE_PUBLISHED)).values(published))
    general, table = target.databases.general, target.own(TABLE_PUBLISHED)
    name = target.engine.dialect.identifier_preparer.format_table(table)
    with target.engine.begin() as connection:
        connection.execute(target.ddl(general, f'ALTER TABLE {name} DROP COLUMN "PublishedAt"'))
    target = opening()
    assert rows(target, 'SELECT "BatchId", "PublishedAt" FROM {ops}."TablePublished"') == [(1, None)]


def test_every_count_id_and_duration_is_64_bits_wide(opening: Open) -> None:
    """Never again: INT counters."""
    target = opening()
    databases = target.databases
    counted = 0
    for database, metadata in ((databases.general, OPS), (databases.stage, MARKERS), (databases.bronze, MARKERS)):
        for table in metadata.sorted_tables:
            for name, kind in columns(target, database, table.schema or "", table.name).items():
                if name.startswith("Rows") or name.endswith(("Id", "Number", "Ms")):
                    assert kind == target.type_text(integer(64)), f"{table.name}.{name}"
                    counted += 1
    assert counted > 20
