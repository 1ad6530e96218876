"""One snapshot for several reading sessions: a session of our own holds it open and plans the ranges within it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from extract.connectorx_extractor.kinds import SharedSnapshot
from extract.connectorx_extractor.statement import bounds_query
from extract.extractor import SourceTable
from extract.partitions import Bounds, Range, plan_ranges
from model.types import Column

_NAME_SAFE = "0123456789ABCDEFabcdef-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`ranges` hold each of the table's `rows` once; `session` puts a session into the snapshot."""

    ranges: tuple[Range, ...]
    rows: int
    session: tuple[str, ...]


@contextmanager
def hold_snapshot(
    connection: sa.Connection, shared: SharedSnapshot, table: SourceTable, column: Column, most: int, least_rows: int
) -> Iterator[Snapshot | str]:
    """A snapshot of the table in at most `most` ranges, while the block runs; or why there is none. It locks nothing.

    `connection` commits by itself and is used for nothing else.
    """
    for statement in shared.holder:
        connection.exec_driver_sql(statement)
    try:
        yield _planned(connection, shared, table, column, most, least_rows)
    finally:
        with suppress(sa.exc.DBAPIError):  # what was read has its own proof
            connection.exec_driver_sql("ROLLBACK")


def _planned(
    connection: sa.Connection, shared: SharedSnapshot, table: SourceTable, column: Column, most: int, least_rows: int
) -> Snapshot | str:
    try:
        least, greatest, rows, nulls = connection.execute(bounds_query(table, column)).one()
    except sa.exc.DataError:  # infinity and years BC, which Python cannot hold
        return f"{column.name} holds what is no day of the years 1 to 9999"
    ranges = plan_ranges(column.type, Bounds(least=least, greatest=greatest, rows=rows, nulls=nulls), most, least_rows)
    if len(ranges) == 1:
        return f"{rows:,} rows with the values of {column.name} are not worth several"
    try:
        name = str(connection.exec_driver_sql(shared.name).scalar_one())
    except (sa.exc.ProgrammingError, sa.exc.NotSupportedError):
        return "this server cannot share a snapshot between connections"
    if set(name) - set(_NAME_SAFE):
        return "the name of its snapshot is of an unknown form"
    return Snapshot(ranges=ranges, rows=rows, session=tuple(statement.format(name=name) for statement in shared.reader))
