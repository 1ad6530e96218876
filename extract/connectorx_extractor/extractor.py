"""The extractor of PostgreSQL, MySQL and SQLite sources."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import polars as pl
import sqlalchemy as sa

from connections.postgresql_sums import SINCE
from extract.connectorx_extractor.catalogue import read_description, read_led_to_by
from extract.connectorx_extractor.connection import checked_url, connectorx_url, open_engine, translated
from extract.connectorx_extractor.failures import broken_off
from extract.connectorx_extractor.kinds import KINDS
from extract.connectorx_extractor.process import ReaderProcess, ReadFailed
from extract.connectorx_extractor.snapshot import Snapshot, hold_snapshot
from extract.connectorx_extractor.statement import Statement, counted, read_statement
from extract.connectorx_extractor.sums import is_summed, sum_query
from extract.connectorx_extractor.values import canonical
from extract.extractor import Extractor, SourceDescription, SourceTable, ValueSum
from extract.partitions import Part
from extract.selection import Selection
from extract.side_by_side import in_one_stream, merged, report_counts, split_column
from extract.source_connections import SourceConnections
from model.errors import IncompleteExtract, Interrupted, PipelineError, TerminalError, ValueNotExact
from model.types import Column
from sources.registry import Source

# How ConnectorX names a column whose value it could not read; the control value is its column 0.
_COLUMN = re.compile(r"(?:FromSql|InvalidColumnType|FromSqlConversionFailure)\((\d+)")
_OVERFLOW = "byte array offset overflow"
_SEVERAL = 2
_QUERY_CANCELED = "57014"  # by its time-out


class ConnectorXExtractor(Extractor):
    """One PostgreSQL, MySQL or SQLite source.

    Raises:
        ConfigurationError: the URL asks for what ConnectorX cannot do.
        SourceUnavailable: the source does not answer now.
        SourceRefused: it refuses the login, or its file is missing or corrupt.
    """

    def __init__(self, source: Source, connections: SourceConnections | None = None) -> None:
        self._source, self._name = source, source.name
        self._connections = connections or SourceConnections()
        self._kind = KINDS[source.kind]
        self._url = checked_url(source, self._kind)
        self._engine = open_engine(source, self._url, self._kind)
        self._lock = threading.RLock()  # `interrupt` is called by signal handlers
        self._interrupted = False
        self._readers: set[ReaderProcess] = set()
        self._cancel: Callable[[], None] | None = None

    def describe(self, table: SourceTable) -> SourceDescription:
        """From the source's catalogue; a view has no key."""
        with translated(str(table), self._name, self._url), self._engine.connect() as connection:
            return read_description(connection, self._kind, self._placed(table))

    def is_led_to_by(self, table: SourceTable, column: Column) -> bool | None:
        """By the source's catalogue."""
        with translated(str(table), self._name, self._url), self._engine.connect() as connection:
            return read_led_to_by(connection, self._kind, self._placed(table), column)

    def read(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None = None
    ) -> Iterator[pl.DataFrame]:
        """One statement in one snapshot, or several in the same one; each one's rows are checked against its own count."""
        whole = self._statement(table, columns, selection)
        with translated(str(table), self._name, self._url), self._engine.connect() as connection:
            connection.execute(whole.empty)
        if selection is not None or not (yield from self._read_ranges(table, columns, batch_rows)):
            self._engine.dispose()  # one connection at a time
            yield from self._read_statement(table, columns, whole, batch_rows)

    def value_sum(self, table: SourceTable, columns: Sequence[Column], selection: Selection | None = None) -> ValueSum | None:
        """By the function that a PostgreSQL warehouse has too, where all types are such that both hash them alike."""
        if not self._kind.makes_sums or not all(map(is_summed, columns)):
            return None
        query = sum_query(self._kind, self._placed(table), columns, selection)
        with (
            translated(str(table), self._name, self._url),
            self._engine.connect() as connection,
            self._cancelled(table, connection),
        ):
            if (connection.dialect.server_version_info or (0,)) < (SINCE,):
                return None
            connection.execute(sa.text(self._kind.session or ""))
            try:
                rows, total = connection.execute(query).one()
            except sa.exc.OperationalError as error:
                if self._interrupted or getattr(error.orig, "sqlstate", None) != _QUERY_CANCELED:
                    raise
                return None  # reading them may take longer than summing them up may
        return ValueSum(rows=rows, total=int(total or 0))

    def _read_ranges(self, table: SourceTable, columns: Sequence[Column], batch_rows: int) -> Generator[pl.DataFrame, None, bool]:
        """Read ranges of PartitionOn side by side; False, and nothing was read, where that cannot be done."""
        if self._kind.snapshot is None:
            in_one_stream(table, self._kind.one_stream)
            return False
        column = split_column(table, columns)
        if column is None:
            return False
        with self._connections.further(self._source, self._source.limits.partitions) as free:
            if free < _SEVERAL:
                in_one_stream(table, "SOURCE_MAX_CONNECTIONS leaves no connections for ranges")
                return False
            with (
                translated(str(table), self._name, self._url),
                self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
                self._cancelled(table, connection),
                hold_snapshot(connection, self._kind.snapshot, self._placed(table), column, free, batch_rows) as held,
            ):
                if isinstance(held, str):
                    in_one_stream(table, held)
                    return False
                yield from self._read_held(table, columns, column, held, batch_rows)
        return True

    @contextmanager
    def _cancelled(self, table: SourceTable, connection: sa.Connection) -> Iterator[None]:
        """Lets an interrupt cancel what this connection does: on a large table, the ends of a column's values take their time."""
        cancel = getattr(connection.connection.driver_connection, "cancel", None)
        with self._lock:
            self._cancel = cancel
        try:
            yield
        except sa.exc.DBAPIError:
            if self._interrupted:
                raise _interrupted(table) from None
            raise
        finally:
            with self._lock:
                self._cancel = None

    def _read_held(
        self, table: SourceTable, columns: Sequence[Column], column: Column, held: Snapshot, batch_rows: int
    ) -> Iterator[pl.DataFrame]:
        counts: list[int] = []
        parts = [self._statement(table, columns, Part(column=column, range=one)) for one in held.ranges]
        streams = [partial(self._read_statement, table, columns, part, batch_rows, held.session, counts) for part in parts]
        yield from merged(streams, self._kill)
        if sum(counts) != held.rows:
            raise IncompleteExtract(f"{table}: the source counted {held.rows} rows, and its ranges delivered {sum(counts)}.")
        report_counts(table, column, counts)

    def _statement(self, table: SourceTable, columns: Sequence[Column], selection: Selection | None = None) -> Statement:
        return read_statement(self._engine.dialect, self._kind, self._placed(table), columns, selection)

    def _read_statement(
        self,
        table: SourceTable,
        columns: Sequence[Column],
        statement: Statement,
        batch_rows: int,
        session: Sequence[str] = (),
        counts: list[int] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """All rows of a statement, in a session begun with `session`; their number is added to `counts`."""
        reader = self._start(table, statement.text, batch_rows, session)
        count, delivered = None, 0
        try:
            for frame in reader.frames():
                control = frame.to_series(0)
                if control.null_count() < frame.height:
                    count = counted(table, columns, statement, control.drop_nulls().item())
                    frame = frame.filter(control.is_null())  # noqa: PLW2901 - the same frame without the control row
                delivered += frame.height
                if frame.height:
                    values = canonical(str(table), frame.drop(control.name), columns)
                    with reader.suspended():
                        yield values
        except ReadFailed as failure:
            raise self._told(table, columns, delivered, str(failure)) from None
        finally:
            reader.close()
            with self._lock:
                self._readers.discard(reader)
        if delivered != count:
            raise IncompleteExtract(f"{table}: the source counted {count} rows and delivered {delivered}.")
        if counts is not None:
            counts.append(delivered)

    def _placed(self, table: SourceTable) -> SourceTable:
        return replace(table, schema=table.schema or table.database) if self._kind.schemas_are_databases else table

    def _start(self, table: SourceTable, query: str, batch_rows: int, session: Sequence[str]) -> ReaderProcess:
        before = [*([self._kind.session] if self._kind.session else []), *session]
        order = {"url": connectorx_url(self._url), "query": query, "session": before or None, "rows": batch_rows}
        with self._lock:
            if self._interrupted:
                raise _interrupted(table)
            reader = ReaderProcess(order, patience=self._source.limits.query_timeout)
            self._readers.add(reader)
            return reader

    def _told(self, table: SourceTable, columns: Sequence[Column], delivered: int, words: str) -> PipelineError:
        """What broke the read off; of ConnectorX's words only those that cannot hold a row's values."""
        if self._interrupted:
            return _interrupted(table)
        if found := _COLUMN.search(words):
            column = columns[int(found[1]) - 1]
            return ValueNotExact(
                f"{table}: column {column.name!r} ({column.source_type}) holds a value that {column.type} cannot hold exactly.",
                remedy="Correct it at the source, or load a view that casts the column to text.",
            )
        if _OVERFLOW in words:
            return TerminalError(f"{table}: one column of one batch holds more than 2 GiB.", remedy="Lower BATCH_ROWS.")
        return broken_off(str(table), self._name, delivered, words)

    def interrupt(self) -> None:
        """Kill the readers, whose server notices that they are gone; this extractor reads nothing any more."""
        with self._lock:
            self._interrupted = True
            self._kill()
            if self._cancel is not None:
                self._cancel()

    def _kill(self) -> None:
        with self._lock:
            for reader in self._readers:
                reader.kill()

    def close(self) -> None:
        """Stop what is being read and give back the connection."""
        self._kill()
        self._engine.dispose()


def _interrupted(table: SourceTable) -> Interrupted:
    return Interrupted(f"{table}: the read was interrupted.", remedy="Run it again.")
