"""PostgreSQL 14 and later as the target: one database holds the three layers, for PostgreSQL cannot join across databases.

A database of the warehouse and a schema in it are one PostgreSQL schema, named `UDM_Stage.DNA`: one identifier with a dot in it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, cast

import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL
from sqlalchemy.types import TypeEngine

from connections import postgresql_statements as statements
from connections.named_type import NamedType
from connections.postgresql_connect import check_server, engine_of
from connections.postgresql_copy import copy_in, read_rows
from connections.postgresql_errors import is_transient, without_password
from connections.postgresql_hashes import by_block, by_hash, by_key, copy_hashes, index_serves
from connections.postgresql_lock import advisory_lock, lock_key
from connections.postgresql_statements import LONGEST_NAME, listed, quoted
from connections.postgresql_types import canonical_type, postgresql_type, travels_as_text
from connections.target import Databases, Session, Target, ddl
from model.errors import TargetUnavailable, UnsupportedName
from model.names import TableName
from model.system_columns import SCD2_KEY
from model.types import Column, ColumnType, Kind
from model.warehouse import WarehouseTable

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

_MOST_COLUMNS = 1600 - 16
_HIDDEN_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_CANCEL_SECONDS = 3.0
# Statements that go round SQLAlchemy's cursor: with pyformat every % in a name would be doubled.
_PLAIN = PGDialect_psycopg(paramstyle="named")  # type: ignore[no-untyped-call]


class PostgreSQLTarget(Target):
    """A PostgreSQL database."""

    kind: ClassVar[str] = "postgresql"
    add_column_keyword: ClassVar[str] = "ADD COLUMN"
    compares_case: ClassVar[bool] = True
    row_identity: ClassVar[str] = "ctid"
    stage_storage: ClassVar[Mapping[str, Any]] = statements.STAGE_STORAGE
    staging_storage: ClassVar[Mapping[str, Any]] = statements.STAGING_STORAGE

    def __init__(self, url: URL, databases: Databases) -> None:
        self._url = url
        self._sessions: weakref.WeakSet[psycopg.Connection[Any]] = weakref.WeakSet()
        self._mutex = threading.RLock()  # reentrant: `interrupt` is called by signal handlers, which may come in it
        self._interrupting = False
        engine, recorder = engine_of(url), engine_of(url)
        sa.event.listen(engine, "connect", self._opened)
        try:
            check_server(url, recorder)
        except BaseException:
            recorder.dispose()
            raise
        super().__init__(engine, recorder, databases)

    def _opened(self, session: DBAPIConnection, _: object) -> None:
        with self._mutex:
            self._sessions.add(cast("psycopg.Connection[Any]", session))

    def schema(self, database: str, schema: str) -> str:
        """One schema for both: `UDM_Stage.DNA`."""
        return f"{database}.{schema}"

    def sql_type(self, column_type: ColumnType) -> TypeEngine[object]:
        """Every canonical type has a PostgreSQL type."""
        return postgresql_type(column_type)

    def columns_of(self, connection: sa.Connection, name: TableName) -> tuple[Column, ...]:
        """From `pg_attribute`; a type that is not canonical shows as text."""
        rows = connection.execute(
            sa.text(
                "SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull FROM pg_attribute AS a "
                "JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace "
                "WHERE n.nspname = :schema AND c.relname = :table AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
                "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
            ),
            {"schema": self.schema(name.database, name.schema), "table": name.table},
        )
        return tuple(
            Column(name=column, type=canonical_type(kind) or ColumnType(kind="text"), nullable=nullable, source_type=kind)  # type: ignore[arg-type]
            for column, kind, nullable in rows
        )

    def is_metadata(self, held: Column, wanted: ColumnType) -> bool:
        """Only more digits ahead of the point: of our types no other ALTER spares the table and its indexes.

        Source: https://www.postgresql.org/docs/release/9.2.0/ (ALTER TABLE) and https://www.postgresql.org/docs/14/sql-altertable.html
        """
        return wanted.kind is Kind.DECIMAL and wanted.scale == held.type.scale

    def is_known_type(self, held: Column) -> bool:
        """VARCHAR too."""
        return super().is_known_type(held) or held.source_type.startswith("character varying")

    def number_on(self, connection: sa.Connection, name: TableName, column: str, start: int) -> Sequence[str]:
        """An identity of the column's own, where it has neither one nor a default."""
        query = sa.text(
            "SELECT a.attidentity <> '' OR a.atthasdef FROM pg_attribute AS a WHERE a.attrelid = to_regclass(:table) "
            "AND a.attname = :column"
        )
        if connection.execute(query, {"table": self.quoted(name), "column": column}).scalar_one():
            return ()
        alter = f"ALTER TABLE {self.quoted(name)} ALTER COLUMN {quoted(column)}"
        return (f"{alter} SET NOT NULL", f"{alter} ADD GENERATED ALWAYS AS IDENTITY (START WITH {start})")

    def index_names(self, connection: sa.Connection, name: TableName) -> list[str]:
        """From `pg_indexes`."""
        query = sa.text("SELECT indexname FROM pg_indexes WHERE schemaname = :schema AND tablename = :table")
        about = {"schema": self.schema(name.database, name.schema), "table": name.table}
        return list(connection.execute(query, about).scalars())

    def index_name(self, name: TableName, column: str) -> str:
        """At most 63 bytes."""
        return statements.index_name("ix", name.table, column)

    @contextmanager
    def impatient(self, connection: sa.Connection) -> Iterator[None]:
        """For this transaction."""
        connection.execute(ddl(f"SET LOCAL lock_timeout = '{self.alter_patience}s'"))
        yield

    def tables_in(self, connection: sa.Connection, database: str, schema: str) -> list[str]:
        """From `pg_tables`."""
        query = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
        return list(connection.execute(query, {"schema": self.schema(database, schema)}).scalars())

    def create_schema(self, database: str, schema: str) -> None:
        """CREATE SCHEMA where it is missing: two runs may both find it so, and IF NOT EXISTS does not keep them apart."""
        name = self.schema(database, schema)
        exists = sa.text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
        with self.engine.connect() as connection:
            if connection.execute(exists, {"name": name}).first():
                return
        try:
            with self.engine.begin() as connection:
                connection.execute(sa.schema.CreateSchema(name, if_not_exists=True))
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                raise TargetUnavailable(
                    f"The target's user may not create the schema {name!r}.",
                    remedy=f'GRANT CREATE ON DATABASE "{self._url.database}" TO "{self._url.username}", or create it for them.',
                ) from None
            if not isinstance(error.orig, psycopg.errors.UniqueViolation | psycopg.errors.DuplicateSchema):
                raise

    @contextmanager
    def creating(self) -> Iterator[None]:
        """An advisory lock of the target's own, waited for; closing the session gives it back."""
        with self.engine.connect() as connection:
            connection.detach()
            with connection.begin():
                connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": lock_key((self.databases.general,))})
            yield

    def catalogue(self, connection: sa.Connection, database: str) -> dict[tuple[str, str], set[str]]:
        """From `pg_attribute`; names are as they are spelled, for PostgreSQL compares them so."""
        query = sa.text(
            "SELECT n.nspname, c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
            "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE starts_with(n.nspname, :prefix) "
            "AND c.relkind IN ('r', 'p', 'v', 'f') AND a.attnum > 0 AND NOT a.attisdropped"
        )
        prefix = self.schema(database, "")
        held: dict[tuple[str, str], set[str]] = {}
        for schema, table, column in connection.execute(query, {"prefix": prefix}):
            held.setdefault((schema.removeprefix(prefix), table), set()).add(column)
        return held

    def now(self, connection: sa.Connection) -> datetime:
        """The server's clock, not the transaction's beginning."""
        instant: datetime = connection.execute(sa.text("SELECT clock_timestamp() AT TIME ZONE 'UTC'")).scalar_one()
        return instant

    def check_names(self, tables: WarehouseTable) -> None:
        """Names of at most 63 bytes, columns that are not PostgreSQL's own, and not too many of them."""
        layers = (tables.stage, tables.bronze, tables.staging)
        names = [("schema", self.schema(layer.database, layer.schema)) for layer in layers]
        names += [("table", layer.table) for layer in layers] + [("column", name) for name in tables.names]
        for what, name in names:
            if (length := len(name.encode())) > LONGEST_NAME:
                raise UnsupportedName(
                    f"{tables}: the {what} name {name!r} has {length} bytes, and PostgreSQL keeps {LONGEST_NAME}.",
                    remedy="Load a view that gives the column a shorter name."
                    if what == "column"
                    else "Set StageTableName and BronzeTableName in UdmTablesList to shorter names.",
                )
        for name in tables.names:
            if name in _HIDDEN_COLUMNS:
                raise UnsupportedName(
                    f"{tables}: every PostgreSQL table has a hidden column {name!r} of its own.",
                    remedy="Load a view that gives the column another name.",
                )
        if len(tables.names) > _MOST_COLUMNS:
            raise UnsupportedName(
                f"{tables}: {len(tables.names)} columns, and a PostgreSQL table has room for {_MOST_COLUMNS} beside ours.",
                remedy="Load views of fewer columns.",
            )

    def lock_table(self, source: str, table: str) -> AbstractContextManager[Session]:
        """A session's advisory lock, named by the three databases, the source and the table."""
        databases = self.databases
        names = (databases.stage, databases.bronze, databases.general, source, table)
        return advisory_lock(self.engine, names, f"{source}.{table}")

    def bulk_load(
        self, connection: sa.Connection, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]
    ) -> int:
        """COPY in binary."""
        names = listed(column.name for column in columns)
        statement = f"COPY {self.quoted(name)} ({names}) FROM STDIN (FORMAT binary)"
        return copy_in(_session(connection), str(name), statement, columns, frames)

    def read(self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int) -> Iterator[pl.DataFrame]:
        """A server-side cursor."""
        return read_rows(_session(connection), _text(query), rows)

    def read_many(self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int) -> Iterator[pl.DataFrame]:
        """COPY as CSV."""
        from connections.postgresql_read import read_many  # noqa: PLC0415 - loads do without it

        return read_many(_session(connection), _text(query), rows)

    def value_sums(
        self,
        rows: sa.FromClause,
        conditions: Sequence[sa.ColumnElement[bool]],
        key_hash: sa.ColumnElement[Any],
        values: Sequence[tuple[Column, sa.ColumnElement[Any]]],
        hashes: Sequence[sa.ColumnElement[Any]],
    ) -> sa.Select[int, int, Decimal, Decimal]:
        """By `hash_record_extended`, of values and not of how they are spelled; 1.2 s a million rows of 20 columns."""
        from connections.postgresql_sums import hashable, value_sums  # noqa: PLC0415 - loads do without it

        return value_sums(rows, conditions, key_hash, hashable(values), hashes)

    def read_hashes(
        self, connection: sa.Connection, stage: TableName, query: sa.Select[tuple[object, ...]], rows: int
    ) -> Iterator[pl.DataFrame]:
        """Thousands of them a message, from the current index alone where that serves."""
        session = _session(connection)
        index = f"{quoted(self.schema(stage.database, stage.schema))}.{quoted(statements.current_index_name(stage))}"
        if index_serves(session, index):
            return copy_hashes(session, by_key(_text(query)), rows)
        placed = query.add_columns(sa.column("ctid"))
        return copy_hashes(session, by_block(_text(placed), self.quoted(stage)), rows)

    def read_some_hashes(
        self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int
    ) -> Iterator[pl.DataFrame]:
        """Thousands of them a message; the query runs once."""
        return copy_hashes(_session(connection), by_hash(_text(query)), rows)

    def travelling(self, column: Column) -> sa.ColumnElement[object]:
        """TIME and UUID as text."""
        stored: sa.ColumnElement[object] = sa.column(column.name)
        if not travels_as_text(column.source_type):
            return stored
        return sa.cast(stored, NamedType("text")).label(column.name)

    def binary_literal(self, value: bytes) -> sa.ColumnElement[bytes]:
        r"""`'\x…'::bytea`."""
        return sa.literal_column(f"'\\x{value.hex()}'::bytea")

    def row_number(self, names: Sequence[str]) -> None:
        """None: the column numbers itself."""
        del names

    def surrogate_column(self) -> sa.Column[int]:
        """An identity column: the one number that nobody may give."""
        return sa.Column(SCD2_KEY, sa.BigInteger, sa.Identity(always=True), nullable=False)

    def one_active_index(self, name: TableName, key: str, flag: str) -> str:
        """A partial unique index."""
        return statements.one_active_index(name, self.quoted(name), key, flag)

    def current_index(self, name: TableName, key: str, read_back: Sequence[str], flag: str) -> str:
        """A partial unique index that covers what is read back."""
        return statements.current_index(name, self.quoted(name), key, read_back, flag)

    def window_index(self, stage: TableName, date: str, read_back: Sequence[str], flag: str) -> str:
        """A partial index that covers what is read back."""
        return statements.window_index(stage, self.quoted(stage), date, read_back, flag)

    def lookup_indexes(self, bronze: TableName) -> Sequence[str]:
        """By deleted key and by batch: without them each promotion would read all of Bronze several times; by key and instant."""
        table = self.quoted(bronze)
        return [*self.sparse_indexes(bronze), statements.batch_index(bronze, table), statements.versions_index(bronze, table)]

    def sparse_indexes(self, bronze: TableName) -> Sequence[str]:
        """Over deleted and over ended versions."""
        return statements.sparse_indexes(bronze, self.quoted(bronze))

    def analyze(self, connection: sa.Connection, name: TableName) -> None:
        """ANALYZE: a table without statistics is taken for one of a few rows, and joined row by row."""
        connection.execute(ddl(f"ANALYZE {self.quoted(name)} ({listed(statements.STAGING_LOOKED_UP)})"))

    def settle(self, name: TableName) -> None:
        """VACUUM sets the visibility map, without which an index-only scan reads the table all the same."""
        is_stage = name.database == self.databases.stage
        columns = listed(statements.STAGE_LOOKED_UP if is_stage else statements.BRONZE_LOOKED_UP)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(ddl(f"VACUUM (ANALYZE) {self.quoted(name)} ({columns})"))

    def is_transient(self, error: BaseException) -> bool:
        """By SQLSTATE."""
        return is_transient(error)

    def interrupt(self) -> None:
        """Cancel what runs on every data session, through a connection of its own as PostgreSQL wants it."""
        with self._mutex:
            if self._interrupting:
                return
            self._interrupting = True
            sessions = list(self._sessions)
        try:
            for session in sessions:
                if not session.closed and session.info.transaction_status is psycopg.pq.TransactionStatus.ACTIVE:
                    with suppress(psycopg.Error):
                        session.cancel_safe(timeout=_CANCEL_SECONDS)
        finally:
            self._interrupting = False

    def query_hint(self, name: TableName) -> str:
        """For psql; without the password."""
        url = without_password(self._url).render_as_string()
        return f"psql '{url}' -c 'SELECT * FROM {self.quoted(name)} LIMIT 5'"  # noqa: S608 - a hint for people

    @property
    def text_dialect(self) -> sa.Dialect:
        """Without psycopg's `%s`."""
        return _PLAIN


def _session(connection: sa.Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _text(query: sa.Select[tuple[object, ...]]) -> str:
    return str(query.compile(dialect=_PLAIN, compile_kwargs={"literal_binds": True}))
