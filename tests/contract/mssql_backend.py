"""SQL Server as a kind of target: three new databases a warehouse, of the server that `tests.mssql_server` finds."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from config import Settings
from connections.mssql_login import login_of
from connections.mssql_session import connect
from connections.odbc import driver_for
from connections.target import Target
from model.names import TableName
from tests.contract.backends import Backend, same
from tests.mssql_server import babelfish, mssql_server

_WAREHOUSE = "warehouse"  # in a URL of ours: the stem of its databases' names


class MSSQL(Backend):
    """Names of their own keep warehouses apart that are open at once."""

    name = "mssql"
    flags: ClassVar[dict[str, str]] = {"true": "1", "false": "0"}
    stored_types: ClassVar[dict[str, str]] = {
        "BOOLEAN": "bit",
        "TINYINT": "smallint",
        "SMALLINT": "smallint",
        "INTEGER": "int",
        "BIGINT": "bigint",
        "UTINYINT": "tinyint",
        "USMALLINT": "int",
        "UINTEGER": "bigint",
        "UBIGINT": "decimal(20,0)",
        "FLOAT": "real",
        "DOUBLE": "float(53)",
        "DATE": "date",
        "TIME": "time(6)",
        **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), "datetime2(6)"),
        "TIMESTAMP WITH TIME ZONE": "datetimeoffset(6)",
        "UUID": "uniqueidentifier",
        "BLOB": "varbinary(max)",
        **{f"DECIMAL({size})": f"decimal({size})" for size in ("38,0", "38,37", "19,4", "18,3", "9,2", "4,1")},
    }
    longest_key = "NVARCHAR(450)"
    holds_infinity = False
    longest_name = 128
    text_type = "nvarchar(max)"
    refused_values: ClassVar[dict[str, tuple[str, ...]]] = {
        "FLOAT": ("'NaN'", "'inf'", "'-inf'"),
        "DOUBLE": ("'NaN'", "'inf'", "'-inf'"),
        "DATE": ("'infinity'", "'-infinity'", "'5877642-06-25 (BC)'"),
        "TIME": ("'24:00:00'",),
        "TIMESTAMP": ("'infinity'", "'-infinity'", "'290309-12-22 (BC) 00:00:00'"),
        "TIMESTAMP_S": ("'infinity'",),
        "TIMESTAMP_MS": ("'-infinity'",),
        "TIMESTAMP WITH TIME ZONE": ("'infinity'",),
    }
    refusing = (
        "ALTER TABLE {table} ADD [Refused] INTEGER NULL",
        "UPDATE {table} SET [Refused] = 1",
        "ALTER TABLE {table} ADD CONSTRAINT [Refused_by_test] CHECK ([Refused] IS NOT NULL)",
    )

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    @property
    def holds_nul(self) -> bool:  # type: ignore[override]
        """SQL Server's text may hold U+0000, PostgreSQL's beneath the test server may not."""
        return not babelfish()

    def lacking_values(self, kind: str) -> tuple[str, ...]:
        return ("'a' || chr(0) || 'b'", "chr(0)") if kind == "VARCHAR" and not self.holds_nul else ()

    @property
    def lacking_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The test server takes ]] for two ends and `found` for a variable, and miscounts names beyond the BMP."""
        return ("[x]", "found", "\N{GRINNING FACE}") if babelfish() else ()

    def declare(self, request: pytest.FixtureRequest, gap: str) -> None:
        if babelfish():
            request.applymarker(pytest.mark.xfail(strict=True, reason=f"the T-SQL test server {gap}"))

    def settings(self, url: URL, folder: Path) -> Settings:
        stem = str(url.query[_WAREHOUSE])
        plain = url.difference_update_query([_WAREHOUSE])
        databases = {f"{layer}_db": f"{stem}_{layer}" for layer in _LAYERS.values()}
        # The test server's bulk copy of Arrow fails, FreeTDS's utility works.
        utility = (shutil.which("freebcp") or "") if babelfish() else ""
        return replace(super().settings(plain, folder), bcp_path=utility, **databases)  # type: ignore[arg-type]

    def empty(self, folder: Path) -> URL:  # noqa: ARG002
        server = mssql_server().url
        assert server is not None
        stem = f"udm_{os.getpid()}_{next(self._numbers)}"
        self._run(server, "master", *(f"CREATE DATABASE {stem}_{layer}" for layer in _LAYERS.values()))
        return server.update_query_dict({_WAREHOUSE: stem})

    def fresh(self, folder: Path) -> URL:
        return self.empty(folder)

    def dispose(self, url: URL) -> None:
        stem, server = str(url.query[_WAREHOUSE]), mssql_server().url
        assert server is not None
        with suppress(Exception):  # a session of the test's that is still open; the names are this process's alone
            self._run(server, "master", *(f"DROP DATABASE {stem}_{layer}" for layer in _LAYERS.values()))

    def execute(self, url: URL, database: str, *statements: str) -> list[tuple[Any, ...]]:
        plain = url.difference_update_query([_WAREHOUSE])
        return self._run(plain, f"{url.query[_WAREHOUSE]}_{_LAYERS[database]}", *statements)

    def _run(self, url: URL, database: str, *statements: str) -> list[tuple[Any, ...]]:
        login = login_of(url)
        session = connect(login, driver_for(login), database, autocommit=True)
        rows: list[tuple[Any, ...]] = []
        try:
            for statement in statements:
                cursor = session.execute(statement)
                rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
                cursor.close()
        finally:
            session.close()
        return rows

    def differing(
        self, target: Target, source: Path, table: str, stored: TableName, column: str, flag: str
    ) -> list[tuple[Any, ...]]:
        # The stored values by pyodbc, which reads nothing back for the pipeline; the source's by DuckDB; both as Python's.
        with target.engine.connect() as connection:
            kind = {held.name: held.source_type for held in target.columns_of(connection, stored)}[column]
        name = '"' + column.replace('"', '""') + '"'
        theirs = ours = name
        if kind.startswith(("nvarchar", "time", "uniqueidentifier")):
            ours = f"CAST({name} AS VARCHAR)"
            theirs = {"t": f"CAST({name} AS varchar(15))", "u": f"LOWER(CAST({name} AS char(36)))"}.get(kind[0], name)
        elif kind.startswith("datetimeoffset"):
            ours, theirs = f"({name} AT TIME ZONE 'UTC')", f"CAST({name} AS datetime2(6))"
        query = f'SELECT "ID", {theirs} FROM {target.quoted(stored)} WHERE "{flag}" = 1'
        with target.engine.connect() as connection:
            found: dict[Any, Any] = dict(tuple(row) for row in connection.exec_driver_sql(query))
        if kind.startswith("time("):
            found = {key: value and _trimmed(value) for key, value in found.items()}
        with duckdb.connect(str(source), read_only=True) as origin:
            expected = dict(origin.execute(f'SELECT "ID", {ours} FROM "{table}"').fetchall())
        return [
            (key, value, found.get(key))
            for key, value in {**dict.fromkeys(found), **expected}.items()
            if key not in found or key not in expected or not same(value, found[key])
        ]

    def schema(self, database: str, schema: str) -> str:  # noqa: ARG002
        return f"[{schema}]"

    def create_schema(self, schema: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()  # dbo is there, and is DBO too

    def indexes(self, target: Target, name: TableName) -> list[str]:
        query = (
            f"SELECT name FROM [{name.database}].sys.indexes WHERE object_id = OBJECT_ID(:table) AND is_unique = 1 "
            "AND is_primary_key = 0"
        )
        with target.engine.connect() as connection:
            return list(connection.execute(sa.text(query), {"table": target.quoted(name)}).scalars())

    def drop_index(self, schema: str, index: str, table: str) -> str:
        if re.search(r"[0-9a-f]{32}$", index):
            pytest.skip("the server of the tests lists an index under a name that it does not drop it by")
        return f"DROP INDEX [{index}] ON {schema.rpartition('.')[2]}.[{table}]"  # in its own database


_LAYERS = {"UDM_Stage": "stage", "UDM_Bronze": "bronze", "General": "general"}


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
