"""The kinds of target that the contract is checked on. A further target is one class and one entry in `BACKENDS`."""

from __future__ import annotations

import itertools
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine import URL

from config import Settings
from connections import open_target
from connections.target import Target
from model.names import TableName
from sources.registry import SourceRegistry
from tests.mssql_server import mssql_server
from tests.postgresql_server import postgresql_server


class Backend(ABC):
    """Makes empty warehouses of one kind and knows how to look at them from outside."""

    name: str
    flags: ClassVar[dict[str, str]] = {"true": "true", "false": "false"}
    """The literals of a flag."""
    longest_name: ClassVar[int | None] = None
    """Bytes that a name may have; None: any number."""

    refusing: ClassVar[tuple[str, ...]] = (
        'ALTER TABLE {table} ADD COLUMN "Refused" INTEGER',
        'UPDATE {table} SET "Refused" = 1',
        'ALTER TABLE {table} ALTER COLUMN "Refused" SET NOT NULL',
    )
    """The statements after which {table} takes no row of the pipeline's."""

    @abstractmethod
    def fresh(self, folder: Path) -> URL:
        """The URL of a new warehouse in which General is created and nothing else is; `folder` is private to it."""

    @abstractmethod
    def empty(self, folder: Path) -> URL:
        """The URL of a warehouse in which nothing was ever created."""

    def settings(self, url: URL, folder: Path) -> Settings:
        """Settings for a warehouse that `fresh` or `empty` gave."""
        return settings_for(url, folder)

    def dispose(self, folder: Path) -> None:
        """Remove the warehouse of a folder, where it does not vanish with the folder."""
        del folder

    @abstractmethod
    def execute(self, url: URL, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in a database of a warehouse that no target holds; the rows of the last one."""

    @abstractmethod
    def differing(
        self, target: Target, source: Path, table: str, stored: TableName, column: str, flag: str
    ) -> list[tuple[Any, ...]]:
        """Ids whose value in the stored rows with this flag is not the source's, compared by plain SQL; ids on one side too."""

    @abstractmethod
    def indexes(self, target: Target, name: TableName) -> list[str]:
        """The names of a table's unique indexes."""

    def drop_index(self, schema: str, index: str, table: str) -> str:
        """The statement that drops an index; `schema` is quoted already."""
        del table
        return f'DROP INDEX {schema}."{index}"'


class DuckDB(Backend):
    """Copies of one prepared folder: creating General anew takes four times as long."""

    name = "duckdb"

    def __init__(self) -> None:
        self._template: Path | None = None

    def empty(self, folder: Path) -> URL:
        return URL.create("duckdb", database=str(folder / "warehouse"))

    def fresh(self, folder: Path) -> URL:
        if self._template is None:
            self._template = folder / "template"
            open_target(settings_for(URL.create("duckdb", database=str(self._template)), folder)).close()
        shutil.copytree(self._template, folder / "warehouse")
        return self.empty(folder)

    def execute(self, url: URL, database: str, *statements: str) -> list[tuple[Any, ...]]:
        import duckdb  # noqa: PLC0415 - only this backend's

        Path(url.database or "").mkdir(exist_ok=True)
        with duckdb.connect(str(Path(url.database or "") / f"{database}.duckdb")) as connection:
            for statement in statements:
                result = connection.execute(statement)
            return result.fetchall()

    def differing(
        self, target: Target, source: Path, table: str, stored: TableName, column: str, flag: str
    ) -> list[tuple[Any, ...]]:
        # As text too: SQL takes -0.0 for 0.0, and a type may be stored as text.
        name = '"' + column.replace('"', '""') + '"'
        query = (
            f'SELECT s."ID", t."ID" FROM source.main."{table}" AS s '
            f'FULL JOIN (FROM {target.quoted(stored)} WHERE "{flag}") AS t ON s."ID" = t."ID" '
            f"WHERE CAST(s.{name} AS VARCHAR) IS DISTINCT FROM CAST(t.{name} AS VARCHAR) "
            f'OR s.{name} IS DISTINCT FROM CAST(t.{name} AS {{kind}}) OR s."ID" IS NULL OR t."ID" IS NULL'
        )
        with self._attached(target, source) as connection:
            kinds = "SELECT data_type FROM duckdb_columns() WHERE database_name = 'source' AND table_name = ? AND column_name = ?"
            kind = connection.exec_driver_sql(kinds, (table, column)).scalar_one()
            return [tuple(row) for row in connection.exec_driver_sql(query.format(kind=kind))]

    @contextmanager
    def _attached(self, target: Target, source: Path) -> Iterator[Any]:
        with target.engine.connect() as connection:
            connection.exec_driver_sql(f"ATTACH '{source}' AS source (READ_ONLY)")
            connection.commit()
            yield connection
            connection.rollback()
            connection.exec_driver_sql("DETACH source")

    def indexes(self, target: Target, name: TableName) -> list[str]:
        query = "SELECT index_name FROM duckdb_indexes() WHERE database_name = ? AND table_name = ? AND is_unique"
        with target.engine.connect() as connection:
            return [index for (index,) in connection.exec_driver_sql(query, (name.database, name.table))]


class PostgreSQL(Backend):
    """Databases of one server, made from a prepared one."""

    name = "postgresql"
    longest_name = 63

    def __init__(self) -> None:
        self._databases = itertools.count(1)
        self._template = ""

    def empty(self, folder: Path) -> URL:
        return self._database("template0")

    def fresh(self, folder: Path) -> URL:
        if not self._template:
            url = self._database("template0")
            open_target(settings_for(url, folder)).close()
            self._template = url.database or ""
        return self._database(self._template)

    def _database(self, template: str) -> URL:
        name = f"warehouse_{os.getpid()}_{next(self._databases)}"
        server = postgresql_server()
        self.execute(server.url, "", f"CREATE DATABASE {name} TEMPLATE {template}")
        return server.url.set(database=name)

    def execute(self, url: URL, database: str, *statements: str) -> list[tuple[Any, ...]]:
        import psycopg  # noqa: PLC0415 - only this backend's

        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def differing(
        self, target: Target, source: Path, table: str, stored: TableName, column: str, flag: str
    ) -> list[tuple[Any, ...]]:
        return []

    def indexes(self, target: Target, name: TableName) -> list[str]:
        query = sa.text("SELECT indexname FROM pg_indexes WHERE schemaname = :schema AND tablename = :table AND indexdef LIKE :unique")
        with target.engine.connect() as connection:
            about = {"schema": target.schema(name.database, name.schema), "table": name.table, "unique": "CREATE UNIQUE%"}
            return list(connection.execute(query, about).scalars())


class MSSQL(Backend):
    """Three new databases a warehouse, of the server that `tests.mssql_server` finds."""

    name = "mssql"
    flags: ClassVar[dict[str, str]] = {"true": "1", "false": "0"}
    refusing = (
        "ALTER TABLE {table} ADD [Refused] INTEGER NULL",
        "UPDATE {table} SET [Refused] = 1",
        "ALTER TABLE {table} ADD CONSTRAINT [refuses] CHECK ([Refused] = 1 AND [Refused] IS NOT NULL AND 1 = 0)",
    )

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._names: dict[Path, dict[str, str]] = {}

    def settings(self, url: URL, folder: Path) -> Settings:
        return replace(super().settings(url, folder), **self._names[folder])

    def empty(self, folder: Path) -> URL:
        url = mssql_server().url
        assert url is not None
        stem = f"udm_{os.getpid()}_{next(self._numbers)}"
        self._names[folder] = {f"{layer}_db": f"{stem}_{layer}" for layer in ("stage", "bronze", "general")}
        self.execute(url, "master", *(f"CREATE DATABASE {name}" for name in self._names[folder].values()))
        return url

    def fresh(self, folder: Path) -> URL:
        return self.empty(folder)

    def dispose(self, folder: Path) -> None:
        url = mssql_server().url
        assert url is not None
        with suppress(Exception):  # a session of the test's that is still open; the names are this process's alone
            self.execute(url, "master", *(f"DROP DATABASE {name}" for name in self._names.pop(folder).values()))

    def execute(self, url: URL, database: str, *statements: str) -> list[tuple[Any, ...]]:
        import pyodbc  # noqa: PLC0415 - only this backend's

        from connections.mssql_login import driver_of, login_of  # noqa: PLC0415
        from connections.mssql_session import connect  # noqa: PLC0415

        login = login_of(url)
        session = connect(login, driver_of(login, pyodbc.drivers()), database, autocommit=True)
        rows: list[tuple[Any, ...]] = []
        try:
            for statement in statements:
                cursor = session.execute(statement)
                rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            session.close()
        return rows

    def differing(
        self, target: Target, source: Path, table: str, stored: TableName, column: str, flag: str
    ) -> list[tuple[Any, ...]]:
        return []

    def indexes(self, target: Target, name: TableName) -> list[str]:
        query = (
            f"SELECT name FROM [{name.database}].sys.indexes WHERE object_id = OBJECT_ID(:table) AND is_unique = 1 "
            "AND is_primary_key = 0"
        )
        with target.engine.connect() as connection:
            return list(connection.execute(sa.text(query), {"table": target.quoted(name)}).scalars())

    def drop_index(self, schema: str, index: str, table: str) -> str:
        return f"DROP INDEX [{index}] ON {schema}.[{table}]"


BACKENDS: tuple[Backend, ...] = (DuckDB(), PostgreSQL(), MSSQL())


def settings_for(url: URL, folder: Path) -> Settings:
    """Settings with a target and no sources; the digest key is fixed so that digests can be compared."""
    nowhere = SourceRegistry()
    return Settings(target=url, sources=nowhere, embedded=False, data_folder=folder, spool_folder=folder, digest_key=b"k")
