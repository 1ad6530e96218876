"""The seam that every extractor fits: describe a source table, then stream its rows in frames.

An extractor yields the columns in the canonical types that its own `describe` gave them (`ColumnType.dtype`), unaltered, and its
stream ends normally only when every row of one consistent read has been delivered: a read that breaks off raises.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

import polars as pl

from extract.selection import Selection
from extract.source_connections import SourceConnections
from model.errors import ConfigurationError
from model.types import Column
from sources.registry import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """Where a table lies at its source, and how its owners want it read; what is None is left to the login's default.

    `index_hint` names an index that a read should use (Oracle), `date_column` the column by which it is then read day by day;
    `partition_on` the column whose ranges are read side by side. None of them changes which rows come.
    """

    source: str
    table: str
    schema: str | None = None
    database: str | None = None
    index_hint: str | None = None
    date_column: str | None = None
    partition_on: str | None = None

    def __str__(self) -> str:
        return f"{self.source}.{self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescription:
    """What the source's catalogue says of a table; `key` is empty where it knows none."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSum:
    """How many rows there are, and the sum of the hashes of their values."""

    rows: int
    total: int


class Extractor(ABC):
    """One source. A context manager; one thread at a time uses it, `interrupt` may come from another.

    `keys_at_once` is how many values of a one-column key a selection may well have.
    """

    keys_at_once: ClassVar[int] = 1_000

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def describe(self, table: SourceTable) -> SourceDescription:
        """Columns and key from the catalogue.

        Raises:
            SourceTableMissing: no such table.
            UnsupportedType: a column that can be carried by no exact route.
        """

    def is_led_to_by(self, table: SourceTable, column: Column) -> bool | None:
        """Whether an index, or the way that the table is partitioned, leads to rows by their values of a column.

        None where the catalogue does not tell: of a view, for instance.
        """
        del table, column
        return None

    @abstractmethod
    def read(
        self, table: SourceTable, columns: Sequence[Column], batch_rows: int, selection: Selection | None = None
    ) -> Iterator[pl.DataFrame]:
        """Stream all rows, or those of `selection`, in frames of about `batch_rows` rows.

        Raises:
            SourceUnavailable: the source failed in mid-read, as may pass.
            SourceRefused: it failed as it would again.
            IncompleteExtract: fewer or more rows came than the source has in the same snapshot.
        """

    def value_sum(self, table: SourceTable, columns: Sequence[Column], selection: Selection | None = None) -> ValueSum | None:
        """What the source itself makes of the values that `read` would deliver, of one consistent look.

        `columns` come in the order that the warehouse's sum has them in. None where the source makes no sum that a warehouse
        could have too, or not in the time that a query may take.
        """
        del table, columns, selection
        return None

    @abstractmethod
    def interrupt(self) -> None:
        """Stop the statement that is running, from any thread."""

    @abstractmethod
    def close(self) -> None:
        """Give back the connection; idempotent."""


def narrowest_key(unique_keys: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Of several unique keys on NOT NULL columns the one with the fewest columns, by name where they tie."""
    return min(unique_keys, key=lambda key: (len(key), key), default=())


def open_extractor(source: Source, connections: SourceConnections | None = None) -> Extractor:
    """The extractor for a source's kind. Drivers are imported only here, when a table needs them.

    It has one connection at a time, whose place in `connections` the caller holds; for more it asks there.

    Raises:
        ConfigurationError: for a kind without an extractor.
        SourceUnavailable: the source does not answer now, or its file is locked.
        SourceRefused: it refuses the login, or its file is missing or corrupt.
    """
    match source.kind:
        case "duckdb":
            from extract.duckdb_extractor import DuckDBExtractor  # noqa: PLC0415

            return DuckDBExtractor(source)
        case "postgresql" | "mysql" | "sqlite":
            from extract.connectorx_extractor import ConnectorXExtractor  # noqa: PLC0415

            return ConnectorXExtractor(source, connections or SourceConnections())
        case "oracle":
            from extract.connectorx_oracle_extractor import ConnectorXOracleExtractor  # noqa: PLC0415

            return ConnectorXOracleExtractor(source, connections or SourceConnections())
        case "mssql":
            from extract.connectorx_sqlserver_extractor import SQLServerExtractor  # noqa: PLC0415

            return SQLServerExtractor(source)
        case kind:
            raise ConfigurationError(
                f"Source {source.name}: there is no extractor for {kind} sources.",
                remedy="Oracle, SQL Server, PostgreSQL, MySQL, SQLite and DuckDB can be read.",
            )
