"""The seam between the pipeline and its warehouse: what every kind of target must be able to do.

One file a target. What differs is declared as data or answered by a small function here, so that no engine ever asks
which dialect it runs on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Protocol, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy.schema import CreateSequence, CreateTable
from sqlalchemy.types import TypeEngine

from connections.bulk_copy import BulkCopy
from model.names import TableName
from model.system_columns import SCD2_KEY
from model.types import Column, ColumnType, Kind
from model.warehouse import WarehouseTable
from model.widening import Widening, widens


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """The names of the three databases of the warehouse."""

    stage: str
    bronze: str
    general: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """An index that stands in the way of an ALTER: the statements that drop it and create it as it was, as SQL text."""

    drop: str
    create: str


class Session(Protocol):
    """What owns a table's lock. The promotions are its transactions, so that whoever loses the lock loses them too."""

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A transaction: committed at the end of the block, rolled back when it raises."""


class Target(ABC):
    """A warehouse with its three databases. Safe to share between threads; connections are not."""

    kind: ClassVar[str]
    add_column_keyword: ClassVar[str] = "ADD"
    compares_case: ClassVar[bool] = False
    """Whether names that differ in case only are two names."""
    stage_storage: ClassVar[Mapping[str, Any]] = {}
    """How Stage's tables are stored, as keywords of `sa.Table`."""
    staging_storage: ClassVar[Mapping[str, Any]] = {}
    """How staging tables are stored that need not outlive a crash of the server."""
    reads_by_region: ClassVar[bool] = False
    """Whether a range of a date column spares more than an index would: rows lie in the order in which they were loaded."""
    row_identity: ClassVar[str] = ""
    """The hidden column that tells a table's rows apart, where `delete_some` goes by it."""
    drops_indexes_apart: ClassVar[bool] = False
    """Whether an index in the way of an ALTER must be gone in a transaction before it."""
    alter_patience: ClassVar[int] = 5
    """Seconds that an ALTER waits for its lock, where the target has locks: whoever comes after it waits behind it."""
    max_tx_rows: ClassVar[int] = 0
    """Changed rows that a transaction should hold where MAX_TX_ROWS does not say; 0 is any number."""

    def __init__(self, engine: sa.Engine, recorder: sa.Engine, databases: Databases) -> None:
        """`engine` for data, which `interrupt` stops; `recorder` for ops, which must still be written then."""
        self.databases = databases
        self.engine = engine
        self.recorder = recorder
        self._own: dict[tuple[str, str], sa.Table] = {}

    @abstractmethod
    def schema(self, database: str, schema: str) -> str:
        """How SQLAlchemy is told a schema of one of the three databases."""

    @abstractmethod
    def sql_type(self, column_type: ColumnType) -> TypeEngine[object]:
        """The type that stores a canonical type without loss.

        Raises:
            UnsupportedType: where the target has none.
        """

    def type_text(self, column_type: ColumnType) -> str:
        """The target's type for a canonical one as its catalogue spells it."""
        return self.sql_type(column_type).compile(self.engine.dialect)

    def key_type(self, column_type: ColumnType) -> ColumnType:
        """The type that a key column is stored as, where the target wants keys bounded."""
        return column_type

    def hash_type(self) -> TypeEngine[object]:
        """The type of a stored hash."""
        return self.sql_type(_HASH)

    @abstractmethod
    def columns_of(self, connection: sa.Connection, name: TableName) -> tuple[Column, ...]:
        """The catalogue's columns of a table in their order; empty where there is no such table."""

    @abstractmethod
    def tables_in(self, connection: sa.Connection, database: str, schema: str) -> list[str]:
        """The names of the tables in a schema."""

    @abstractmethod
    def create_schema(self, database: str, schema: str) -> None:
        """Create a schema where it is missing."""

    def creating(self) -> AbstractContextManager[None]:
        """Keep other processes from creating the same things at the same time, where the target does not do so itself."""
        return nullcontext()

    def create_sequence(self, connection: sa.Connection, database: str, sequence: sa.Sequence) -> None:
        """Create one of General's sequences where it is missing."""
        here = sa.Sequence(sequence.name, schema=self.schema(database, sequence.schema or ""))
        connection.execute(CreateSequence(here, if_not_exists=True))

    def create_table(self, connection: sa.Connection, database: str, table: sa.Table) -> None:
        """CREATE TABLE, where it is missing."""
        del database
        connection.execute(CreateTable(table, if_not_exists=True))

    def widening(self, held: Column, wanted: ColumnType) -> Widening | None:
        """What altering a stored column to a wider type costs; None where that is not one, or the column's type is not ours."""
        if not self.is_own_type(held) or not widens(held.type, wanted):
            return None
        return Widening.METADATA if self.is_metadata(held, wanted) else Widening.REWRITE

    def is_own_type(self, held: Column) -> bool:
        """Whether a stored column has a type that the pipeline gives, so that its canonical type says all of it."""
        return held.source_type == self.type_text(held.type)

    def is_metadata(self, held: Column, wanted: ColumnType) -> bool:
        """Whether the target gives a stored column this wider type without a look at the table's rows."""
        del held, wanted
        return False

    def alter_type(self, name: TableName, column: str, wanted: ColumnType) -> str:
        """The statement that gives a nullable column another type, as SQL text."""
        return f"ALTER TABLE {self.quoted(name)} ALTER COLUMN {self.quoted_column(column)} TYPE {self.type_text(wanted)}"

    def is_known_type(self, held: Column) -> bool:
        """The same of a type that the pipeline does not give, but whose values it reads and converts exactly: a predecessor's."""
        return self.is_own_type(held)

    def rename_column(self, name: TableName, before: str, after: str) -> str:
        """The statement that renames a column, as SQL text."""
        return f"ALTER TABLE {self.quoted(name)} RENAME COLUMN {self.quoted_column(before)} TO {self.quoted_column(after)}"

    def allow_null(self, name: TableName, column: Column) -> str:
        """The statement after which a stored column may be NULL, as SQL text."""
        return f"ALTER TABLE {self.quoted(name)} ALTER COLUMN {self.quoted_column(column.name)} DROP NOT NULL"

    def number_rows(self, name: TableName, column: str) -> Sequence[str]:
        """The statements that add a column which numbers a table's rows, those that are there and those to come, as SQL text."""
        spelled = f"{self.quoted_column(column)} BIGINT GENERATED ALWAYS AS IDENTITY"
        return (f"ALTER TABLE {self.quoted(name)} {self.add_column_keyword} {spelled}",)

    def number_on(self, connection: sa.Connection, name: TableName, column: str, start: int) -> Sequence[str]:
        """The statements after which a stored column numbers itself, from `start` on; none where it does, or need not."""
        del connection, name, column, start
        return ()

    def restart(self, sequence: sa.Sequence, start: int) -> str:
        """The statement after which one of General's sequences gives `start` next, as SQL text."""
        return f"ALTER SEQUENCE {self._sequence(sequence)} RESTART WITH {start}"

    def _sequence(self, sequence: sa.Sequence) -> str:
        here = TableName(database=self.databases.general, schema=sequence.schema or "", table=sequence.name)
        return self.quoted(here)

    def indexes_over(self, connection: sa.Connection, name: TableName, column: str) -> Sequence[Rebuilt]:
        """The indexes that must go before a column's type is altered, and come back after; none where the target sees to them."""
        del connection, name, column
        return ()

    @abstractmethod
    def index_names(self, connection: sa.Connection, name: TableName) -> list[str]:
        """The names of a table's indexes."""

    def index_name(self, name: TableName, column: str) -> str:
        """What an index over a column is called that nobody named."""
        return f"ix_{name.table}_{column}"

    def create_index(self, name: TableName, index: str, columns: Sequence[str], *, columnstore: bool) -> str:
        """The statement that creates an index that users want, as SQL text; a plain one where there is no columnstore."""
        del columnstore
        return f"CREATE INDEX {self.quoted_column(index)} ON {self.quoted(name)} ({', '.join(map(self.quoted_column, columns))})"

    def impatient(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """Within a transaction: a lock is waited for `alter_patience` seconds and no longer."""
        del connection
        return nullcontext()

    @abstractmethod
    def catalogue(self, connection: sa.Connection, database: str) -> dict[tuple[str, str], set[str]]:
        """The columns of every table of a database, by schema and table; names case folded unless `compares_case`."""

    @abstractmethod
    def now(self, connection: sa.Connection) -> datetime:
        """The target's clock: naive UTC to the microsecond."""

    def check_names(self, tables: WarehouseTable) -> None:
        """Refuse names that this target would not keep as they are, before anything is extracted.

        Raises:
            UnsupportedName: naming the table or column.
        """
        del tables

    @abstractmethod
    def lock_table(self, source: str, table: str) -> AbstractContextManager[Session]:
        """Hold a table against every other run; the promotions belong on the session that this gives.

        Raises:
            TableHeld: at once, where another run holds it.
        """

    @abstractmethod
    def bulk_load(
        self, connection: sa.Connection, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]
    ) -> int:
        """Append frames that hold exactly `columns` to a table by the fastest exact route; returns the rows loaded."""

    def bulk_copy(self) -> BulkCopy | None:
        """Where many rows are sent to, for a target that loads by BCP; None where `bulk_load` is the fastest route for all."""
        return None

    def check_values(self, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The frames, each looked through before it is passed on.

        Raises:
            ValueNotExact: naming the column that holds a value which the target cannot.
        """
        del name, columns
        yield from frames

    @abstractmethod
    def read(self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int) -> Iterator[pl.DataFrame]:
        """Stream a query's result in frames of about `rows` rows."""

    def read_many(self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int) -> Iterator[pl.DataFrame]:
        """The same by whatever is fastest for very many rows."""
        return self.read(connection, query, rows)

    def value_sums(
        self,
        rows: sa.FromClause,
        conditions: Sequence[sa.ColumnElement[bool]],
        key_hash: sa.ColumnElement[Any],
        values: Sequence[tuple[Column, sa.ColumnElement[Any]]],
        hashes: Sequence[sa.ColumnElement[Any]],
    ) -> sa.Select[int, int, Decimal, Decimal] | None:
        """By the first 12 bits of `key_hash` of the rows that meet the conditions: how many, and two sums of hashes.

        The first is of values and stored hashes together, the second of the values alone, as they travel. Equal values have
        equal hashes in any table of this target. None where it has no such function, or reads rows as fast.
        """
        del rows, conditions, key_hash, values, hashes
        return None

    def read_hashes(
        self, connection: sa.Connection, stage: TableName, query: sa.Select[tuple[object, ...]], rows: int
    ) -> Iterator[pl.DataFrame]:
        """Stream a query of `_key_hash`, `_row_hash` (16 bytes each) and `_hash_layout` of `stage`, none of them ever NULL."""
        del stage
        return self.read(connection, query, rows)

    def read_some_hashes(
        self, connection: sa.Connection, query: sa.Select[tuple[object, ...]], rows: int
    ) -> Iterator[pl.DataFrame]:
        """The same for a few of Stage's rows, which the query finds by an index or a range."""
        return self.read(connection, query, rows)

    def delete_some(self, table: sa.FromClause, conditions: Sequence[sa.ColumnElement[Any]], rows: int) -> sa.Delete:
        """DELETE of at most so many of the rows that meet all conditions."""
        row: sa.ColumnElement[Any] = sa.literal_column(self.row_identity)
        chosen = sa.select(row).select_from(table).where(*conditions).limit(rows)
        return sa.delete(cast("sa.Table", table)).where(row.in_(chosen), *conditions)  # a source's column may have that name

    @abstractmethod
    def travelling(self, column: Column) -> sa.ColumnElement[object]:
        """The expression that reads a stored column in the dtype it travels in (`ColumnType.dtype`)."""

    @abstractmethod
    def binary_literal(self, value: bytes) -> sa.ColumnElement[bytes]:
        """Bytes as they stand in SQL text."""

    @abstractmethod
    def row_number(self, names: Sequence[str]) -> sa.ColumnElement[int] | None:
        """The expression that numbers a table's rows from 1, given its columns, or None where `_scd2_key` numbers itself."""

    def surrogate_column(self) -> sa.Column[int]:
        """Bronze's surrogate key as a column of its table."""
        return sa.Column(SCD2_KEY, sa.BigInteger, nullable=False)

    @abstractmethod
    def one_active_index(self, name: TableName, key: str, flag: str) -> str | None:
        """The statement that creates the unique index which proves at most one active version a key, as SQL text.

        None where the target has none that is worth its cost: the promotion then proves it before it commits.
        """

    def current_index(self, name: TableName, key: str, read_back: Sequence[str], flag: str) -> str | None:
        """The statement that creates the index over Stage's current rows, from which hashes are read back, as SQL text.

        None where the target reads them as fast without one.
        """
        del name, key, read_back, flag
        return None

    def window_index(self, stage: TableName, date: str, read_back: Sequence[str], flag: str) -> str | None:
        """The statement that creates the index over Stage's current rows by date, which windows are read back from, as SQL text.

        None where the target reads a range of dates as fast without one.
        """
        del stage, date, read_back, flag
        return None

    def disabled_indexes(self, connection: sa.Connection, name: TableName) -> dict[str, str]:
        """A table's indexes that are there and not kept, each with the statement, as SQL text, that enables it again."""
        del connection, name
        return {}

    def lookup_indexes(self, bronze: TableName) -> Sequence[str]:
        """The statements that create what else Bronze is looked up by, as SQL text; none where the target scans as fast."""
        del bronze
        return ()

    def sparse_indexes(self, bronze: TableName) -> Sequence[str]:
        """Those of `lookup_indexes` that hold no row of a first load, and so cost least when they are made with the table."""
        del bronze
        return ()

    def analyze(self, connection: sa.Connection, name: TableName) -> None:
        """Let the target count a table that has just been loaded, where it plans by such counts."""
        del connection, name

    def settle(self, name: TableName) -> None:
        """Tidy a table up after its first load, outside of a transaction, where that makes later runs faster."""
        del name

    def is_transient(self, error: BaseException) -> bool:
        """Whether what a statement raised may pass by itself: a deadlock, a lost connection, a time-out."""
        del error
        return False

    def error_code(self, error: BaseException) -> str:
        """The server's code of what a statement raised, for a log that may not show the message; '' where there is none."""
        return getattr(getattr(error, "orig", None) or error, "sqlstate", None) or ""

    def start_up_warnings(self) -> list[str]:
        """What a run should say of this target before it begins, each with the reason."""
        return []

    @abstractmethod
    def interrupt(self) -> None:
        """Stop every statement that runs on this target now; each raises in its own thread."""

    @abstractmethod
    def query_hint(self, name: TableName) -> str:
        """A line that a person can paste to see a table."""

    def close(self) -> None:
        """Release the target; idempotent."""
        self.engine.dispose()
        self.recorder.dispose()

    @property
    def text_dialect(self) -> sa.Dialect:
        """The dialect that spells names for SQL text: one that does not double the % in them, as some drivers want it."""
        return self.engine.dialect

    def table(self, name: TableName, columns: Iterable[str]) -> sa.TableClause:
        """A table for statements: columns by name, no types."""
        return sa.table(name.table, *(sa.column(column) for column in columns), schema=self.schema(name.database, name.schema))

    def add_column(self, name: TableName, column: sa.Column[object]) -> sa.DDL:
        """ALTER TABLE … ADD of one nullable column: a change of metadata on every target."""
        table = sa.Table(name.table, sa.MetaData(), column, schema=self.schema(name.database, name.schema))
        dialect = self.text_dialect
        compiler = dialect.ddl_compiler(dialect, CreateTable(table))
        specification = compiler.get_column_specification(table.columns[column.name])
        return self.ddl(name.database, f"ALTER TABLE {self.quoted(name)} {self.add_column_keyword} {specification}")

    def ddl(self, database: str, statement: str) -> sa.DDL:
        """SQL text that creates, alters or drops something in a database, as a statement."""
        del database
        return ddl(statement)

    def own(self, table: sa.Table, database: str | None = None) -> sa.Table:
        """One of the pipeline's own tables (`model.control`, `model.ops`) where it lies: in General unless told otherwise."""
        database = database or self.databases.general
        key = (database, table.name)
        if key not in self._own:
            self._own[key] = table.to_metadata(sa.MetaData(), schema=self.schema(database, table.schema or ""))
        return self._own[key]

    def draw(self, connection: sa.Connection, sequence: sa.Sequence) -> int:
        """The next value of one of General's sequences."""
        here = sa.Sequence(sequence.name, schema=self.schema(self.databases.general, sequence.schema or ""))
        return int(connection.execute(sa.select(here.next_value())).scalar_one())

    def quoted(self, name: TableName) -> str:
        """A table's name as it stands in SQL text."""
        return self.text_dialect.identifier_preparer.format_table(self.table(name, ()))

    def quoted_column(self, column: str) -> str:
        """A column's name, or an index's, as it stands in SQL text."""
        return self.text_dialect.identifier_preparer.quote_identifier(column)


_HASH = ColumnType(kind=Kind.BINARY, length=16)


def ddl(statement: str) -> sa.DDL:
    """SQL text as a statement; `sa.DDL` would format it with %, also where a name holds one."""
    return sa.DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
