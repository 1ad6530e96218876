"""Oracle sources, each table by the faster route that carries it exactly: ConnectorX where that is known, else oracle_extractor.

ConnectorX needs an Oracle client and an exact type for every column (`OracleRoute.connectorx`). It takes no binds, no index hint
and no snapshot of other sessions: a selection, and a table with PartitionOn, is read by oracle_extractor. Both routes read the
same expressions, so both give the same hashes.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator, Sequence

import polars as pl

from extract.connectorx_extractor.process import ReaderProcess, ReadFailed
from extract.connectorx_extractor.values import canonical
from extract.extractor import Extractor, SourceDescription, SourceTable
from extract.oracle_extractor import OracleExtractor
from extract.oracle_extractor.connection import connectorx_url
from extract.oracle_extractor.statement import OracleTable, quoted_column, route_of
from extract.oracle_extractor.values import finished
from extract.selection import Selection
from extract.source_connections import SourceConnections
from model.errors import IncompleteExtract, Interrupted, SourceUnavailable, UnsupportedType, ValueNotExact
from model.types import Column
from sources.registry import Source

LOG = logging.getLogger("udm.oracle")
_CODE = re.compile(r"\b(?:ORA-\d{5}|DPI-\d{4})\b")


class ConnectorXOracleExtractor(Extractor):
    """One Oracle source.

    Raises:
        ConfigurationError: the URL cannot be used.
        SourceRefused: the login is refused.
        SourceUnavailable: the source does not answer.
    """

    def __init__(self, source: Source, connections: SourceConnections | None = None) -> None:
        self._source = source
        self._direct = OracleExtractor(source, connections)
        self._lock = threading.RLock()  # `interrupt` is called by signal handlers
        self._interrupted = False
        self._reader: ReaderProcess | None = None

    def describe(self, table: SourceTable) -> SourceDescription:
        """From Oracle's catalogue, whatever the route."""
        return self._direct.describe(table)

    def is_led_to_by(self, table: SourceTable, column: Column) -> bool | None:
        """From Oracle's catalogue."""
        return self._direct.is_led_to_by(table, column)

    def read(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None = None
    ) -> Iterator[pl.DataFrame]:
        """By ConnectorX where it is exact and works, else, and for a selection always, by oracle_extractor.

        Once rows were handed on there is no other route: those that had come would come twice.
        """
        whole = selection is None
        url = connectorx_url(self._source) if whole and suits(self._source, table, columns) else None
        if url is None:
            yield from self._direct.read(table, columns, batch_rows, selection)
            return
        delivered, counted = 0, None
        try:
            for frame in self._frames(url, table, columns, batch_rows):
                values = self._canonical(table, frame.drop(frame.columns[0]), columns)
                counted = int(frame.item(0, 0))
                delivered += frame.height
                reader = self._reader
                assert reader is not None  # noqa: S101 - it has just sent a frame
                with reader.suspended():
                    yield values
        except (ReadFailed, ValueNotExact, UnsupportedType) as error:
            if self._interrupted:
                raise Interrupted(f"{table}: the read was interrupted.", remedy="Run it again.") from None
            why = reason(error)
            if delivered:
                raise SourceUnavailable(
                    f"{table}: ConnectorX broke off after {delivered} rows ({why}).",
                    remedy=f"Check that the source is up; connectorx=no behind the '?' of UDM_SOURCE_{table.source} takes"
                    " the other route, oracle_extractor.",
                ) from None
            LOG.warning("%s: ConnectorX failed (%s); oracle_extractor reads the table instead", table, why)
            yield from self._direct.read(table, columns, batch_rows)
            return
        finally:
            if self._reader is not None:
                self._reader.close()
        # An empty answer brings no count.
        counted = self._direct.count(table) if counted is None else counted
        if delivered != counted:
            raise IncompleteExtract(f"{table}: the source counted {counted} rows and delivered {delivered}.")

    def _frames(self, url: str, table: SourceTable, columns: Sequence[Column], batch_rows: int) -> Iterator[pl.DataFrame]:
        query = counted_rows(table, self._direct.find(table), columns)
        with self._lock:
            if self._interrupted:
                raise Interrupted(f"{table}: the read was interrupted.", remedy="Run it again.")
            order = {"url": url, "query": query, "session": None, "rows": batch_rows}
            self._reader = ReaderProcess(order, client_environment(self._source), patience=self._source.limits.query_timeout)
        return (frame for frame in self._reader.frames() if frame.height)

    def _canonical(self, table: SourceTable, frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
        routes = [route_of(table, column.name, column.source_type) for column in columns]
        arrived = zip(frame.get_columns(), columns, routes, strict=True)
        values = [finished(series, column, number=route.number) for series, column, route in arrived]
        return canonical(str(table), pl.DataFrame(values), columns)

    def interrupt(self) -> None:
        """Stop whichever route is reading; this extractor reads nothing any more."""
        with self._lock:
            self._interrupted = True
            if self._reader is not None:
                self._reader.kill()
        self._direct.interrupt()

    def close(self) -> None:
        """Stop what is being read and end the session."""
        with self._lock:
            if self._reader is not None:
                self._reader.kill()
        self._direct.close()


def reason(error: Exception) -> str:
    """Why ConnectorX failed; of its own words only codes, for they may quote values. The pipeline's own words do not."""
    if not isinstance(error, ReadFailed):
        return str(error)
    return ", ".join(dict.fromkeys(_CODE.findall(str(error)))) or "it gave no code"


def suits(source: Source, table: SourceTable, columns: Sequence[Column]) -> bool:
    """Whether ConnectorX carries a table exactly: there is a client, no index, no ranges are asked for, all types are exact."""
    if source.client_folder is None or table.index_hint or table.partition_on:
        return False
    return all(route_of(table, column.name, column.source_type).connectorx for column in columns)


def counted_rows(table: SourceTable, placed: OracleTable, columns: Sequence[Column]) -> str:
    """The rows, each with how many there are: one statement, so that both are of one instant.

    Not by UNION ALL, as for other sources, for that would blur the precision of NUMBERs, by which ConnectorX chooses its types.
    """
    values = [
        route_of(table, column.name, column.source_type).expression(quoted_column(column.name)) + f" AS C{place}"
        for place, column in enumerate(columns)
    ]
    count = f"CAST((SELECT COUNT(*) FROM {placed.quoted}) AS NUMBER(18)) AS N"  # noqa: S608 - quoted names
    return f"SELECT {', '.join([count, *values])} FROM {placed.quoted} t"  # noqa: S608 - quoted names


def client_environment(source: Source) -> dict[str, str]:
    """What makes the reading process find the client, which the loader looks for when a process begins, and write as we read."""
    folders = [str(source.client_folder), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders), "NLS_LANG": "AMERICAN_AMERICA.AL32UTF8"}
