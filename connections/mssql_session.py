"""Sessions on SQL Server: opened with the settings that the pipeline's statements rely on, and checked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.mssql_catalogue import quoted
from connections.mssql_errors import DATABASE_REMEDY, is_transient, numbers_of, why_no_login, why_unreachable
from connections.mssql_login import Login, odbc_string
from connections.odbc import pyodbc
from connections.target import Databases
from model.errors import TargetUnavailable, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyodbc import Connection

LOCK_TIMEOUT = "SET LOCK_TIMEOUT 300000"
# XACT_ABORT: an error rolls back the whole transaction, so that no half of a promotion can be committed. The ANSI settings are
# those that a statement on a table with a filtered index must run under, else error 1934.
# https://learn.microsoft.com/sql/t-sql/statements/create-index-transact-sql#required-set-options-for-filtered-indexes
SESSION_SETTINGS = (
    "SET XACT_ABORT ON",
    "SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON",
    "SET NUMERIC_ROUNDABORT OFF",
    "SET DATEFORMAT ymd",
    LOCK_TIMEOUT,
)
VERSION = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), CAST(SERVERPROPERTY('EngineEdition') AS int)"
DATABASE_ID = "SELECT DB_ID(?)"
CREATE_DATABASE = "CREATE DATABASE {database}"
OLDEST = 13  # SQL Server 2016; Azure SQL Database and Managed Instance say 12 and are newer
_AZURE_EDITIONS = frozenset({5, 8})


def connect(login: Login, driver: str, database: str, *, autocommit: bool = False) -> Connection:
    """A new session in a database, with the session settings.

    Raises:
        TransientError: the server cannot be reached now; a run goes on when it is back.
        TargetUnavailable: naming why the login failed and what to do; never the password nor the connection string.
    """
    try:
        connect_string = odbc_string(login, database, driver)
        connection: Connection = pyodbc().connect(connect_string, timeout=login.login_timeout, autocommit=True)
        for setting in SESSION_SETTINGS:
            connection.execute(setting).close()
    except pyodbc().Error as error:
        # `from None`: the driver's error may quote the connection string.
        why = why_no_login(error, login, database)
        if is_transient(error):
            raise TransientError(why.message, remedy=why.remedy) from None
        raise why from None
    connection.autocommit = autocommit
    return connection


def check_server(login: Login, driver: str, databases: Databases, *, create: bool) -> None:
    """Refuse a server that is too old; see that the three databases are there, and create those that are not where asked to.

    Raises:
        TargetUnavailable: naming what cannot be reached, the version, or the database and the option that creates it.
    """
    # The driver tries a refused port until the login's time-out: in mid-run that lets a server restart, here it only waits.
    away = why_unreachable(login, login.login_timeout)
    if away is not None:
        raise away
    try:
        connection = connect(login, driver, "master", autocommit=True)
    except TransientError as error:
        raise TargetUnavailable(error.message, remedy=error.remedy) from None
    try:
        version, edition = connection.execute(VERSION).fetchone() or ("0", 0)
        if int(str(version).partition(".")[0]) < OLDEST and edition not in _AZURE_EDITIONS:
            raise TargetUnavailable(
                f"The SQL Server {login.host}:{login.port} is version {version}.",
                remedy="SQL Server 2016 (13.0) is the oldest that is supported.",
            )
        wanted = (databases.stage, databases.bronze, databases.general)
        missing = [name for name in wanted if connection.execute(DATABASE_ID, name).fetchval() is None]
        if missing and not create:
            raise TargetUnavailable(
                f"The SQL Server {login.host}:{login.port} has no database {', '.join(missing)} that this login can see.",
                remedy=DATABASE_REMEDY,
            )
        _create(connection, missing, login)
    finally:
        connection.close()


def _create(connection: Connection, names: Iterable[str], login: Login) -> None:
    for name in names:
        try:
            connection.execute(CREATE_DATABASE.format(database=quoted(name)))
        except pyodbc().Error as error:
            if 1801 not in numbers_of(error):  # noqa: PLR2004 - another run has just created it
                raise why_no_login(error, login, name) from None
