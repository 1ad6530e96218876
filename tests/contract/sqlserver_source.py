"""A SQL Server as a source for the tests: a database of their own, and a proxy before it that can cut the connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy.engine import URL

from connections.mssql_login import source_login_of
from connections.mssql_session import connect
from connections.odbc import driver_for
from extract.connectorx_sqlserver_extractor import SQLServerExtractor
from extract.connectorx_sqlserver_extractor.routes import ROUTES, Route
from extract.extractor import SourceDescription, SourceTable
from extract.selection import Selection
from sources.registry import Source
from tests.mssql_server import mssql_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The tests' server, and the database `url` names."""

    url: URL

    @property
    def database(self) -> str:
        return self.url.database or ""

    @property
    def name(self) -> str:
        return "SRC"

    @property
    def entry(self) -> Source:
        return Source(name=self.name, url=self.url)

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run each statement on one session; the rows of the last."""
        login = source_login_of(self.url, "UDM_SOURCE_SRC").login
        session = connect(login, driver_for(login), database or self.database, autocommit=True)
        rows: list[tuple[Any, ...]] = []
        try:
            for statement in statements:
                cursor = session.execute(statement)
                rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
                cursor.close()
        finally:
            session.close()
        return rows

    def create(self, statement: str, database: str | None = None) -> None:
        """Run what looks at all databases; the T-SQL server of the tests trips over one that is just being dropped."""
        for attempt in range(10):
            try:
                self.execute(statement, database=database)
            except Exception:
                if attempt == 9:
                    raise
                time.sleep(1)
            else:
                return

    def table(self, name: str, body: str, *rows: str) -> str:
        """A new table of dbo in the place of an older one; `rows` are value lists."""
        full = f"[dbo].[{name}]"
        inserts = [f"INSERT INTO {full} VALUES {row}" for row in rows]
        self.execute(f"DROP TABLE IF EXISTS {full}", f"CREATE TABLE {full} ({body})", *inserts)
        return full

    def numbers(self, name: str, rows: int) -> str:
        """A table of `rows` rows: id from 1, and text of 200 characters that ends with it."""
        full = self.table(name, "id int NOT NULL PRIMARY KEY, v varchar(300)", "(1, REPLICATE('x', 190))")
        have = 1
        while have < rows:
            more = min(have, rows - have)
            self.execute(f"INSERT INTO {full} SELECT id + {have}, v FROM {full} WHERE id <= {more}")
            have += more
        self.execute(f"UPDATE {full} SET v = v + RIGHT('0000000000' + CAST(id AS varchar(10)), 10)")
        return full


def named(table: str, schema: str | None = None, database: str | None = None) -> SourceTable:
    return SourceTable(source="SRC", table=table, schema=schema, database=database)


def opened(server: Server | URL, routes: Sequence[type[Route]] = ROUTES) -> SQLServerExtractor:
    url = server.url if isinstance(server, Server) else server
    return SQLServerExtractor(Source(name="SRC", url=url), routes)


def describe(server: Server, table: str, schema: str | None = None) -> SourceDescription:
    with opened(server) as extractor:
        return extractor.describe(named(table, schema))


def extract(
    server: Server | URL,
    table: str,
    routes: Sequence[type[Route]] = ROUTES,
    batch_rows: int = 1000,
    schema: str | None = None,
    selection: Selection | None = None,
) -> pl.DataFrame:
    """Everything the extractor delivers, in canonical types or not at all."""
    with opened(server, routes) as extractor:
        columns = extractor.describe(named(table, schema)).columns
        frames = list(extractor.read(named(table, schema), columns, batch_rows, selection))
    expected = {column.name: column.type.dtype for column in columns}
    for frame in frames:
        assert dict(frame.schema) == expected
        assert 0 < frame.height <= batch_rows
    return pl.concat([pl.DataFrame(schema=expected), *frames])


@contextmanager
def own_database(name: str) -> Iterator[Server]:
    """An empty database, which keeps row versions where the server lets that be said."""
    base = mssql_server().url
    assert base is not None
    server = Server(url=base.set(database=name))
    server.create(f"CREATE DATABASE [{name}]", database="master")
    with suppress(Exception):  # the server of the tests always keeps row versions, and does not know the statement
        server.execute(f"ALTER DATABASE [{name}] SET ALLOW_SNAPSHOT_ISOLATION ON", database="master")
    try:
        yield server
    finally:
        with suppress(Exception):  # a session of the test's that is still open
            server.execute(f"DROP DATABASE [{name}]", database="master")


class Proxy:
    """Passes bytes on to the server; `cut` closes every connection, and `limit` does so after so many bytes to the client."""

    def __init__(self, url: URL, limit: int | None = None) -> None:
        self._to = (url.host or "", url.port or 1433)
        self._limit = limit
        self.passed = 0  # bytes, both ways
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                self._sockets += [client, server]
                threading.Thread(target=self._pass, args=(client, server, None), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, self._limit), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65_536):
                passed += len(data)
                self.passed += len(data)
                if limit is not None and passed > limit:
                    break
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()
        for one in self._sockets:
            one.close()
