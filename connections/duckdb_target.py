"""The embedded target: a folder with one DuckDB file a database. One process at a time may hold it.

DuckDB takes an operating-system lock on each file it attaches, so the files themselves keep a second run out.
Source: https://duckdb.org/docs/stable/connect/concurrency
"""

from __future__ import annotations

import os
import re
import threading
import uuid
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import duckdb
import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from duckdb_engine import ConnectionWrapper
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

from connections.duckdb_instances import quote, take_instance
from connections.duckdb_row_groups import put_off_merging
from connections.duckdb_types import canonical_type, cast_text, duckdb_type, travels_as_text
from connections.target import Databases, Rebuilt, Session, Target
from model.errors import TableHeld, TargetHeld, TargetUnavailable, ValueNotExact
from model.names import TableName
from model.types import Column, ColumnType

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

# Words of `duckdb_keywords()` that are names in quotes only; SQLAlchemy takes the dialect for PostgreSQL's.
_RESERVED = frozenset({
    "anti", "asof", "at", "columns", "describe", "generated", "glob", "lambda", "map", "pivot", "pivot_longer", "pivot_wider",
    "positional", "qualify", "semi", "show", "struct", "summarize", "try_cast", "tuple", "unpack", "unpivot",
})  # fmt: skip
_HOLDER = re.compile(r"held in (.+?)(?: by user \S+)?\. ")


class _Connection(ConnectionWrapper):
    """A cursor as SQLAlchemy wants it. A rollback that is interrupted is no error: closing the cursor completes it."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        super().__init__(cursor)
        self._cursor = cursor

    def rollback(self) -> None:
        """Roll back, now or on closing."""
        with suppress(duckdb.InterruptException):
            self._cursor.rollback()


class DuckDBTarget(Target):
    """Three attached DuckDB files behind one in-memory root connection; every connection is a cursor of it."""

    kind: ClassVar[str] = "duckdb"
    add_column_keyword: ClassVar[str] = "ADD COLUMN"
    row_identity: ClassVar[str] = "rowid"
    drops_indexes_apart: ClassVar[bool] = True  # an ALTER still sees those that its own transaction has dropped
    reads_by_region = True

    def __init__(self, folder: Path, databases: Databases, *, memory_limit: str) -> None:
        self.folder = folder
        self._cursors: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._held: set[tuple[str, str]] = set()
        self._mutex = threading.RLock()  # reentrant: `interrupt` is called by signal handlers, which may come in it
        self._root = _open(folder, databases, memory_limit)
        engine, recorder = (
            sa.create_engine("duckdb://", creator=creator, poolclass=NullPool, hide_parameters=True)
            for creator in (self._cursor, self._quiet)
        )
        super().__init__(engine, recorder, databases)
        for words in (one.dialect.identifier_preparer for one in (engine, recorder)):
            words.reserved_words = {*words.reserved_words, *_RESERVED}

    def _cursor(self) -> DBAPIConnection:
        cursor = self._root.cursor()
        with self._mutex:
            self._cursors.add(cursor)
        return _Connection(cursor)  # type: ignore[return-value]

    def _quiet(self) -> DBAPIConnection:
        return _Connection(self._root.cursor())  # type: ignore[return-value]

    def schema(self, database: str, schema: str) -> str:
        """DuckDB's `database.schema`."""
        return f"{database}.{schema}"

    def sql_type(self, column_type: ColumnType) -> TypeEngine[object]:
        """Every canonical type has a DuckDB type."""
        return duckdb_type(column_type)

    def columns_of(self, connection: sa.Connection, name: TableName) -> tuple[Column, ...]:
        """From `duckdb_columns()`; a type that is not canonical shows as text."""
        rows = connection.execute(
            sa.text(
                "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE database_name = :database "
                "AND schema_name = :schema AND table_name = :table ORDER BY column_index"
            ),
            {"database": name.database, "schema": name.schema, "table": name.table},
        )
        return tuple(
            Column(name=column, type=canonical_type(kind) or ColumnType(kind="text"), nullable=nullable, source_type=kind)  # type: ignore[arg-type]
            for column, kind, nullable in rows
        )

    def index_names(self, connection: sa.Connection, name: TableName) -> list[str]:
        """From `duckdb_indexes()`."""
        query = sa.text(
            "SELECT index_name FROM duckdb_indexes() WHERE database_name = :database AND schema_name = :schema "
            "AND table_name = :table"
        )
        about = {"database": name.database, "schema": name.schema, "table": name.table}
        return list(connection.execute(query, about).scalars())

    def indexes_over(self, connection: sa.Connection, name: TableName, column: str) -> list[Rebuilt]:
        """All of the table's: no column's type is altered while it has any, on whatever column."""
        del column
        query = sa.text(
            "SELECT index_name, is_unique, CAST(expressions AS VARCHAR[]) FROM duckdb_indexes() WHERE database_name = :database "
            "AND schema_name = :schema AND table_name = :table"
        )
        about = {"database": name.database, "schema": name.schema, "table": name.table}
        schema = f"{quote(name.database)}.{quote(name.schema)}"
        return [
            Rebuilt(
                drop=f"DROP INDEX {schema}.{quote(index)}",
                create=f"CREATE {'UNIQUE ' if unique else ''}INDEX {quote(index)} ON {self.quoted(name)} ({', '.join(columns)})",
            )
            for index, unique, columns in connection.execute(query, about).all()
        ]

    def number_rows(self, name: TableName, column: str) -> Sequence[str]:
        """There are no identity columns: rows are numbered once, and promotions number theirs (`row_number`)."""
        table, quoted = self.quoted(name), quote(column)
        return (f"ALTER TABLE {table} ADD COLUMN {quoted} BIGINT", f"UPDATE {table} SET {quoted} = rowid + 1")  # noqa: S608 - quoted

    def restart(self, sequence: sa.Sequence, start: int) -> str:
        """ALTER SEQUENCE has no RESTART; nothing depends on the pipeline's."""
        return f"CREATE OR REPLACE SEQUENCE {self._sequence(sequence)} START {start}"

    def tables_in(self, connection: sa.Connection, database: str, schema: str) -> list[str]:
        """From `duckdb_tables()`."""
        query = sa.text("SELECT table_name FROM duckdb_tables() WHERE database_name = :database AND schema_name = :schema")
        return list(connection.execute(query, {"database": database, "schema": schema}).scalars())

    def create_schema(self, database: str, schema: str) -> None:
        """Serialised: two concurrent CREATE SCHEMA conflict in DuckDB."""
        with self._mutex, self._root.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(database)}.{quote(schema)}")

    def catalogue(self, connection: sa.Connection, database: str) -> dict[tuple[str, str], set[str]]:
        """From `duckdb_columns()`."""
        query = sa.text("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE database_name = :database")
        held: dict[tuple[str, str], set[str]] = {}
        for schema, table, column in connection.execute(query, {"database": database}):
            held.setdefault((schema.casefold(), table.casefold()), set()).add(column.casefold())
        return held

    def now(self, connection: sa.Connection) -> datetime:
        """The machine's clock, as DuckDB reads it outside of a transaction's frozen time."""
        instant: datetime = connection.execute(sa.text("SELECT get_current_timestamp() AT TIME ZONE 'UTC'")).scalar_one()
        return instant

    @contextmanager
    def lock_table(self, source: str, table: str) -> Iterator[Session]:
        """Other processes are kept out by the file lock; this keeps out another worker of this one."""
        key = (source, table)
        with self._mutex:
            if key in self._held:
                raise TableHeld(f"{source}.{table} is being loaded by another worker of this run.")
            self._held.add(key)
        try:
            yield self.engine
        finally:
            with self._mutex:
                self._held.discard(key)

    def bulk_load(
        self, connection: sa.Connection, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]
    ) -> int:
        """INSERT from an Arrow stream; text that stands for TIME or UUID is cast on the way in."""
        cursor = _raw(connection)
        targets = ", ".join(quote(column.name) for column in columns)
        values = ", ".join(f"CAST({quote(c.name)} AS {self.sql_type(c.type)})" for c in columns)
        cursor.register("incoming_arrow_stream", _stream(columns, frames))
        try:
            [(loaded,)] = cursor.execute(
                f"INSERT INTO {self.quoted(name)} ({targets}) SELECT {values} FROM incoming_arrow_stream"  # noqa: S608
            ).fetchall()
        except duckdb.DataError as error:
            # DuckDB's message quotes the value, which no log may hold.
            raise ValueNotExact(
                f"{name}: the target refused a value while loading ({type(error).__name__}).",
                remedy="Load a view that casts the table's TIME and UUID columns to text.",
            ) from None
        finally:
            # After a failure the transaction refuses this too, and its error would hide the cause; the view ends with the cursor.
            with suppress(duckdb.Error):
                cursor.unregister("incoming_arrow_stream")
        return int(loaded)

    def read(self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int) -> Iterator[pl.DataFrame]:
        """Through DuckDB's streaming Arrow reader, without the copy that `execute` makes."""
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        for batch in _raw(connection).sql(text).to_arrow_reader(rows):
            yield pl.DataFrame(batch)

    def travelling(self, column: Column) -> sa.ColumnElement[object]:
        """TIME and UUID as text; TIMESTAMP WITH TIME ZONE arrives in UTC by the session's setting."""
        return cast_text(column.name) if travels_as_text(column.source_type) else sa.column(column.name)

    def binary_literal(self, value: bytes) -> sa.ColumnElement[bytes]:
        """`unhex('…')`."""
        return sa.literal_column(f"unhex('{value.hex()}')")

    def row_number(self, names: Sequence[str]) -> sa.ColumnElement[int]:
        """The rows' own numbers: a sequence's nextval costs more than the rest of the insert, and a window runs in one thread."""
        hidden = any(name.casefold() == "rowid" for name in names)
        return sa.func.row_number().over() if hidden else sa.literal_column("rowid", sa.BigInteger) + sa.literal_column("1")

    def one_active_index(self, name: TableName, key: str, flag: str) -> None:
        """None: a unique index over `CASE WHEN active THEN key END` makes each closing rewrite the whole row.

        An UPDATE of an indexed column is a delete and an insert in DuckDB, so it reads every column of the table.
        Source: https://duckdb.org/docs/stable/sql/indexes#constraint-checking-in-update-statements
        Nobody else can write: the files are held by one process, and every promotion proves what it wrote before it commits.
        """
        del name, key, flag

    def interrupt(self) -> None:
        """Interrupt every cursor that is still in use."""
        with self._mutex:
            for cursor in list(self._cursors):
                with suppress(duckdb.ConnectionException):  # closed, but still referred to by whoever used it
                    cursor.interrupt()

    def query_hint(self, name: TableName) -> str:
        """A Python one-liner, for the DuckDB shell need not be installed."""
        path = self.folder / f"{name.database}.duckdb"
        table = f"{quote(name.schema)}.{quote(name.table)}".replace('"', '\\"')
        return f"python -c \"import duckdb; duckdb.connect('{path}', read_only=True).sql('FROM {table} LIMIT 5').show()\""

    def close(self) -> None:
        """Close the files, at which DuckDB writes its checkpoint. Freeing the memory takes longer: nobody waits for that."""
        super().close()
        try:
            for database in (self.databases.stage, self.databases.bronze, self.databases.general):
                self._root.execute(f"DETACH {quote(database)}")
        except duckdb.Error:
            self._root.close()  # whatever is left, in order
        else:
            # No daemon: one that comes back from DuckDB while the interpreter ends aborts the process.
            threading.Thread(target=self._root.close, name="closing").start()


def _open(folder: Path, databases: Databases, memory_limit: str) -> duckdb.DuckDBPyConnection:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        root = take_instance()
        root.execute(f"SET memory_limit = '{memory_limit}'")
        root.execute("SET preserve_insertion_order = false")
        root.execute("SET enable_progress_bar = false")
        root.execute("SET TimeZone = 'UTC'")
        # Choosing a compression takes longer than writing: less than half the time for about twice the disk.
        root.execute("SET force_compression = 'uncompressed'")
        root.execute(f"SET temp_directory = '{str(folder / 'spill').replace(chr(39), chr(39) * 2)}'")
        for name in (databases.stage, databases.bronze, databases.general):
            _create_missing_file(folder / f"{name}.duckdb")
            root.execute(f"ATTACH '{str(folder / name).replace(chr(39), chr(39) * 2)}.duckdb' AS {quote(name)}")
        put_off_merging(root, databases.bronze)
    except (duckdb.Error, OSError) as error:
        raise _why_not_open(folder, error) from error
    return root


def _create_missing_file(file: Path) -> None:
    """Create a database file complete or not at all: DuckDB refuses for ever one that a kill or a full disk cut short."""
    if file.exists():
        return
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
    try:
        duckdb.connect(str(temporary)).close()
        with suppress(OSError):  # another process was quicker, or the file system has no hard links: ATTACH does without
            os.link(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _why_not_open(folder: Path, error: Exception) -> TargetHeld | TargetUnavailable:
    if "Could not set lock" in str(error):
        holder = _HOLDER.search(str(error))
        return TargetHeld(
            f"The embedded target {folder} is held by {holder[1] if holder else 'another process'}.",
            remedy="Wait until it has ended: one process at a time can use it.",
        )
    return TargetUnavailable(
        f"The embedded target {folder} cannot be opened: {error}",
        remedy="Check the folder's permissions and disk, and that its files are DuckDB databases of this pipeline.",
    )


def _raw(connection: sa.Connection) -> duckdb.DuckDBPyConnection:
    # duckdb-engine's wrapper passes every attribute on to the cursor it wraps.
    return connection.connection.dbapi_connection  # type: ignore[return-value]


def _stream(columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> pa.RecordBatchReader:
    schema = pl.DataFrame(schema={column.name: column.type.dtype for column in columns}).to_arrow(compat_level=_NEWEST).schema
    return pa.RecordBatchReader.from_batches(schema, _batches(columns, frames))


def _batches(columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> Iterator[pa.RecordBatch]:
    names = [column.name for column in columns]
    for frame in frames:
        yield from frame.select(names).to_arrow(compat_level=_NEWEST).to_batches()


_NEWEST = pl.CompatLevel.newest()
