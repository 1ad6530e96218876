"""The extractor of Oracle sources."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial

import polars as pl

from extract.extractor import Extractor, SourceDescription, SourceTable
from extract.oracle_extractor.catalogue import find_table, read_description, read_led_to_by
from extract.oracle_extractor.days import date_column, day_ranges
from extract.oracle_extractor.flashback import Flashback, plan_flashback
from extract.oracle_extractor.ranges import RangeSessions
from extract.oracle_extractor.selection import selected
from extract.oracle_extractor.session import OracleSession
from extract.oracle_extractor.statement import WHOLE, OracleTable, Range, rows_at_a_time, select_count, select_first
from extract.oracle_extractor.values import regrouped
from extract.selection import Selection
from extract.side_by_side import in_one_stream, merged, report_counts, split_column
from extract.source_connections import SourceConnections
from model.errors import IncompleteExtract
from model.types import Column
from sources.registry import Source

LOG = logging.getLogger("udm.oracle")
_DAYS_OF = ("DATE", "TIMESTAMP")
_SEVERAL = 2


class OracleExtractor(Extractor):
    """One Oracle source: one session and one read-only transaction a read, or one session a range as of one SCN.

    Raises:
        ConfigurationError: the URL cannot be used.
        SourceRefused: the login is refused.
        SourceUnavailable: the source does not answer.
    """

    def __init__(self, source: Source, connections: SourceConnections | None = None) -> None:
        self._source = source
        self._connections = connections or SourceConnections()
        self._lock = threading.RLock()  # `interrupt` is called by signal handlers
        self._interrupted = False
        self._side_by_side: RangeSessions | None = None
        self._session = OracleSession(source)

    def describe(self, table: SourceTable) -> SourceDescription:
        """From ALL_TAB_COLUMNS, ALL_CONSTRAINTS and ALL_INDEXES; synonyms are followed."""
        with self._session.told(table):
            self._session.shows(table)
            return read_description(self._session.rows, table, find_table(self._session.rows, table))

    def is_led_to_by(self, table: SourceTable, column: Column) -> bool | None:
        """From ALL_INDEXES and ALL_PART_KEY_COLUMNS; synonyms are followed."""
        with self._session.told(table):
            return read_led_to_by(self._session.rows, find_table(self._session.rows, table), column)

    def read(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None = None
    ) -> Iterator[pl.DataFrame]:
        """All rows by ranges of PartitionOn where that can be, else, as a selection's, in one stream; checked by a count."""
        if selection is not None or not (yield from self._read_ranges(table, columns, batch_rows)):
            yield from self._read_stream(table, columns, batch_rows, selection)

    def _read_stream(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None
    ) -> Iterator[pl.DataFrame]:
        """One read-only transaction: the rows, range by range, checked against its own count of them."""
        parts = (WHOLE,) if selection is None else selected(table, selection)
        delivered = 0
        with self._session.told(table, columns), self._session.transaction(table):
            placed = find_table(self._session.rows, table)
            counted = sum(self._count(table, placed, part) for part in parts)
            ranges = self._days(table, placed, columns) if selection is None else parts
            size = rows_at_a_time(columns, batch_rows)
            found = (frame for rows in ranges for frame in self._session.frames(table, placed, columns, rows, size))
            for frame in regrouped(found, size):
                delivered += frame.height
                yield frame
        if delivered != counted:
            raise IncompleteExtract(f"{table}: the source counted {counted} rows and delivered {delivered}.")

    def find(self, table: SourceTable) -> OracleTable:
        """Where a table lies, synonyms followed."""
        with self._session.told(table):
            return find_table(self._session.rows, table)

    def count(self, table: SourceTable) -> int:
        """How many rows a table has now."""
        with self._session.told(table):
            return self._count(table, find_table(self._session.rows, table))

    def _count(self, table: SourceTable, placed: OracleTable, rows: Range = WHOLE) -> int:
        [(counted,)] = self._session.rows(select_count(table, placed, rows), rows.binds)
        return int(str(counted))

    def _days(self, table: SourceTable, placed: OracleTable, columns: Sequence[Column]) -> Iterable[Range]:
        """Which rows are read one after another in one transaction: day by day where the hint's index is one of days."""
        if not table.index_hint or not table.date_column:
            return (WHOLE,)
        column = date_column(table, columns)
        if not column.source_type.startswith(_DAYS_OF) or "ZONE" in column.source_type:
            LOG.info("%s: %s is %s, not a date: the table is not read by days", table, column.name, column.source_type)
            return (WHOLE,)

        def first(rows: Range) -> datetime | None:
            with self._session.fitting(table, [column]):
                [(found,)] = self._session.rows(select_first(table, placed, column.name, rows), rows.binds)
            return found if isinstance(found, datetime) else None

        return day_ranges(column.name, first, nullable=column.nullable)

    def _read_ranges(self, table: SourceTable, columns: Sequence[Column], batch_rows: int) -> Generator[pl.DataFrame, None, bool]:
        """Read ranges of PartitionOn side by side; False, and nothing was read, where that cannot be done."""
        column = split_column(table, columns)
        if column is None:
            return False
        with self._connections.further(self._source, self._source.limits.partitions) as free:
            if free < _SEVERAL:
                in_one_stream(table, "SOURCE_MAX_CONNECTIONS leaves no connections for ranges")
                return False
            with self._session.told(table, [column]):
                self._session.shows(table)
                placed = find_table(self._session.rows, table)
                planned = plan_flashback(self._session, table, placed, column, free, batch_rows)
            if isinstance(planned, str):
                in_one_stream(table, planned)
                return False
            yield from self._read_planned(table, placed, columns, column, planned, batch_rows)
        return True

    def _read_planned(
        self,
        table: SourceTable,
        placed: OracleTable,
        columns: Sequence[Column],
        column: Column,
        planned: Flashback,
        batch_rows: int,
    ) -> Iterator[pl.DataFrame]:
        sessions = RangeSessions(self._source)
        with self._lock:
            self._side_by_side = sessions
            if self._interrupted:
                sessions.stop()
        counts = [0] * len(planned.ranges)
        size = rows_at_a_time(columns, batch_rows)

        def one(place: int, rows: Range) -> Iterator[pl.DataFrame]:
            with sessions.one(table) as session, session.told(table, columns):
                session.shows(table)
                for frame in session.frames(table, placed, columns, rows, size, planned.scn):
                    counts[place] += frame.height
                    yield frame

        yield from merged([partial(one, place, rows) for place, rows in enumerate(planned.ranges)], sessions.stop)
        if sum(counts) != planned.rows:
            raise IncompleteExtract(f"{table}: the source counted {planned.rows} rows, and its ranges delivered {sum(counts)}.")
        report_counts(table, column, counts)

    def interrupt(self) -> None:
        """Break the statements that run; this extractor reads nothing any more."""
        with self._lock:
            self._interrupted = True
            self._session.interrupt()
            if self._side_by_side is not None:
                self._side_by_side.stop()

    def close(self) -> None:
        """End the session, and those that still read ranges."""
        with self._lock:
            if self._side_by_side is not None:
                self._side_by_side.stop()
        self._session.close()
