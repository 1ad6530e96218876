"""Half a surrogate pair in a column of text: refused, for mssql-python puts U+FFFD in its place without a word.

SQL Server stores code units and lets half a pair stand alone, which no UTF-8 can hold. The source may as well have a U+FFFD of
its own, so those that arrived are counted, and where there are any the source is asked how many it has. ConnectorX gives up by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import sqlalchemy as sa

from connections.mssql_catalogue import in_full, quoted
from extract.connectorx_sqlserver_extractor.rules import rule_of
from model.errors import ValueNotExact
from model.names import TableName
from model.types import Column

_REPLACEMENT = "\ufffd"


class Replacements:
    """The U+FFFD that arrived, by column."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {column.name: column for column in columns if _may_hold_halves(column)}
        self._arrived: dict[str, int] = {}

    def counting(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The frames, looked through."""
        for frame in frames:
            for name in self._columns:
                values = frame.get_column(name)
                if values.str.contains(_REPLACEMENT, literal=True).any():
                    found = int(values.str.count_matches(_REPLACEMENT, literal=True).sum())
                    self._arrived[name] = self._arrived.get(name, 0) + found
            yield frame

    def check(self, table: str, connection: sa.Connection, place: TableName) -> None:
        """Compare them with the source's own.

        Raises:
            ValueNotExact: the source has fewer; names the column.
        """
        for name, arrived in self._arrived.items():
            held: int = connection.exec_driver_sql(statement(place, name)).scalar_one() or 0
            if held < arrived:
                raise ValueNotExact(
                    f"{table}: column {name!r} ({self._columns[name].source_type}) holds half a surrogate pair: no text.",
                    remedy="Correct it at the source, or load a view that casts the column to varbinary(max).",
                )


def statement(place: TableName, column: str) -> str:
    """How many U+FFFD a column holds. LEN counts no blanks at the end, hence the point behind them."""
    whole = f"CAST({quoted(column)} AS nvarchar(max))"
    without = f"REPLACE({whole} COLLATE Latin1_General_BIN2, NCHAR(65533), N'')"
    return f"SELECT SUM(CAST(LEN({whole} + N'.') - LEN({without} + N'.') AS bigint)) FROM {in_full(place)}"  # noqa: S608 - quoted


def _may_hold_halves(column: Column) -> bool:
    rule = rule_of(column.source_type)
    return rule is not None and rule.travels.startswith("n") and column.source_type.startswith(("nchar", "nvarchar", "ntext"))
