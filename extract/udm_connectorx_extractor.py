"""Reads back from Stage, by the target's fastest exact route: hashes only, but for rows that must be hashed anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from connections.literals import typed
from connections.target import Target
from extract.selection import Between
from model.date_column import DateColumn
from model.names import TableName
from model.system_columns import CDC_IS_CURRENT, HASH_LAYOUT, KEY_HASH, ROW_HASH
from model.types import Column
from model.windows import Interval

_ROWS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWindow:
    """A window of a large table, or several, among its stored rows."""

    date: DateColumn
    window: Interval

    def condition(self, stage: sa.TableClause) -> sa.ColumnElement[bool]:
        """The window's rows in Stage, and with a margin some others that `within` leaves out."""
        start, end = self.date.stored_ends(self.window)
        name = self.date.column.name
        between = Between(column=self.date.column, start=start, end=end)
        return between.condition(lambda _: stage.c[name], lambda _, value: typed(value))

    def within(self, values: pl.Series) -> pl.Series:
        """Which of the date column's values, as they travel, lie in the window."""
        return self.date.within(values, self.window)

    @property
    def is_exact(self) -> bool:
        """Whether the condition needs no second look."""
        return not self.date.margin


def read_current_hashes(
    target: Target, connection: sa.Connection, stage: TableName, stored: StoredWindow | None = None
) -> Iterator[pl.DataFrame]:
    """Frames of `_key_hash`, `_row_hash` and `_hash_layout` of a Stage table's current rows, or a window's, in no order."""
    query = current_hashes(target, stage, stored)
    if stored is None:
        yield from target.read_hashes(connection, stage, query, _ROWS)
    elif stored.is_exact:
        yield from target.read_some_hashes(connection, query, _ROWS)
    else:
        [held] = [column for column in target.columns_of(connection, stage) if column.name == stored.date.column.name]
        date = target.travelling(held).label("window_date")
        for frame in target.read(connection, query.add_columns(date), _ROWS):
            *hashes, dates = frame.get_columns()
            yield pl.DataFrame(hashes).filter(stored.within(dates))


def current_hashes(target: Target, stage: TableName, stored: StoredWindow | None = None) -> sa.Select[tuple[object, ...]]:
    """The query of a Stage table's current rows' hashes; on servers an index answers it without the table."""
    names = (KEY_HASH, ROW_HASH, HASH_LAYOUT, CDC_IS_CURRENT)
    table = target.table(stage, names if stored is None else (*names, stored.date.column.name))
    query = sa.select(table.c[KEY_HASH], table.c[ROW_HASH], table.c[HASH_LAYOUT]).where(table.c[CDC_IS_CURRENT] == sa.true())
    return query if stored is None else query.where(stored.condition(table))


def read_current_rows(
    target: Target,
    connection: sa.Connection,
    stage: TableName,
    columns: Sequence[Column],
    layouts: Sequence[int],
    stored: StoredWindow | None = None,
) -> Iterator[pl.DataFrame]:
    """Frames of `_key_hash` and `columns` of the current rows, or a window's, that carry one of these layouts."""
    names = (KEY_HASH, HASH_LAYOUT, CDC_IS_CURRENT)
    table = target.table(stage, names if stored is None else (*names, stored.date.column.name))
    query = (
        sa.select(table.c[KEY_HASH], *(target.travelling(column) for column in columns))
        .select_from(table)
        .where(table.c[CDC_IS_CURRENT] == sa.true(), table.c[HASH_LAYOUT].in_([sa.literal_column(str(i)) for i in layouts]))
    )
    if stored is None:
        yield from target.read(connection, query, _ROWS)
        return
    name = stored.date.column.name
    for frame in target.read(connection, query.where(stored.condition(table)), _ROWS):
        yield frame if name not in frame.columns else frame.filter(stored.within(frame.get_column(name)))
