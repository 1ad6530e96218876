"""The extractor of Oracle sources."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

import oracledb
import polars as pl

from extract.extractor import Extractor, SourceDescription, SourceTable
from extract.oracle_extractor.catalogue import Row, find_table, read_description
from extract.oracle_extractor.connection import module_of, open_connection
from extract.oracle_extractor.days import date_column, day_ranges
from extract.oracle_extractor.errors import code_of, told
from extract.oracle_extractor.statement import (
    SNAPSHOT,
    WHOLE,
    OracleTable,
    Range,
    quoted_column,
    requested_schema,
    rows_at_a_time,
    select_count,
    select_first,
    select_rows,
)
from extract.oracle_extractor.values import canonical, number_not_exact, regrouped, text_not_exact
from extract.selection import Selection
from model.errors import IncompleteExtract, Interrupted, ValueNotExact
from model.types import Column, Kind
from sources.registry import Source

LOG = logging.getLogger("udm.oracle")
_CATALOGUE_ROWS = 1_001  # a table's columns in one round trip: 1,000 were the most before 23ai
_DAYS_OF = ("DATE", "TIMESTAMP")
# python-oracledb: a value is no integer, double, float or decimal of the type that was asked for.
_NOT_EXACT = frozenset({"DPY-4036", "DPY-4037", "DPY-4039", "DPY-4042", "DPY-8002"})


class OracleExtractor(Extractor):
    """One Oracle source: one session, one read-only transaction a read.

    Raises:
        ConfigurationError: the URL cannot be used.
        SourceRefused: the login is refused.
        SourceUnavailable: the source does not answer.
    """

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._interrupted = False
        self._lock = threading.RLock()  # `interrupt` is called by signal handlers
        self._connection = open_connection(source)

    def describe(self, table: SourceTable) -> SourceDescription:
        """From ALL_TAB_COLUMNS, ALL_CONSTRAINTS and ALL_INDEXES; synonyms are followed."""
        with self._told(table):
            self._connection.module = module_of(table)
            return read_description(self._rows, table, find_table(self._rows, table))

    def read(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None = None
    ) -> Iterator[pl.DataFrame]:
        """One read-only transaction: the rows, range by range, checked against its own count of them."""
        if selection is not None:
            raise NotImplementedError
        delivered = 0
        with self._told(table, columns), self._transaction(table):
            placed = find_table(self._rows, table)
            counted = self._count(placed)
            size = rows_at_a_time(columns, batch_rows)
            for frame in regrouped(self._frames(table, placed, columns, size), size):
                delivered += frame.height
                yield frame
        if delivered != counted:
            raise IncompleteExtract(f"{table}: the source counted {counted} rows and delivered {delivered}.")

    def find(self, table: SourceTable) -> OracleTable:
        """Where a table lies, synonyms followed."""
        with self._told(table):
            return find_table(self._rows, table)

    def count(self, table: SourceTable) -> int:
        """How many rows a table has now."""
        with self._told(table):
            return self._count(find_table(self._rows, table))

    def _count(self, placed: OracleTable) -> int:
        [(counted,)] = self._rows(select_count(placed))
        return int(str(counted))

    def _ranges(self, table: SourceTable, placed: OracleTable, columns: Sequence[Column]) -> Iterable[Range]:
        """Which rows are read one after another, all of one snapshot: the place for any other way to cut a table into ranges."""
        if not table.index_hint or not table.date_column:
            return (WHOLE,)
        column = date_column(table, columns)
        if not column.source_type.startswith(_DAYS_OF) or "ZONE" in column.source_type:
            LOG.info("%s: %s is %s, not a date: the table is not read by days", table, column.name, column.source_type)
            return (WHOLE,)

        def first(rows: Range) -> datetime | None:
            with self._fitting(table, [column]):
                [(found,)] = self._rows(select_first(table, placed, column.name, rows), rows.binds)
            return found if isinstance(found, datetime) else None

        return day_ranges(column.name, first, nullable=column.nullable)

    def _frames(self, table: SourceTable, placed: OracleTable, columns: Sequence[Column], size: int) -> Iterator[pl.DataFrame]:
        schema = requested_schema(table, columns)
        for rows in self._ranges(table, placed, columns):
            query = select_rows(table, placed, columns, rows)
            batches = self._connection.fetch_df_batches(query, dict(rows.binds), size=size, requested_schema=schema)
            while (batch := self._next(table, columns, batches)) is not None:
                self._check_interrupt(table)
                if batch.num_rows():
                    yield canonical(table, batch, columns)

    def _next(
        self, table: SourceTable, columns: Sequence[Column], batches: Iterator[oracledb.DataFrame]
    ) -> oracledb.DataFrame | None:
        with self._fitting(table, columns):
            return next(batches, None)

    @contextmanager
    def _transaction(self, table: SourceTable) -> Iterator[None]:
        """A transaction of its own, whose statements all see the instant that it began at; nothing of it is left."""
        try:
            self._connection.module = module_of(table)
            self._connection.rollback()  # SET TRANSACTION must be the first statement of one
            with self._connection.cursor() as cursor:
                cursor.execute(SNAPSHOT)
            yield
        finally:
            with suppress(oracledb.Error):
                self._connection.rollback()

    @contextmanager
    def _told(self, table: SourceTable, columns: Sequence[Column] = ()) -> Iterator[None]:
        """The driver's errors as the pipeline's own."""
        self._check_interrupt(table)
        try:
            yield
        except oracledb.Error as error:
            if self._interrupted:
                raise _interrupted(table) from None
            if code_of(error) in _NOT_EXACT:
                raise number_not_exact(table, columns) from None
            raise told(str(table), self._name, error) from None

    @contextmanager
    def _fitting(self, table: SourceTable, columns: Sequence[Column]) -> Iterator[None]:
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
            placed = find_table(self._rows, table)
            [found] = self._rows(f"SELECT {', '.join(before)} FROM {placed.quoted} t")  # noqa: S608 - quoted names
            dated = [column for column, flag in zip(dated, found, strict=True) if flag] or dated
        return ValueNotExact(
            f"{table}: column {', '.join(repr(column.name) for column in dated)} holds a date outside of the years 1 to 9999.",
            remedy="Correct it at the source, or load a view that reads the column as TO_CHAR(…, 'SYYYY-MM-DD HH24:MI:SS').",
        )

    def _rows(self, query: str, binds: Mapping[str, object] | None = None, **names: str) -> Sequence[Row]:
        with self._connection.cursor() as cursor:
            cursor.prefetchrows = cursor.arraysize = _CATALOGUE_ROWS
            cursor.execute(query, dict(binds or names))
            found: Sequence[Row] = cursor.fetchall()
            return found

    def _check_interrupt(self, table: SourceTable) -> None:
        if self._interrupted:
            raise _interrupted(table)

    def interrupt(self) -> None:
        """Break the running statement; this extractor reads nothing any more."""
        with self._lock, suppress(oracledb.Error):
            self._interrupted = True
            self._connection.cancel()

    def close(self) -> None:
        """End the session."""
        with self._lock, suppress(oracledb.Error):
            self._connection.close()


def _interrupted(table: SourceTable) -> Interrupted:
    return Interrupted(f"{table}: the read was interrupted.", remedy="Run it again.")
