"""From SQL Server into the embedded target, end to end: a first run, an unchanged one, and one with changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.names import bronze_name
from orchestration.table_config import TableConfig
from tests.contract.backends import DuckDB
from tests.contract.pipeline import Pipeline, opened_pipeline
from tests.contract.sqlserver_source import Server, own_database

pytestmark = pytest.mark.mssql


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_database(f"udm_e2e_{os.getpid()}") as opened_database:
        yield opened_database


@pytest.fixture
def pipeline(server: Server, tmp_path: Path) -> Iterator[Pipeline]:
    with opened_pipeline(DuckDB(), tmp_path) as opened:
        opened.source = server  # type: ignore[assignment]  # it has a name and an entry: all that a run asks for
        yield opened


def active(pipeline: Pipeline, table: str) -> list[tuple[object, ...]]:
    name = bronze_name(pipeline.target.databases.bronze, "SRC", table)
    columns = "id, name, amount, since, UdmScd2Operation"
    query = f"SELECT {columns} FROM {pipeline.target.quoted(name)} WHERE UdmActiveFlag ORDER BY id"
    with pipeline.target.engine.connect() as connection:
        return [tuple(map(str, row)) for row in connection.exec_driver_sql(query)]


# One table that ConnectorX carries, one that it does not.
@pytest.mark.parametrize("amount", ["money", "decimal(38,10)"])
def test_a_table_of_sql_server_is_loaded_kept_and_changed(pipeline: Pipeline, server: Server, amount: str) -> None:
    full = server.table(
        "Contract",
        f"id int NOT NULL PRIMARY KEY, name nvarchar(40), amount {amount}, since datetime",
        "(1, N'é\U0001f600 ', 1.5, '20240229 01:02:03.007')",
        "(2, N'', 2, NULL)",
        "(3, NULL, NULL, '20240101')",
    )
    pipeline.configs["Contract"] = TableConfig(source="SRC", source_schema="dbo", table="Contract")
    zeros = "00" if amount == "money" else "0" * 8
    first = pipeline.load("Contract")
    assert (first.inserted, first.updated, first.deleted) == (3, 0, 0)
    one, two, three = active(pipeline, "Contract")
    assert one == ("1", "é\U0001f600 ", f"1.50{zeros}", "2024-02-29 01:02:03.007000", "I")
    assert two == ("2", "", f"2.00{zeros}", "None", "I")
    assert three == ("3", "None", "None", "2024-01-01 00:00:00", "I")

    second = pipeline.load("Contract")
    assert (second.inserted, second.updated, second.deleted) == (0, 0, 0)

    server.execute(f"UPDATE {full} SET name = NULL WHERE id = 2", f"DELETE FROM {full} WHERE id = 3")
    server.execute(f"INSERT INTO {full} VALUES (4, N'new', 4, NULL)")
    third = pipeline.load("Contract")
    assert (third.inserted, third.updated, third.deleted) == (1, 1, 1)
    assert active(pipeline, "Contract") == [
        one,
        ("2", "None", f"2.00{zeros}", "None", "U"),
        ("4", "new", f"4.00{zeros}", "None", "I"),
    ]
