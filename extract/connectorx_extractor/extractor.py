"""The extractor of PostgreSQL, MySQL and SQLite sources."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from extract.connectorx_extractor.catalogue import read_description
from extract.connectorx_extractor.connection import checked_url, connectorx_url, open_engine, translated
from extract.connectorx_extractor.kinds import KINDS
from extract.connectorx_extractor.process import DIED, ReaderProcess, ReadFailed
from extract.connectorx_extractor.statement import counted, read_statement
from extract.connectorx_extractor.values import canonical
from extract.extractor import Extractor, SourceDescription, SourceTable
from model.errors import IncompleteExtract, Interrupted, PipelineError, SourceUnavailable, TerminalError, ValueNotExact
from model.types import Column
from sources.registry import Source

# How ConnectorX names a column whose value it could not read; the control value is its column 0.
_COLUMN = re.compile(r"(?:FromSql|InvalidColumnType|FromSqlConversionFailure)\((\d+)")
_POSTGRESQL_ERROR = re.compile(r'code: SqlState\(E?(\w{5})\), message: "((?:[^"\\]|\\.)*)"')
_MYSQL_ERROR = re.compile(r"ERROR \d+ \((\w{5})\): ([^\"]*)")
_OVERFLOW = "byte array offset overflow"
# The classes of SQLSTATE whose messages speak of the server and of names; the others' may quote a row's values.
_TELLING = ("08", "28", "3D", "3F", "42", "53", "55", "57", "58", "70")


class ConnectorXExtractor(Extractor):
    """One PostgreSQL, MySQL or SQLite source.

    Raises:
        ConfigurationError: the URL asks for what ConnectorX cannot do.
        SourceUnavailable: the source does not answer, or its file is missing or corrupt.
    """

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._kind = KINDS[source.kind]
        self._url = checked_url(source, self._kind)
        self._engine = open_engine(source.name, self._url, self._kind)
        self._lock = threading.RLock()  # `interrupt` is called by signal handlers
        self._interrupted = False
        self._reader: ReaderProcess | None = None

    def describe(self, table: SourceTable) -> SourceDescription:
        """From the source's catalogue; a view has no key."""
        with translated(str(table), self._name, self._url), self._engine.connect() as connection:
            return read_description(connection, self._kind, self._placed(table))

    def read(self, table: SourceTable, columns: Sequence[Column], batch_rows: int) -> Iterator[pl.DataFrame]:
        """One statement in one snapshot; the rows are checked against the count that travels with them."""
        statement = read_statement(self._engine.dialect, self._kind, self._placed(table), columns)
        with translated(str(table), self._name, self._url), self._engine.connect() as connection:
            connection.execute(statement.empty)
        reader = self._start(table, statement.text, batch_rows)
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
        if delivered != count:
            raise IncompleteExtract(f"{table}: the source counted {count} rows and delivered {delivered}.")

    def _placed(self, table: SourceTable) -> SourceTable:
        return replace(table, schema=table.schema or table.database) if self._kind.schemas_are_databases else table

    def _start(self, table: SourceTable, query: str, batch_rows: int) -> ReaderProcess:
        order = {"url": connectorx_url(self._url), "query": query, "session": self._kind.session, "rows": batch_rows}
        with self._lock:
            if self._interrupted:
                raise _interrupted(table)
            self._reader = ReaderProcess(order)
            return self._reader

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
        return SourceUnavailable(
            f"{table}: the source broke the read off after {delivered} rows{_reason(words)}.",
            remedy=f"Check that the source of UDM_SOURCE_{self._name} is up; its own log has the reason.",
        )

    def interrupt(self) -> None:
        """Kill the reader, whose server notices that it is gone; this extractor reads nothing any more."""
        with self._lock:
            self._interrupted = True
            if self._reader is not None:
                self._reader.kill()

    def close(self) -> None:
        """Stop what is being read and give back the connection."""
        with self._lock:
            if self._reader is not None:
                self._reader.kill()
        self._engine.dispose()


def _reason(words: str) -> str:
    if words.startswith(DIED):
        return f": {words}"
    if found := _POSTGRESQL_ERROR.search(words) or _MYSQL_ERROR.search(words):
        state, message = found.groups()
        return f": {message} (SQLSTATE {state})" if state.startswith(_TELLING) else f": SQLSTATE {state}"
    return ""


def _interrupted(table: SourceTable) -> Interrupted:
    return Interrupted(f"{table}: the read was interrupted.", remedy="Run it again.")
