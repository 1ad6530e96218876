"""A table's lock on SQL Server: an application lock that its session owns, so that the lock ends with the session at the latest.

https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-getapplock-transact-sql
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from connections import mssql_statements
from connections.odbc import pyodbc
from model.errors import TableHeld, TransientError

PREFIX = "udm:"
_LONGEST = 255  # characters of a resource's name
_SHOWN = 32  # of which sys.dm_tran_locks shows so many

# NOCOUNT keeps the result the only one.
TAKE = (
    "SET NOCOUNT ON; DECLARE @result int; EXEC @result = sp_getapplock @Resource = ?, @LockMode = 'Exclusive', "
    "@LockOwner = 'Session', @LockTimeout = ?; SELECT @result"
)
RELEASE = "EXEC sp_releaseapplock @Resource = ?, @LockOwner = 'Session'"
HOLDER = (
    "SELECT TOP 1 s.host_name, s.program_name, s.login_name, s.host_process_id FROM sys.dm_tran_locks AS l "
    "JOIN sys.dm_exec_sessions AS s ON s.session_id = l.request_session_id WHERE l.resource_type = 'APPLICATION' "
    "AND l.request_status = 'GRANT' AND l.request_session_id <> @@SPID AND CHARINDEX(:shown, l.resource_description) > 0"
)


@dataclass(frozen=True, slots=True)
class LockSession:
    """The session that owns a lock; a transaction of it is lost with the lock."""

    connection: sa.Connection

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction on the session that owns the lock.

        Raises:
            TransientError: the session was lost. SQLAlchemy would open another, which does not hold the lock.
        """
        if self.connection.invalidated:
            raise TransientError("The session that held the table's lock was lost.", remedy="Run the table again.")
        try:
            with self.connection.begin():
                yield self.connection
        except BaseException:
            _roll_back(self.connection)
            raise


@contextmanager
def held(engine: sa.Engine, database: str, resource: str, *, patience: int = 0) -> Iterator[LockSession]:
    """Hold an application lock of a database (General) on a session of its own, waiting up to `patience` milliseconds for it.

    Raises:
        TableHeld: another session has it; names its host and program where the login may see them.
    """
    resource = resource if len(resource) <= _LONGEST else hashlib.sha256(resource.encode()).hexdigest()
    connection = engine.connect()
    try:
        connection.detach()  # closing it ends the session, and with it the lock, whatever happened in between
        connection.execute(sa.text(mssql_statements.use(database)))
        result = _take(connection, resource, patience)
        connection.commit()
        if result < 0:
            raise TableHeld(f"{resource.removeprefix(PREFIX)} is being loaded by {_holder(connection, resource)}.")
        yield LockSession(connection)
    finally:
        _end(connection, resource)


def _end(connection: sa.Connection, resource: str) -> None:
    # Released first: the server may take a moment to see that a session has ended, and the next run may be as quick.
    try:
        with suppress(sa.exc.DBAPIError):
            connection.rollback()
            if not connection.invalidated:  # else SQLAlchemy would log in anew, and fail in the first error's place
                _roll_back(connection)
                connection.exec_driver_sql(RELEASE, (resource,))
                connection.commit()
    finally:  # whatever became of the release, a session that is left open would hold the table for as long as the process lives
        try:
            connection.close()
        except sa.exc.DBAPIError:  # the server has ended the transaction, or the session, by itself
            connection.invalidate()


def _roll_back(connection: sa.Connection) -> None:
    # After a COMMIT that failed SQLAlchemy sends no ROLLBACK, and our next COMMIT would commit what was given up.
    if not connection.invalidated:
        with suppress(pyodbc().Error):
            connection.connection.rollback()


def _take(connection: sa.Connection, resource: str, patience: int) -> int:
    cursor = connection.connection.cursor()
    try:
        cursor.execute(TAKE, (resource, patience))
        while not cursor.description and cursor.nextset():
            pass  # a message of the server's comes as a result of its own
        [(result,)] = cursor.fetchall()
    finally:
        cursor.close()
    return int(result)


def _holder(connection: sa.Connection, resource: str) -> str:
    try:
        row = connection.execute(sa.text(HOLDER), {"shown": resource[:_SHOWN]}).first()
    except sa.exc.DBAPIError:
        row = None  # the login has no VIEW SERVER STATE
    if row is None:
        return "another run"
    host, program, login, process = row
    return f"{login} on {host} ({program}, process {process})"
