"""One session of an Oracle source: its statements and frames, with the driver's errors as the pipeline's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import oracledb
import polars as pl

from extract.extractor import SourceTable
from extract.oracle_extractor.catalogue import Row, find_table
from extract.oracle_extractor.connection import module_of, open_connection
from extract.oracle_extractor.errors import code_of, told
from extract.oracle_extractor.statement import (
    SNAPSHOT,
    Bound,
    OracleTable,
    Range,
    quoted_column,
    requested_schema,
    select_rows,
)
from extract.oracle_extractor.values import canonical, number_not_exact, text_not_exact
from model.errors import Interrupted, ValueNotExact
from model.types import Column, Kind
from sources.registry import Source

_CATALOGUE_ROWS = 1_001  # a table's columns in one round trip: 1,000 were the most before 23ai
# python-oracledb: a value is no integer, double, float or decimal of the type that was asked for.
_NOT_EXACT = frozenset({"DPY-4036", "DPY-4037", "DPY-4039", "DPY-4042", "DPY-8002"})


class OracleSession:
    """Used by one thread at a time, `interrupt` and `close` apart.

    Raises:
        ConfigurationError: the URL cannot be used.
        SourceRefused: the login is refused.
        SourceUnavailable: the source does not answer.
    """

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._interrupted = self._running = False
        self._lock = threading.RLock()  # `interrupt` is called by signal handlers
        self._connection = open_connection(source)

    def shows(self, table: SourceTable) -> None:
        """Name the table in V$SESSION.MODULE from the next statement on."""
        self._connection.module = module_of(table)

    def rows(self, query: str, binds: Mapping[str, object] | None = None, **names: str) -> Sequence[Row]:
        """All rows of a small answer, its numbers as decimals."""
        with self._call(), self._connection.cursor() as cursor:
            cursor.prefetchrows = cursor.arraysize = _CATALOGUE_ROWS
            cursor.execute(query, self._bound(binds or names), fetch_decimals=True)
            found: Sequence[Row] = cursor.fetchall()
            return found

    def frames(
        self,
        table: SourceTable,
        placed: OracleTable,
        columns: Sequence[Column],
        rows: Range,
        size: int,
        scn: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The rows of a range in their canonical types, as of an SCN where one is given."""
        query = select_rows(table, placed, columns, rows, flashback=scn is not None)
        binds = dict(rows.binds) if scn is None else {**rows.binds, "scn": scn}
        schema = requested_schema(table, columns)
        batches = self._connection.fetch_df_batches(query, self._bound(binds), size=size, requested_schema=schema)
        while (batch := self._next(table, columns, batches)) is not None:
            self.check_interrupt(table)
            if batch.num_rows():
                yield canonical(table, batch, columns)

    def _bound(self, binds: Mapping[str, object]) -> dict[str, object]:
        return {name: self._variable(value) if isinstance(value, Bound) else value for name, value in binds.items()}

    def _variable(self, bound: Bound) -> oracledb.Var:
        # Without a size it would be the type's largest, which is sent as a LONG; a LONG is compared with nothing.
        size = len(bound.value) if isinstance(bound.value, str | bytes) else 0
        with self._connection.cursor() as cursor:
            variable: oracledb.Var = cursor.var(bound.type, size)
        variable.setvalue(0, bound.value)
        return variable

    def _next(
        self, table: SourceTable, columns: Sequence[Column], batches: Iterator[oracledb.DataFrame]
    ) -> oracledb.DataFrame | None:
        with self.fitting(table, columns), self._call():
            return next(batches, None)

    @contextmanager
    def transaction(self, table: SourceTable) -> Iterator[None]:
        """A transaction of its own, whose statements all see the instant that it began at; nothing of it is left."""
        try:
            self.shows(table)
            self._connection.rollback()  # SET TRANSACTION must be the first statement of one
            with self._call(), self._connection.cursor() as cursor:
                cursor.execute(SNAPSHOT)
            yield
        finally:
            with suppress(oracledb.Error):
                self._connection.rollback()

    @contextmanager
    def _call(self) -> Iterator[None]:
        """What an interrupt breaks off. A break that finds nothing to break would spoil the session's end."""
        with self._lock:
            self._running = True
            if self._interrupted:
                self._running = False
                raise _interrupted(f"Source {self._name}")
        try:
            yield
        finally:
            self._running = False

    @contextmanager
    def told(self, table: SourceTable, columns: Sequence[Column] = ()) -> Iterator[None]:
        """The driver's errors as the pipeline's own."""
        self.check_interrupt(table)
        try:
            yield
        except oracledb.Error as error:
            if self._interrupted:
                raise _interrupted(table) from None
            if code_of(error) in _NOT_EXACT:
                raise number_not_exact(table, columns) from None
            raise told(str(table), self._name, error) from None

    @contextmanager
    def fitting(self, table: SourceTable, columns: Sequence[Column]) -> Iterator[None]:
        """Errors of Python's own, which do not name a column: it has no date before year 1, and no half of a surrogate pair."""
        try:
            yield
        except UnicodeError:
            raise text_not_exact(table, [column for column in columns if column.source_type.startswith("N")]) from None
        except (ValueError, OverflowError):
            raise self._bad_date(table, columns) from None

    def _bad_date(self, table: SourceTable, columns: Sequence[Column]) -> ValueNotExact:
        dated = [column for column in columns if column.type.kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}]
        before = [f"MAX(CASE WHEN {quoted_column(column.name)} < DATE '0001-01-01' THEN 1 END)" for column in dated]
        with suppress(oracledb.Error):
            placed = find_table(self.rows, table)
            [found] = self.rows(f"SELECT {', '.join(before)} FROM {placed.quoted} t")  # noqa: S608 - quoted names
            dated = [column for column, flag in zip(dated, found, strict=True) if flag] or dated
        return ValueNotExact(
            f"{table}: column {', '.join(repr(column.name) for column in dated)} holds a date outside of the years 1 to 9999.",
            remedy="Correct it at the source, or load a view that reads the column as TO_CHAR(…, 'SYYYY-MM-DD HH24:MI:SS').",
        )

    def check_interrupt(self, table: SourceTable) -> None:
        """Raise Interrupted if this session was interrupted."""
        if self._interrupted:
            raise _interrupted(table)

    def interrupt(self) -> None:
        """Break the running statement, from any thread; this session reads nothing any more."""
        with self._lock, suppress(oracledb.Error):
            self._interrupted = True
            if self._running:
                self._connection.cancel()

    def close(self) -> None:
        """End the session; idempotent."""
        with self._lock, suppress(oracledb.Error):
            self._connection.close()


def _interrupted(what: object) -> Interrupted:
    return Interrupted(f"{what}: the read was interrupted.", remedy="Run it again.")
