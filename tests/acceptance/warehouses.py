"""Warehouses on servers for the process tests: a folder whose `.env` names one, and how to look into it from outside."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from sqlalchemy.engine import URL

from connections.mssql_login import login_of
from connections.mssql_session import connect
from connections.odbc import driver_for
from tests.acceptance.harness import configure, run
from tests.mssql_server import babelfish, mssql_server
from tests.postgresql_server import postgresql_server

Rows = list[tuple[Any, ...]]
Query = Callable[[str], Rows]

_NUMBERS = itertools.count(1)
# Statements that both servers take; {stage}, {bronze} and {…_ops} stand for schemas. Instants are given by their order only.
_VERSIONS = 'OVER (PARTITION BY _key_hash ORDER BY "UdmEffectiveDateTime")'
_BRONZE = f"""
SELECT "ID", "NAME", "AMOUNT", "UdmScd2Operation", "UdmActiveFlag", row_number() {_VERSIONS},
    CASE WHEN "UdmEndDateTime" IS NULL THEN 'open' WHEN lead("UdmEffectiveDateTime") {_VERSIONS} IS NULL THEN 'closed'
         WHEN "UdmEndDateTime" = lead("UdmEffectiveDateTime") {_VERSIONS} THEN 'meets' ELSE 'gap' END
FROM {{bronze}}."{{table}}_scd2_python" ORDER BY 1, 6"""
_EVENTS = "OVER (PARTITION BY _key_hash ORDER BY _cdc_valid_from, CASE WHEN _cdc_operation = 'D' THEN 0 ELSE 1 END)"
_STAGE = f"""
SELECT "ID", "NAME", "AMOUNT", _cdc_operation, _cdc_is_current, row_number() {_EVENTS}
FROM {{stage}}."{{table}}_cdc" ORDER BY 1, 6"""
_NOT_ONE_ACTIVE = """
SELECT "ID" FROM {bronze}."{table}_scd2_python" WHERE "UdmActiveFlag" = {true} GROUP BY "ID" HAVING count(*) > 1"""
_UNPUBLISHED = """
SELECT "TableName", "BatchId" FROM {stage_ops}."PromotionMarker"
EXCEPT SELECT "TableName", "BatchId" FROM {general_ops}."TablePublished" """


class Warehouse(ABC):
    """An empty warehouse of a server's, with DuckDB's `source` as ERP."""

    true: ClassVar[str] = "true"
    """A flag that is set."""

    def __init__(self, folder: Path, source: Path, **settings: str) -> None:
        self.folder = folder
        self.stem = f"acceptance_{os.getpid()}_{next(_NUMBERS)}"
        fixed = {"SPOOL_MB": "0", "SPOOL_DIR": str(folder / "spool"), "WORKERS": "1"}
        configure(folder, {"ERP": source}, **fixed, **self.create(), **settings)
        listed = run(folder, "--list-tables")
        assert listed.status == 0, listed.text

    @property
    @abstractmethod
    def holder(self) -> tuple[str, ...]:
        """What a run says of who holds its table."""

    @abstractmethod
    def create(self) -> dict[str, str]:
        """Create what a run wants to be there; the settings that name it."""

    @abstractmethod
    def drop(self) -> None:
        """Remove it, where it would outlive the tests."""

    @property
    @abstractmethod
    def names(self) -> dict[str, str]:
        """The schemas' names in statements, quoted."""

    @abstractmethod
    def session(self) -> Any:
        """A context manager: a session, and on leaving it its end; gives a `Query`."""

    @abstractmethod
    def indexes(self, table: str) -> Rows:
        """A table's indexes in Stage and Bronze, comparable between tables."""

    @abstractmethod
    def staging_tables(self) -> Rows:
        """What is left of loads."""

    @abstractmethod
    def strike(self, process: int) -> None:
        """The worst that a test may do to the server's side of a run, while it runs in that process."""

    @abstractmethod
    def wait_until_up(self) -> None:
        """Until the server takes connections again."""

    def query(self, statement: str, **names: str) -> Rows:
        """Run a statement, with the schemas' names filled in."""
        text = statement.format(**self.names, true=self.true, **names)
        with self.session() as query:
            found: Rows = query(text)
        return found

    def list_tables(self, *tables: str) -> None:
        """Put tables of ERP into UdmTablesList."""
        rows = ", ".join(f"('ERP', '{table}', 'Python')" for table in tables)
        names = '"SourceName", "SourceObjectName", "StageLoadTool"'
        self.query(f'INSERT INTO {{general_dbo}}."UdmTablesList" ({names}) VALUES {rows}')

    def list_large_table(self, table: str, column: str, first: date) -> None:
        """Put a large table of ERP into UdmTablesList."""
        names = '"SourceName", "SourceObjectName", "StageLoadTool", "SourceAggregateColumnName", "FirstLoadDate"'
        rows = f"('ERP', '{table}', 'Python', '{column}', '{first}')"
        self.query(f'INSERT INTO {{general_dbo}}."UdmTablesList" ({names}) VALUES {rows}')

    def history(self, table: str) -> list[Rows]:
        """Stage, Bronze and their indexes, as two runs can be compared by."""
        assert self.query(_NOT_ONE_ACTIVE, table=table) == []
        return [self.query(_STAGE, table=table), self.query(_BRONZE, table=table), self.indexes(table)]

    def check_nothing_left(self) -> None:
        """Nothing in staging, and all that is in Stage is published."""
        assert self.staging_tables() == []
        assert self.query(_UNPUBLISHED) == []


class PostgreSQL(Warehouse):
    """A database of the tests' own server."""

    @property
    def holder(self) -> tuple[str, ...]:
        return ("server process", "udm-pipeline")

    def create(self) -> dict[str, str]:
        server = postgresql_server()
        server.execute(f"CREATE DATABASE {self.stem} TEMPLATE template0")
        self._url = server.url.set(database=self.stem).render_as_string(hide_password=False)
        return {"UDM_TARGET": self._url}

    def drop(self) -> None:
        """Its server goes with the tests."""

    @property
    def names(self) -> dict[str, str]:
        schemas = {"stage": "UDM_Stage.ERP", "bronze": "UDM_Bronze.ERP", "stage_ops": "UDM_Stage.ops"}
        general = {"general_ops": "General.ops", "general_dbo": "General.dbo"}
        return {name: f'"{schema}"' for name, schema in {**schemas, **general}.items()}

    @contextmanager
    def session(self) -> Iterator[Query]:
        with psycopg.connect(self._url, autocommit=True) as connection:

            def query(statement: str) -> Rows:
                cursor = connection.execute(statement.encode())
                return cursor.fetchall() if cursor.description else []

            yield query

    def indexes(self, table: str) -> Rows:
        ours = f"replace(indexname, '{table}', '')"
        named = "'{table}_cdc', '{table}_scd2_python'"
        return self.query(f"SELECT {ours} FROM pg_indexes WHERE tablename IN ({named}) ORDER BY 1", table=table)

    def staging_tables(self) -> Rows:
        return self.query("SELECT tablename FROM pg_tables WHERE tablename LIKE '%staging%'")

    def strike(self, process: int) -> None:
        del process
        ours = "application_name = 'udm-pipeline' AND datname = current_database()"
        [(pid, *_), *_] = self.query(f"SELECT pid FROM pg_stat_activity WHERE {ours}")
        os.kill(pid, signal.SIGKILL)  # the server throws everybody out and recovers

    def wait_until_up(self) -> None:
        postgresql_server().wait_until_up()


class MSSQL(Warehouse):
    """Three databases of the SQL Server that `tests.mssql_server` finds; it may be somebody's, so it is not crashed."""

    true = "1"

    @property
    def holder(self) -> tuple[str, ...]:
        return ("another run",) if babelfish() else ("udm-pipeline", "process")

    @property
    def _url(self) -> URL:
        url = mssql_server().url
        assert url is not None
        return url

    def create(self) -> dict[str, str]:
        layers = {"STAGE_DB": f"{self.stem}_stage", "BRONZE_DB": f"{self.stem}_bronze", "GENERAL_DB": f"{self.stem}_general"}
        with self.session() as query:
            for database in layers.values():
                query(f"CREATE DATABASE {database}")
                if not babelfish():  # where no reader waits in any case
                    query(f"ALTER DATABASE {database} SET READ_COMMITTED_SNAPSHOT ON")
        # The test server's bulk copy of Arrow fails, FreeTDS's utility works.
        utility = {"BCP_PATH": shutil.which("freebcp") or ""} if babelfish() else {}
        return {"UDM_TARGET": self._url.render_as_string(hide_password=False), **layers, **utility}

    def drop(self) -> None:
        with self.session() as query:
            for layer in ("stage", "bronze", "general"):
                with suppress(Exception):  # a session of a killed run that the server has not given up yet
                    query(f"DROP DATABASE {self.stem}_{layer}")

    @property
    def names(self) -> dict[str, str]:
        schemas = {"stage": "stage.ERP", "bronze": "bronze.ERP", "stage_ops": "stage.ops"}
        general = {"general_ops": "general.ops", "general_dbo": "general.dbo"}
        return {name: f"{self.stem}_{schema}" for name, schema in {**schemas, **general}.items()}

    @contextmanager
    def session(self) -> Iterator[Query]:
        login = login_of(self._url)
        connection = connect(login, driver_for(login), "master", autocommit=True)

        def query(statement: str) -> Rows:
            cursor = connection.execute(statement)
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            cursor.close()
            return rows

        try:
            yield query
        finally:
            connection.close()

    def indexes(self, table: str) -> Rows:
        counts = [
            f"SELECT '{layer}', is_unique, count(*) FROM {self.stem}_{layer}.sys.indexes "
            f"WHERE index_id > 0 AND object_id = OBJECT_ID('{self.names[layer]}.{table}_{suffix}') GROUP BY is_unique"
            for layer, suffix in (("stage", "cdc"), ("bronze", "scd2_python"))
        ]
        return sorted(row for count in counts for row in self.query(count))

    def staging_tables(self) -> Rows:
        tables = f"{self.stem}_stage.INFORMATION_SCHEMA.TABLES"
        return self.query(f"SELECT TABLE_NAME FROM {tables} WHERE TABLE_NAME LIKE '%staging%'")

    def strike(self, process: int) -> None:
        for (number,) in self.query(f"SELECT session_id FROM sys.dm_exec_sessions WHERE host_process_id = {process}"):
            if number is not None:
                self.query(f"KILL {number}")

    def wait_until_up(self) -> None:
        """It was never down."""


SERVERS: tuple[type[Warehouse], ...] = (PostgreSQL, MSSQL)
