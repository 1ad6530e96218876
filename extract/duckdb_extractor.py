"""DuckDB files as sources, the embedded samples among them: streamed through Arrow, read-only, in one snapshot."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from connections.duckdb_instances import attach_to_read, give_back, quote, take_instance
from connections.duckdb_types import canonical_type, travels_as_text
from extract.duckdb_selection import in_sql
from extract.extractor import Extractor, SourceDescription, SourceTable, narrowest_key
from extract.selection import Selection
from extract.side_by_side import in_one_stream
from model.errors import IncompleteExtract, SourceRefused, SourceTableMissing, SourceUnavailable, UnsupportedType
from model.types import Column
from sources.registry import Source

_MEMORY = "256MB"
# Errors that name files and objects; the text of any other kind may quote a row's value.
_WITHOUT_VALUES = ("IO Error", "Catalog Error", "Binder Error", "Permission Error", "Out of Memory Error")


class DuckDBExtractor(Extractor):
    """One DuckDB file. Each look-up reads a column of the table, so one may have many keys."""

    keys_at_once = 5_000

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._path = Path(source.url.database or "")
        self._lock = threading.RLock()  # `interrupt` is called by signal handlers
        self._closed = False
        self._connection = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        if not self._path.is_file():
            raise SourceRefused(
                f"Source {self._name}: {self._path} {'is not a file' if self._path.exists() else 'does not exist'}.",
                remedy=f"Correct UDM_SOURCE_{self._name}, or put the file there.",
            )
        connection = take_instance()
        try:
            connection.execute(f"SET memory_limit = '{_MEMORY}'")
            connection.execute("SET TimeZone = 'UTC'")
            attach_to_read(connection, self._path)
        except duckdb.Error as error:
            give_back(connection)
            locked = "Could not set lock" in str(error)
            kind = SourceUnavailable if locked else SourceRefused
            raise kind(
                f"Source {self._name}: {self._path} cannot be opened: {error}",
                remedy="Another process is writing it: try again when that has ended."
                if locked
                else f"Check that UDM_SOURCE_{self._name} names a DuckDB file that this user may read, and that it is whole.",
            ) from error
        return connection

    def describe(self, table: SourceTable) -> SourceDescription:
        """By DESCRIBE; a key that is not one column's primary key from `duckdb_constraints()` and `duckdb_indexes()`.

        These functions look at all tables of the file.
        """
        schema = table.schema or "main"
        with self._translated(table):
            try:
                rows = self._connection.execute(f"DESCRIBE {quote(schema)}.{quote(table.table)}").fetchall()
            except duckdb.CatalogException:
                if self._look_up("view_name", "duckdb_views", "view_name", table):
                    raise  # what the view reads is missing
                raise SourceTableMissing(
                    f"{table}: the source file {self._path} has no table {schema}.{table.table}.",
                    remedy="Correct SourceSchemaName and SourceObjectName in UdmTablesList.",
                ) from None
        columns = tuple(_column(table, name, kind, nullable=nullable == "YES") for name, kind, nullable, *_ in rows)
        primary = tuple(name for name, _, _, key, *_ in rows if key == "PRI")
        return SourceDescription(columns=columns, key=primary if len(primary) == 1 else self._key(table, columns))

    def _key(self, table: SourceTable, columns: Sequence[Column]) -> tuple[str, ...]:
        with self._translated(table):
            constraints = self._look_up("constraint_type, constraint_column_names", "duckdb_constraints", "table_name", table)
            indexes = self._look_up("expressions, is_unique", "duckdb_indexes", "table_name", table)
        for kind, names in constraints:
            if kind == "PRIMARY KEY":
                return tuple(names)
        required = {column.name for column in columns if not column.nullable}
        keys = [tuple(names) for kind, names in constraints if kind == "UNIQUE"]
        keys += [self._index_columns(text) for text, is_unique in indexes if is_unique]
        return narrowest_key([key for key in keys if set(key) <= required])

    def _index_columns(self, expressions: str) -> tuple[str, ...]:
        """`duckdb_indexes()` lists an index's columns as the text of a list: `[ID, '"A b"']`."""
        [(names,)] = self._connection.execute("SELECT CAST($1 AS VARCHAR[])", [expressions]).fetchall()
        return tuple(name[1:-1].replace('""', '"') if name.startswith('"') else name for name in names)

    def _look_up(self, wanted: str, function: str, name: str, table: SourceTable) -> list[Any]:
        """What one of DuckDB's catalogue functions says of a table, whose names it may spell in another case."""
        query = f"SELECT {wanted} FROM {function}() WHERE lower(schema_name) = lower($1) AND lower({name}) = lower($2)"  # noqa: S608
        return self._connection.execute(query, [table.schema or "main", table.table]).fetchall()

    def read(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None = None
    ) -> Iterator[pl.DataFrame]:
        """One transaction: the rows, checked against its own count of them."""
        in_one_stream(table, "DuckDB reads with all cores by itself")
        name = f"{quote(table.schema or 'main')}.{quote(table.table)}"
        source = name if selection is None else f"{name} WHERE {in_sql(selection)}"
        selected = ", ".join(_expression(column) for column in columns)
        with self._translated(table):
            self._connection.execute("BEGIN")
            [(counted,)] = self._connection.execute(f"SELECT count(*) FROM {source}").fetchall()  # noqa: S608
            reader = self._connection.sql(f"SELECT {selected} FROM {source}").to_arrow_reader(batch_rows)  # noqa: S608
            delivered = 0
            for batch in reader:
                frame = pl.DataFrame(batch)
                delivered += frame.height
                yield frame
            self._connection.execute("COMMIT")
        if delivered != counted:
            raise IncompleteExtract(f"{table}: the source counted {counted} rows and delivered {delivered}.")

    def _translated(self, table: SourceTable) -> _Translate:
        return _Translate(table, self._path)

    def interrupt(self) -> None:
        """Interrupt the running query."""
        with self._lock:
            if not self._closed:
                self._connection.interrupt()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if not self._closed:
                self._closed = True
                give_back(self._connection)


class _Translate:
    """Turns a DuckDB error into the pipeline's own, with the table's name and the cause."""

    def __init__(self, table: SourceTable, path: Path) -> None:
        self._table, self._path = table, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # In mid-stream DuckDB's errors come through Arrow, as OSError.
        if not isinstance(error, duckdb.Error | OSError) or "INTERRUPT" in str(error):
            return
        what, _, _ = str(error).partition(": ")
        safe = what in _WITHOUT_VALUES
        raise SourceRefused(
            f"{self._table}: reading {self._path} failed: {error if safe else what}.",
            remedy="Check that the file is whole and readable."
            if safe
            else "Read the table or view with DuckDB itself to see more: its message may quote a value, which no log may hold.",
        ) from (error if safe else None)


def _column(table: SourceTable, name: str, kind: str, *, nullable: bool) -> Column:
    found = canonical_type(kind)
    if found is None:
        raise UnsupportedType(
            f"{table}: column {name!r} has the type {kind}, which no exact route carries.",
            remedy="Load a view that casts the column to VARCHAR.",
        )
    return Column(name=name, type=found, nullable=nullable, source_type=kind)


def _expression(column: Column) -> str:
    quoted = quote(column.name)
    if travels_as_text(column.source_type):
        return f"CAST({quoted} AS VARCHAR) AS {quoted}"
    if column.source_type in {"TIMESTAMP_S", "TIMESTAMP_MS"}:
        return f"CAST({quoted} AS TIMESTAMP) AS {quoted}"
    return quoted
