"""SQL Server 2016 and later and Azure SQL Managed Instance: Stage, Bronze and General as three databases of one server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy.schema import CreateSequence, CreateTable
from sqlalchemy.types import TypeEngine

from connections import mssql_catalogue, mssql_indexes, mssql_session, mssql_statements, mssql_types
from connections.bulk_copy import BulkCopy, BulkSettings
from connections.mssql_errors import code_of, is_transient
from connections.mssql_health import warnings_of
from connections.mssql_insert import insert, statement
from connections.mssql_lock import PREFIX, held
from connections.mssql_login import Login
from connections.mssql_nulls import send_nulls_as_literals
from connections.mssql_session import check_server, connect
from connections.mssql_types import is_metadata, key_type, mssql_type, travelling_as
from connections.mssql_values import checked
from connections.named_type import NamedType
from connections.odbc import driver_for, pyodbc
from connections.target import Databases, Rebuilt, Session, Target
from model.errors import UnsupportedName
from model.names import TableName
from model.system_columns import BATCH_ID, BRONZE_SYSTEM, EFFECTIVE, END_BATCH_ID, KEY_HASH, SCD2_KEY, SCD2_OPERATION
from model.types import Column, ColumnType
from model.warehouse import WarehouseTable

if TYPE_CHECKING:
    from pyodbc import Connection, Cursor

_MOST_COLUMNS = 1024 - len(BRONZE_SYSTEM)
_CREATING = "udm:create"
_CREATING_MILLISECONDS = 120_000


class _Definition(sa.DDL):
    """DDL that runs in a database. USE is a statement apart: of a batch the driver may report the first one's error only."""

    def __init__(self, statement: str, database: str) -> None:
        super().__init__(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        self.database = database


def _use_its_database(connection: sa.Connection, statement: object, *_: object) -> None:
    if isinstance(statement, _Definition):
        connection.exec_driver_sql(mssql_statements.use(statement.database))


class MSSQLTarget(Target):
    """Three databases; every statement names the one it means, so that a session serves all of them."""

    kind: ClassVar[str] = "mssql"
    max_tx_rows: ClassVar[int] = 1_000_000  # the log grows with a transaction, and is not truncated before its end

    def __init__(self, login: Login, databases: Databases, bulk: BulkSettings, *, create_databases: bool = False) -> None:
        self.login = login
        self._bulk = bulk
        self._running: set[Callable[[], object]] = set()
        self._mutex = threading.RLock()  # reentrant: `interrupt` is called by signal handlers, which may come in it
        self._driver = driver_for(login)
        check_server(login, self._driver, databases, create=create_databases)
        engine, recorder = (self._engine(databases.general) for _ in range(2))
        super().__init__(engine, recorder, databases)
        for each in (engine, recorder):
            sa.event.listen(each, "before_execute", _use_its_database)
            send_nulls_as_literals(each)
        sa.event.listen(engine, "before_cursor_execute", self._begin_statement)
        sa.event.listen(engine, "after_cursor_execute", self._end_statement)
        sa.event.listen(engine, "handle_error", self._failed_statement)

    def _engine(self, database: str) -> sa.Engine:
        return sa.create_engine(
            "mssql+pyodbc://",
            creator=partial(connect, self.login, self._driver, database),
            hide_parameters=True,
            use_setinputsizes=False,  # they go by position, and NULLs are taken out; pyodbc goes by each value then
            max_overflow=-1,
            pool_pre_ping=True,
        )

    def _begin_statement(self, _: object, cursor: Cursor, *__: object) -> None:
        with self._mutex:
            self._running.add(cursor.cancel)

    def _end_statement(self, _: object, cursor: Cursor, *__: object) -> None:
        with self._mutex:
            self._running.discard(cursor.cancel)

    def _failed_statement(self, context: sa.engine.ExceptionContext) -> None:
        if context.execution_context is not None:
            self._end_statement(None, context.execution_context.cursor)

    @contextmanager
    def watched(self, stop: Callable[[], object]) -> Iterator[None]:
        """`interrupt` calls `stop` while the block runs."""
        with self._mutex:
            self._running.add(stop)
        try:
            yield
        finally:
            with self._mutex:
                self._running.discard(stop)

    def schema(self, database: str, schema: str) -> str:
        """SQL Server's `database.schema`."""
        return f"{database}.{schema}"

    def sql_type(self, column_type: ColumnType) -> TypeEngine[object]:
        """Every canonical type has one; which values it refuses, `connections.mssql_values` says."""
        return mssql_type(column_type)

    def key_type(self, column_type: ColumnType) -> ColumnType:
        """Bounded: (MAX) cannot be indexed."""
        return key_type(column_type)

    def hash_type(self) -> TypeEngine[object]:
        """16 bytes, no more and no less."""
        return NamedType("binary(16)")

    def columns_of(self, connection: sa.Connection, name: TableName) -> tuple[Column, ...]:
        """From INFORMATION_SCHEMA."""
        return mssql_catalogue.columns_of(connection, name)

    def is_own_type(self, held: Column) -> bool:
        """VARCHAR too: a predecessor's tables have it, and NVARCHAR holds what it holds."""
        return super().is_own_type(held) or held.source_type.startswith("varchar(")

    def is_known_type(self, held: Column) -> bool:
        """NUMERIC and VARCHAR too, and times of any digits."""
        return super().is_known_type(held) or mssql_types.is_known(held.source_type)

    def is_metadata(self, held: Column, wanted: ColumnType) -> bool:
        """See `mssql_types`."""
        return is_metadata(held.source_type, self.type_text(wanted))

    def alter_type(self, name: TableName, column: str, wanted: ColumnType) -> str:
        """Says NULL: left out it is what the session's settings have it be."""
        return f"ALTER TABLE {self.quoted(name)} ALTER COLUMN {mssql_catalogue.quoted(column)} {self.type_text(wanted)} NULL"

    def rename_column(self, name: TableName, before: str, after: str) -> str:
        """sp_rename, in the column's own database."""
        return mssql_statements.rename_column(name, before, after)

    def allow_null(self, name: TableName, column: Column) -> str:
        """The column's type again, with NULL."""
        changed = f"{mssql_catalogue.quoted(column.name)} {column.source_type} NULL"
        return f"ALTER TABLE {self.quoted(name)} ALTER COLUMN {changed}"

    def number_rows(self, name: TableName, column: str) -> Sequence[str]:
        """IDENTITY."""
        return (f"ALTER TABLE {self.quoted(name)} ADD {mssql_catalogue.quoted(column)} bigint IDENTITY NOT NULL",)

    def number_on(self, connection: sa.Connection, name: TableName, column: str, start: int) -> Sequence[str]:
        """No column becomes an IDENTITY afterwards, so a sequence is its default."""
        query = sa.text(mssql_statements.NUMBERS_ITSELF.format(database=mssql_catalogue.quoted(name.database)))
        if connection.execute(query, {"table": self.quoted(name), "column": column}).first() is not None:
            return ()
        return mssql_statements.number_on(name, self.quoted(name), column, start)

    def restart(self, sequence: sa.Sequence, start: int) -> str:
        """Of the current database: ALTER SEQUENCE takes a name of two parts."""
        name = f"{mssql_catalogue.quoted(sequence.schema or '')}.{mssql_catalogue.quoted(sequence.name)}"
        return f"ALTER SEQUENCE {name} RESTART WITH {start}"

    def indexes_over(self, connection: sa.Connection, name: TableName, column: str) -> list[Rebuilt]:
        """Those that hold the column, but for what belongs to a constraint: that is the table's owners'."""
        return mssql_indexes.indexes_over(connection, name, self.quoted(name), column)

    def index_names(self, connection: sa.Connection, name: TableName) -> list[str]:
        """From sys.indexes."""
        query = sa.text(mssql_indexes.NAMES.format(database=mssql_catalogue.quoted(name.database)))
        return list(connection.execute(query, {"table": self.quoted(name)}).scalars())

    def index_name(self, name: TableName, column: str) -> str:
        """At most 128 code units."""
        whole = super().index_name(name, column).encode("utf-16-le")
        return whole[: 2 * mssql_statements.LONGEST_NAME].decode("utf-16-le", "ignore")

    def create_index(self, name: TableName, index: str, columns: Sequence[str], *, columnstore: bool) -> str:
        """A columnstore where one is wanted."""
        created = super().create_index(name, index, columns, columnstore=columnstore)
        return created.replace("CREATE INDEX", "CREATE NONCLUSTERED COLUMNSTORE INDEX", 1) if columnstore else created

    @contextmanager
    def impatient(self, connection: sa.Connection) -> Iterator[None]:
        """For the block; a session's setting is no part of its transaction."""
        connection.execute(sa.text(mssql_statements.LOCK_TIMEOUT.format(milliseconds=self.alter_patience * 1000)))
        try:
            yield
        finally:
            if not connection.invalidated:
                with suppress(pyodbc().Error):  # the session is lost, and the pool will see it
                    connection.connection.cursor().execute(mssql_session.LOCK_TIMEOUT)

    def tables_in(self, connection: sa.Connection, database: str, schema: str) -> list[str]:
        """From INFORMATION_SCHEMA."""
        return mssql_catalogue.tables_in(connection, database, schema)

    def catalogue(self, connection: sa.Connection, database: str) -> dict[tuple[str, str], set[str]]:
        """From INFORMATION_SCHEMA."""
        return mssql_catalogue.catalogue(connection, database)

    @contextmanager
    def creating(self) -> Iterator[None]:
        """One run at a time: two first runs would find the same things missing."""
        with held(self.engine, self.databases.general, _CREATING, patience=_CREATING_MILLISECONDS):
            yield

    def ddl(self, database: str, statement: str) -> sa.DDL:
        """Runs in its database, as CREATE SCHEMA and CREATE SEQUENCE must and the rest may."""
        return _Definition(statement, database)

    def create_schema(self, database: str, schema: str) -> None:
        """CREATE SCHEMA wants to be alone in its batch; another worker may be quicker."""
        try:
            with self.engine.begin() as connection:
                self._create(connection, database, mssql_statements.create_schema(schema))
        except sa.exc.DBAPIError:
            with self.engine.begin() as connection:
                connection.execute(sa.text(mssql_statements.use(database)))
                if connection.execute(sa.text(mssql_statements.SCHEMA_ID), {"schema": schema}).scalar() is None:
                    raise

    def create_sequence(self, connection: sa.Connection, database: str, sequence: sa.Sequence) -> None:
        """CREATE SEQUENCE has no IF NOT EXISTS."""
        here = sa.Sequence(sequence.name, schema=sequence.schema, data_type=sa.BigInteger, start=1)
        create = str(CreateSequence(here).compile(dialect=self.engine.dialect))
        self._create(connection, database, mssql_statements.create_sequence(sequence.schema or "", sequence.name, create))

    def create_table(self, connection: sa.Connection, database: str, table: sa.Table) -> None:
        """CREATE TABLE has no IF NOT EXISTS either: OBJECT_ID says it."""
        create = str(CreateTable(table).compile(dialect=self.engine.dialect))
        name = self.engine.dialect.identifier_preparer.format_table(table)
        self._create(connection, database, mssql_statements.create_table(name, create))

    def _create(self, connection: sa.Connection, database: str, statement: str) -> None:
        connection.execute(self.ddl(database, statement))

    def now(self, connection: sa.Connection) -> datetime:
        """The server's clock."""
        instant: datetime = connection.execute(sa.text(mssql_statements.NOW)).scalar_one()
        return instant

    def check_names(self, tables: WarehouseTable) -> None:
        """Names of at most 128 code units, and not too many columns."""
        layers = (tables.stage, tables.bronze, tables.staging)
        for name in (*(layer.schema for layer in layers), *(layer.table for layer in layers), *tables.names):
            if len(name.encode("utf-16-le")) // 2 > mssql_statements.LONGEST_NAME:
                raise UnsupportedName(
                    f"{tables}: the name {name!r} is longer than SQL Server's {mssql_statements.LONGEST_NAME} characters.",
                    remedy="Load a view with shorter names, or set StageTableName and BronzeTableName in UdmTablesList.",
                )
        if len(tables.names) > _MOST_COLUMNS:
            raise UnsupportedName(
                f"{tables}: {len(tables.names)} columns, and a SQL Server table has room for {_MOST_COLUMNS} beside ours.",
                remedy="Load views of fewer columns.",
            )

    def lock_table(self, source: str, table: str) -> AbstractContextManager[Session]:
        """An application lock in General, owned by the session that the promotions run on."""
        return held(self.engine, self.databases.general, f"{PREFIX}{source}.{table}")

    def bulk_copy(self) -> BulkCopy | None:
        """Many rows go by BCP."""
        return BulkCopy(login=self.login, settings=self._bulk, watched=self.watched)

    def check_values(self, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Refuses NaN, 24:00:00 and what else SQL Server cannot hold."""
        return checked(name, columns, frames)

    def bulk_load(
        self, connection: sa.Connection, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]
    ) -> int:
        """A parameterised INSERT: exact for every value; `data_load` takes BCP where the rows are many."""
        types = [(mssql_catalogue.quoted(column.name), self.type_text(column.type)) for column in columns]
        raw: Connection = connection.connection.dbapi_connection
        cursor = raw.cursor()
        try:
            with self.watched(cursor.cancel):
                return insert(cursor, statement(self.quoted(name), types), columns, frames)
        finally:
            cursor.close()

    def read(self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int) -> Iterator[pl.DataFrame]:
        """As Arrow, on a session of its own that sees what is committed."""
        from connections.mssql_arrow import read_frames  # noqa: PLC0415 - a run that reads nothing back needs no second driver

        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        return read_frames(self.login, self.databases.general, text, rows, self.watched)

    def delete_some(self, table: sa.FromClause, conditions: Sequence[sa.ColumnElement[Any]], rows: int) -> sa.Delete:
        """DELETE TOP: a lock on few rows, and a log that can be truncated in between."""
        return sa.delete(cast("sa.Table", table)).prefix_with(f"TOP ({rows})").where(*conditions)

    def travelling(self, column: Column) -> sa.ColumnElement[object]:
        """TIME and UUID as canonical text, instants with an offset in UTC."""
        return travelling_as(column.name, column.type.kind)

    def binary_literal(self, value: bytes) -> sa.ColumnElement[bytes]:
        """`0x…`."""
        return sa.literal_column(f"0x{value.hex()}")

    def row_number(self, names: Sequence[str]) -> None:
        """An IDENTITY column numbers itself."""
        del names

    def surrogate_column(self) -> sa.Column[int]:
        """Numbered by the server, and the table's clustered primary key: new versions are appended."""
        return sa.Column(SCD2_KEY, sa.BigInteger, sa.Identity(), primary_key=True)

    def one_active_index(self, name: TableName, key: str, flag: str) -> str:
        """A filtered unique index."""
        return mssql_statements.one_active_index(name, self.quoted(name), key, flag)

    def current_index(self, name: TableName, key: str, read_back: Sequence[str], flag: str) -> str | None:
        """A filtered unique index that covers what is read back."""
        return mssql_statements.current_index(name, self.quoted(name), key, read_back, flag)

    def window_index(self, stage: TableName, date: str, read_back: Sequence[str], flag: str) -> str:
        """A filtered index that covers what is read back."""
        return mssql_statements.window_index(stage, self.quoted(stage), date, read_back, flag)

    def lookup_indexes(self, bronze: TableName) -> Sequence[str]:
        """By deleted key and by batch: without them each promotion would read all of Bronze several times; by key and instant."""
        table, quoted = self.quoted(bronze), mssql_catalogue.quoted
        wanted = (
            ((KEY_HASH,), "deleted", f"{quoted(SCD2_OPERATION)} = N'D'"),
            ((BATCH_ID,), "batch", ""),
            ((END_BATCH_ID,), "end_batch", f"{quoted(END_BATCH_ID)} IS NOT NULL"),
            ((KEY_HASH, EFFECTIVE), "versions", ""),
        )
        return tuple(mssql_statements.lookup_index(bronze, table, *about) for about in wanted)

    def disabled_indexes(self, connection: sa.Connection, name: TableName) -> dict[str, str]:
        """From sys.indexes, the clustered one first: the others cannot be rebuilt without it."""
        query = sa.text(mssql_statements.disabled_indexes(name.database))
        found = connection.execute(query, {"table": self.quoted(name)}).scalars()
        return {index: mssql_statements.rebuild_index(self.quoted(name), index) for index in found}

    def is_transient(self, error: BaseException) -> bool:
        """By SQLSTATE and native number."""
        return is_transient(error)

    def error_code(self, error: BaseException) -> str:
        """The SQLSTATE and the server's own numbers."""
        return super().error_code(error) or code_of(error)

    def start_up_warnings(self) -> list[str]:
        """RCSI and the logs."""
        with self.engine.connect() as connection:
            return warnings_of(connection, self.databases)

    def interrupt(self) -> None:
        """Cancel every statement and load that runs; the lock's session lives on and rolls back."""
        with self._mutex:
            running = list(self._running)
        for stop in running:
            with suppress(pyodbc().Error):  # it has just ended
                stop()

    def query_hint(self, name: TableName) -> str:
        """For sqlcmd, which asks for the password."""
        who = f"-U {self.login.user}" if self.login.user else "-E"
        return f'sqlcmd -S {self.login.server} {who} -Q "SELECT TOP 5 * FROM {self.quoted(name)}"'  # noqa: S608 - a hint for people
