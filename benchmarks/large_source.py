"""The source of a large table: days of `bench.WIDE` rows in a DuckDB file or in PostgreSQL, and what changes there daily."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.extract_places import write_postgresql
from benchmarks.floor import BATCH_ROWS
from benchmarks.measure import in_child
from benchmarks.source_table import COLUMNS, SCHEMA, TABLE, rows_query
from benchmarks.udm import SOURCE

DATE = "POSTED"
LOOKBACK = 7
_MOVED_EVERY = 1_000
_COLUMNS = ("ID", *(f"c{number}" for number in range(2, COLUMNS + 1)), DATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeSource(ABC):
    """A table of `days` days from `first` on, of `rows` rows each; `file` is where DuckDB makes them."""

    file: Path
    first: date
    days: int
    rows: int
    schema: str = SCHEMA

    @property
    def since(self) -> date:
        """The first of the days that a daily run reads again."""
        return self.first + timedelta(days=self.days - 1 - LOOKBACK)

    @property
    def table(self) -> str:
        """Its name in SQL."""
        return f'{self.schema}."{TABLE}"'

    @property
    @abstractmethod
    def location(self) -> str:
        """The URL that the pipeline reads."""

    @property
    @abstractmethod
    def floor(self) -> Sequence[str]:
        """What an interpreter is told, in the pipeline's environment, to extract and hash the days of a daily run alone."""

    @abstractmethod
    def write(self) -> None:
        """Make the table."""

    @abstractmethod
    def change(self, repeat: int) -> None:
        """1 % updates, 0.1 % inserts and 0.1 % deletes in the days that a daily run reads again."""

    @abstractmethod
    def drop(self) -> None:
        """Leave nothing behind."""

    def changes(self, repeat: int) -> tuple[str, ...]:
        """The statements of a change, in SQL that both servers know. What an earlier one inserted is not copied once more."""
        recent, rows = f"\"{DATE}\" >= DATE '{self.since}'", self.days * self.rows
        new = ", ".join(f'"{name}"' for name in _COLUMNS).replace('"ID"', f'{rows * (repeat + 2)} + "ID"')
        copied = f'{recent} AND "ID" < {rows} AND "ID" % {_MOVED_EVERY} = 500'
        return (
            f'UPDATE {self.table} SET "c14" = coalesce("c14", 0) + 1 WHERE {recent} AND "ID" % 100 = {3 + repeat}',
            f'DELETE FROM {self.table} WHERE {recent} AND "ID" % {_MOVED_EVERY} = {17 + repeat}',
            f"INSERT INTO {self.table} SELECT {new} FROM {self.table} WHERE {copied}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DuckDBSource(LargeSource):
    """The file itself; an index on no date, for a DuckDB file is its own."""

    @property
    def location(self) -> str:
        """The file's."""
        return f"duckdb:///{self.file.absolute()}"

    @property
    def floor(self) -> Sequence[str]:
        """DuckDB's own Arrow batches."""
        return ["-m", "benchmarks.floor", str(self.file), f"{DATE} >= DATE '{self.since}'"]

    def write(self) -> None:
        """The rows in the order of their days, all made by one statement."""
        self.file.unlink(missing_ok=True)
        with duckdb.connect(str(self.file)) as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute(f"CREATE SCHEMA {self.schema}")
            posted = f"DATE '{self.first}' + (ID // {self.rows})::INTEGER AS {DATE}"
            rows = f"({rows_query(self.days * self.rows, changed=False)}) AS r ({', '.join(_COLUMNS[:-1])})"
            connection.execute(f"CREATE TABLE {self.table} AS SELECT *, {posted} FROM {rows}")
            connection.execute(f"ALTER TABLE {self.table} ALTER ID SET NOT NULL")
            connection.execute(f"ALTER TABLE {self.table} ADD PRIMARY KEY (ID)")

    def change(self, repeat: int) -> None:
        """Each statement by itself."""
        with duckdb.connect(str(self.file)) as connection:
            for statement in self.changes(repeat):
                connection.execute(statement)

    def drop(self) -> None:
        """The file."""
        self.file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLSource(LargeSource):
    """A schema of its own on a server, with an index on the date."""

    url: str

    @property
    def location(self) -> str:
        """The server's."""
        return self.url

    @property
    def floor(self) -> Sequence[str]:
        """The pipeline's own extractor."""
        return ["-m", "benchmarks.source_floor", SOURCE, self.schema, TABLE, DATE, str(self.since), str(BATCH_ROWS)]

    def write(self) -> None:
        """By way of the file; vacuumed, or autovacuum would begin while a run is timed."""
        made = DuckDBSource(file=self.file, first=self.first, days=self.days, rows=self.rows)
        made.write()
        write_postgresql(self.file, self.url, self.schema)
        made.drop()
        self._execute(f'CREATE INDEX ON {self.table} ("{DATE}")', f"VACUUM (ANALYZE) {self.table}")

    def change(self, repeat: int) -> None:
        """Each statement by itself."""
        self._execute(*self.changes(repeat))

    def drop(self) -> None:
        """The schema."""
        self._execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")

    def _execute(self, *statements: str) -> None:
        import psycopg  # noqa: PLC0415 - a child's

        with psycopg.connect(self.url, autocommit=True) as session:
            for statement in statements:
                session.execute(statement.encode())


@contextmanager
def large_source(work: Path, days: int, rows: int, url: str | None, *, keep: bool) -> Iterator[LargeSource]:
    """The table up to today, on the server at `url` or in a file; gone afterwards unless it is kept."""
    file = work / f"source_{days}.duckdb"
    first = date.today() - timedelta(days=days - 1)  # noqa: DTZ011 - the pipeline's own day
    source: LargeSource = DuckDBSource(file=file, first=first, days=days, rows=rows)
    if url:
        schema = f"{SCHEMA}_{int(time.time())}_{days}"
        source = PostgreSQLSource(file=file, first=first, days=days, rows=rows, schema=schema, url=url)
    try:
        in_child(source.write)
        yield source
    finally:
        if not keep:
            in_child(source.drop)
