"""The session that reads a source's catalogue: in one database at a time, its statements stopped as the rows' are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from connections.mssql_login import Login
from connections.mssql_session import connect
from connections.odbc import driver_for
from extract.connectorx_sqlserver_extractor.stops import Stops
from model.errors import PipelineError, SourceRefused, SourceUnavailable, TargetUnavailable, TransientError

if TYPE_CHECKING:
    from pyodbc import Connection, Cursor


class Session:
    """Opened when it is first asked for, and anew for each other database."""

    def __init__(self, source: str, login: Login, stops: Stops) -> None:
        self._source = source
        self._login = login
        self._stops = stops
        self._opened: tuple[str, sa.Connection] | None = None

    def connection(self, database: str) -> sa.Connection:
        """The session, in a database or, where that is empty, in the login's own default.

        Raises:
            SourceRefused: the login fails, or has no such database.
            SourceUnavailable: the server does not answer now.
        """
        if self._opened is None or self._opened[0] != database:
            self.close()
            engine = _engine(self._source, self._login, database)
            sa.event.listen(engine, "before_cursor_execute", self._begin)
            sa.event.listen(engine, "after_cursor_execute", self._end)
            sa.event.listen(engine, "handle_error", self._failed)
            self._opened = database, engine.connect()
        return self._opened[1]

    def _begin(self, _: object, cursor: Cursor, *__: object) -> None:
        self._stops.begin(cursor.cancel)

    def _end(self, _: object, cursor: Cursor, *__: object) -> None:
        self._stops.end(cursor.cancel)

    def _failed(self, context: sa.engine.ExceptionContext) -> None:
        if context.execution_context is not None:
            self._stops.end(context.execution_context.cursor.cancel)

    def close(self) -> None:
        """Give it back; idempotent."""
        if self._opened is not None:
            with suppress(sa.exc.DBAPIError):
                self._opened[1].close()
            self._opened = None


def _engine(source: str, login: Login, database: str) -> sa.Engine:
    with _as_source(source, login):
        driver = driver_for(login)

    def creator() -> Connection:
        with _as_source(source, login):
            return connect(login, driver, database, autocommit=True)

    return sa.create_engine("mssql+pyodbc://", creator=creator, poolclass=sa.NullPool, hide_parameters=True)


@contextmanager
def _as_source(source: str, login: Login) -> Iterator[None]:
    """What is wrong with a target's server is wrong with a source's."""
    try:
        yield
    except TransientError as error:
        raise SourceUnavailable(f"Source {source}: {error.message}", remedy=_remedy(error, login)) from None
    except TargetUnavailable as error:
        raise SourceRefused(f"Source {source}: {error.message}", remedy=_remedy(error, login)) from None


def _remedy(error: PipelineError, login: Login) -> str:
    named = login.variable in error.remedy
    return error.remedy if named else f"{error.remedy} The setting is {login.variable}."
