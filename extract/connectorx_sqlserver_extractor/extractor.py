"""The extractor of SQL Server sources."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

import polars as pl
import sqlalchemy as sa

from connections.mssql_catalogue import in_full, quoted
from connections.mssql_errors import numbers_of
from connections.mssql_login import source_login_of
from extract.connectorx_sqlserver_extractor.catalogue import (
    READ_COMMITTED,
    Isolation,
    find,
    read_description,
    read_isolation,
    read_led_to_by,
)
from extract.connectorx_sqlserver_extractor.errors import NO_SNAPSHOT, interrupted, translated
from extract.connectorx_sqlserver_extractor.replacements import Replacements
from extract.connectorx_sqlserver_extractor.routes import ROUTES, Route, RouteFailed
from extract.connectorx_sqlserver_extractor.session import Session
from extract.connectorx_sqlserver_extractor.statement import Statement, read_statement, rules_of
from extract.connectorx_sqlserver_extractor.stops import Stops, timed
from extract.connectorx_sqlserver_extractor.values import as_canonical
from extract.extractor import Extractor, SourceDescription, SourceTable
from extract.selection import Selection
from extract.side_by_side import in_one_stream
from model.errors import IncompleteExtract, SourceUnavailable, ValueNotExact
from model.names import TableName
from model.types import Column
from sources.registry import Source

LOG = logging.getLogger("udm.sqlserver")


class SQLServerExtractor(Extractor):
    """One SQL Server; a table's own database is connected to when the table is described.

    Raises:
        ConfigurationError: the URL cannot be used.
    """

    def __init__(self, source: Source, routes: Sequence[type[Route]] = ROUTES) -> None:
        self._name = source.name
        self._source = source_login_of(source.url, f"UDM_SOURCE_{source.name}")
        self._routes = tuple(routes)
        self._stops = Stops()
        self._session = Session(source.name, self._source.login, self._stops)

    def describe(self, table: SourceTable) -> SourceDescription:
        """From INFORMATION_SCHEMA and sys.indexes; a view has no key unless it is indexed."""
        with translated(table, self._stops):
            connection = self._connection(table)
            return read_description(connection, table, find(connection, table))

    def is_led_to_by(self, table: SourceTable, column: Column) -> bool | None:
        """From sys.indexes."""
        with translated(table, self._stops):
            connection = self._connection(table)
            return read_led_to_by(connection, find(connection, table), column)

    def read(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None = None
    ) -> Iterator[pl.DataFrame]:
        """One statement in one snapshot, by the first route that carries all columns; by the other where that gives up first."""
        if selection is None:
            in_one_stream(table, "SQL Server has no snapshot that several sessions can enter")
        with translated(table, self._stops):
            connection = self._connection(table)
            place = find(connection, table)
            isolation = read_isolation(connection, place)
            # A missing right is told by its number here; the routes have no numbers.
            connection.exec_driver_sql(read_statement(table, place, columns, isolation).empty).close()
        delivered = False
        try:
            for frame in self._read(table, place, columns, batch_rows, isolation, selection):
                delivered = True
                yield frame
        except SourceUnavailable:
            if delivered or isolation.statement == READ_COMMITTED or self._allows(table, place, isolation):
                raise
        else:
            return
        committed = Isolation(statement=READ_COMMITTED, consistent=False)
        yield from self._read(table, place, columns, batch_rows, committed, selection)

    def _read(
        self,
        table: SourceTable,
        place: TableName,
        columns: Sequence[Column],
        batch_rows: int,
        isolation: Isolation,
        selection: Selection | None,
    ) -> Iterator[pl.DataFrame]:
        if not isolation.consistent:
            LOG.warning(
                "%s: it is read as it changes, for %s has no row versions for it (snapshot isolation): rows that others "
                "move meanwhile may be missed or come twice. A DBA can turn them on: ALTER DATABASE %s SET "
                "ALLOW_SNAPSHOT_ISOLATION ON",
                table, place.database, quoted(place.database),
            )  # fmt: skip
        statement = read_statement(table, place, columns, isolation, selection)
        first, *others = [route for route in self._routes if route.can(self._source.login, rules_of(table, columns))]
        for route, following in pairwise((first, *others, None)):
            assert route is not None  # noqa: S101 - only the last is None
            delivered, replacements = 0, Replacements(columns)
            try:
                for frame in replacements.counting(self._checked(route, table, columns, statement, batch_rows, isolation)):
                    delivered += frame.height
                    yield frame
                with translated(table, self._stops):
                    replacements.check(str(table), self._connection(table), place)
            except (RouteFailed, ValueNotExact) as failure:
                self._raise_unless_other(table, columns, route, following if not delivered else None, failure, delivered)
            else:
                return

    def _checked(
        self,
        route: type[Route],
        table: SourceTable,
        columns: Sequence[Column],
        statement: Statement,
        batch_rows: int,
        isolation: Isolation,
    ) -> Iterator[pl.DataFrame]:
        """The rows without the control row, in canonical types, compared with its count at the end."""
        count, delivered = None, 0
        raw = route.frames(self._source.login, self._database(table), statement, batch_rows, self._stops)
        remedy = f"query_timeout=… in UDM_SOURCE_{self._name} waits longer."
        for frame in timed(str(table), raw, self._source.query_timeout, self._stops, remedy):
            if self._stops.interrupted:  # between two frames there is nothing to cancel
                raise interrupted(table)
            control = frame.to_series(0)
            if control.null_count() < frame.height:
                count = int(control.drop_nulls().item())
                frame = frame.filter(control.is_null())  # noqa: PLW2901 - the same frame without the control row
            if frame.height:
                delivered += frame.height
                yield as_canonical(str(table), frame.drop(control.name), columns)
        if self._stops.interrupted:
            raise interrupted(table)
        if count is None:
            raise RouteFailed("the count did not arrive")
        if delivered != count:
            raise IncompleteExtract(
                f"{table}: the source counted {count} rows and delivered {delivered}.",
                remedy="" if isolation.consistent else "It changed meanwhile; row versions would keep that out (see the log).",
            )

    def _raise_unless_other(
        self,
        table: SourceTable,
        columns: Sequence[Column],
        route: type[Route],
        following: type[Route] | None,
        failure: RouteFailed | ValueNotExact,
        delivered: int,
    ) -> None:
        if self._stops.interrupted:
            raise interrupted(table) from None
        if following is None and isinstance(failure, ValueNotExact):
            raise failure
        where, why = "", "a value did not arrive in its column's type"
        if isinstance(failure, RouteFailed):
            why = failure.why
            if failure.place is not None and 0 <= failure.place < len(columns):
                where = f" at column {columns[failure.place].name!r}"
        if following is None:
            raise SourceUnavailable(
                f"{table}: {route.name} broke the read off{where} after {delivered} rows ({why}).",
                remedy=f"Check that the server of UDM_SOURCE_{self._name} is up; its own log has the reason.",
            ) from None
        LOG.warning("%s: %s failed%s (%s); %s reads the table instead", table, route.name, where, why, following.name)

    def _allows(self, table: SourceTable, place: TableName, isolation: Isolation) -> bool:
        """Whether the table can be read under snapshot isolation: not by a view over a database without it, for instance."""
        if self._stops.interrupted:
            return True
        with translated(table, self._stops):
            connection = self._connection(table)
            try:
                connection.exec_driver_sql(isolation.statement)
                connection.exec_driver_sql(f"SELECT TOP (1) 1 FROM {in_full(place)}").close()  # noqa: S608 - quoted names
            except sa.exc.DBAPIError as error:
                if numbers_of(error) & NO_SNAPSHOT:
                    return False
                raise
            finally:
                with suppress(sa.exc.DBAPIError):
                    connection.exec_driver_sql(READ_COMMITTED)
        return True

    def _database(self, table: SourceTable) -> str:
        return table.database or self._source.database

    def _connection(self, table: SourceTable) -> sa.Connection:
        if self._stops.interrupted:
            raise interrupted(table)
        return self._session.connection(self._database(table))

    def interrupt(self) -> None:
        """Stop what is read; this extractor reads nothing any more."""
        self._stops.interrupt()

    def close(self) -> None:
        """Stop what is being read and give back the session."""
        self._stops.stop()
        self._session.close()
