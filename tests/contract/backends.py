"""The kinds of target that the contract is checked on. A further target is one class and one entry in conftest's `BACKENDS`."""

from __future__ import annotations

import itertools
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from config import Settings
from connections import open_target
from connections.target import Target
from model.names import TableName
from model.types import Column
from sources.registry import SourceRegistry
from tests.postgresql_server import postgresql_server

_DATABASES = itertools.count(1)

class Backend(ABC):
    """Makes empty warehouses of one kind and knows how to look at them from outside."""

    name: str
    flags: ClassVar[dict[str, str]] = {"true": "true", "false": "false"}
    """The literals of a flag."""
    longest_name: ClassVar[int | None] = None
    """Characters that a name may have; None: any number."""
    lacking_names: tuple[str, ...] = ()
    """Names of test_column_names that the server of the tests cannot take although its kind of target can."""

    holds_nul: ClassVar[bool] = True
    """Whether text may hold U+0000."""
    holds_infinity: ClassVar[bool] = True
    """Whether floats may be infinite or NaN."""
    compares_case: ClassVar[bool] = False
    """Whether names that differ in case only are two."""
    stored_types: ClassVar[dict[str, str]] = {}
    """What a DuckDB type is stored as, where test_exactness does not say so already."""
    text_type: ClassVar[str] = "text"
    """What the other types of test_exactness are stored as, where `stored_types` is not empty."""
    refused_values: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Values of test_exactness that this target refuses, by their DuckDB type."""
    refusing: ClassVar[tuple[str, ...]] = (
        'ALTER TABLE {table} ADD COLUMN "Refused" INTEGER',
        'UPDATE {table} SET "Refused" = 1',
        'ALTER TABLE {table} ALTER COLUMN "Refused" SET NOT NULL',
    )
    """The statements after which {table} takes no row of the pipeline's."""

    longest_key: ClassVar[str] = ""
    """The type that text in a key is bounded by, where it is."""

    def lacking_values(self, kind: str) -> tuple[str, ...]:
        """Values of test_exactness that the server of the tests cannot hold although its kind of target can."""
        del kind
        return ()

    def declare(self, request: pytest.FixtureRequest, gap: str) -> None:
        """Expect the test to fail where the server of the tests is not the target it stands for, and does otherwise there."""
        del request, gap

    @abstractmethod
    def fresh(self, folder: Path) -> URL:
        """The URL of a new warehouse in which General is created and nothing else is; `folder` is private to it."""

    @abstractmethod
    def empty(self, folder: Path) -> URL:
        """The URL of a warehouse in which nothing was ever created."""

    def settings(self, url: URL, folder: Path) -> Settings:
        """Settings for a warehouse that `fresh` or `empty` gave."""
        return settings_for(url, folder)

    def dispose(self, url: URL) -> None:
        """Remove a warehouse, where it does not vanish with its folder."""
        del url

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

    def schema(self, database: str, schema: str) -> str:
        """A schema's name in statements of `execute`, quoted."""
        del database
        return f'"{schema}"'

    def create_schema(self, schema: str) -> tuple[str, ...]:
        """The statements that create a schema of General in an empty warehouse; `schema` is quoted already."""
        return (f"CREATE SCHEMA {schema}",)

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
    holds_nul = False
    compares_case = True
    stored_types: ClassVar[dict[str, str]] = {
        "BOOLEAN": "boolean",
        "TINYINT": "smallint",
        "SMALLINT": "smallint",
        "INTEGER": "integer",
        "BIGINT": "bigint",
        "UTINYINT": "smallint",
        "USMALLINT": "integer",
        "UINTEGER": "bigint",
        "UBIGINT": "numeric(20,0)",
        "FLOAT": "real",
        "DOUBLE": "double precision",
        "DATE": "date",
        "TIME": "time without time zone",
        **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), "timestamp without time zone"),
        "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
        "UUID": "uuid",
        "BLOB": "bytea",
        **{f"DECIMAL({size})": f"numeric({size})" for size in ("38,0", "38,37", "19,4", "18,3", "9,2", "4,1")},
    }
    refused_values: ClassVar[dict[str, tuple[str, ...]]] = {
        "DATE": ("'infinity'", "'-infinity'", "'5877642-06-25 (BC)'"),
        "TIMESTAMP": ("'infinity'", "'-infinity'", "'290309-12-22 (BC) 00:00:00'"),
        "TIMESTAMP_S": ("'infinity'",),
        "TIMESTAMP_MS": ("'-infinity'",),
        "TIMESTAMP WITH TIME ZONE": ("'infinity'",),
        "VARCHAR": ("'a' || chr(0) || 'b'", "chr(0)"),
    }

    def __init__(self) -> None:
        self._template = ""

    def empty(self, folder: Path) -> URL:
        del folder
        return self._database("template0")

    def fresh(self, folder: Path) -> URL:
        if not self._template:
            url = self._database("template0")
            open_target(settings_for(url, folder)).close()
            self._template = url.database or ""
        return self._database(self._template)

    def _database(self, template: str) -> URL:
        name = f"warehouse_{os.getpid()}_{next(_DATABASES)}"
        server = postgresql_server()
        self.execute(server.url, "", f"CREATE DATABASE {name} TEMPLATE {template}")
        return server.url.set(database=name)

    def execute(self, url: URL, database: str, *statements: str) -> list[tuple[Any, ...]]:
        del database  # there is one
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def differing(
        self, target: Target, source: Path, table: str, stored: TableName, column: str, flag: str
    ) -> list[tuple[Any, ...]]:
        # The stored values by psycopg, which the pipeline does not load with; the source's by DuckDB; both as Python's.
        kind = {held.name: held.source_type for held in self._held(target, stored)}[column]
        name = '"' + column.replace('"', '""') + '"'
        theirs = ours = name
        if kind in {"text", "time without time zone", "uuid"}:
            theirs, ours = f"{name}::text", f"CAST({name} AS VARCHAR)"
        elif kind == "timestamp with time zone":
            theirs = ours = f"({name} AT TIME ZONE 'UTC')"
        query = f'SELECT "ID", {theirs} FROM {target.quoted(stored)} WHERE "{flag}"'
        with target.engine.connect() as connection:
            session = connection.connection.driver_connection
            assert session is not None
            found = dict(session.cursor(binary=True).execute(query).fetchall())
        wanted = f'SELECT "ID", {ours} FROM "{table}"'
        with duckdb.connect(str(source), read_only=True) as origin:
            expected = dict(origin.execute(wanted).fetchall())
        return [
            (key, value, found.get(key))
            for key, value in {**dict.fromkeys(found), **expected}.items()
            if key not in found or key not in expected or not same(value, found[key])
        ]

    def _held(self, target: Target, name: TableName) -> tuple[Column, ...]:
        with target.engine.connect() as connection:
            return target.columns_of(connection, name)

    def schema(self, database: str, schema: str) -> str:
        return f'"{database}.{schema}"'

    def indexes(self, target: Target, name: TableName) -> list[str]:
        of_table = "schemaname = :schema AND tablename = :table"
        query = sa.text(f"SELECT indexname FROM pg_indexes WHERE {of_table} AND indexdef LIKE :unique")
        with target.engine.connect() as connection:
            about = {"schema": target.schema(name.database, name.schema), "table": name.table, "unique": "CREATE UNIQUE%"}
            return list(connection.execute(query, about).scalars())


def same(one: object, other: object) -> bool:
    """Equal and of one type; NaN is itself, and -0.0 is not 0.0; an unsigned number may be stored as a decimal."""
    if isinstance(other, Decimal):
        return one == other
    return type(one) is type(other) and (one == other if not isinstance(one, float) else repr(one) == repr(other))


POSTGRESQL = PostgreSQL()


def settings_for(url: URL, folder: Path) -> Settings:
    """Settings with a target and no sources; the digest key is fixed so that digests can be compared."""
    nowhere = SourceRegistry()
    return Settings(target=url, sources=nowhere, embedded=False, data_folder=folder, spool_folder=folder, digest_key=b"k")
