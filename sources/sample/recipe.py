"""How a sample table is made: a row is a function of its number and of the business day it was last written.

So no change is ever recorded, only computed: the keys that a day inserts, updates, deletes and brings back
follow from the day's number alone, which is what makes the samples repeatable. Arithmetic and literals only:
DuckDB may change the values of its own `hash()` and `random()` between versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sources.sample.business_days import business_date_sql

# `pick`: a number in [0, m) for m up to 2**26, by Knuth's multiplicative hash; its low bits are poor and are
# dropped. `cycle`: the list's values in turn. `clock`: a time of day before 18:00, to the microsecond, as an
# interval.
MACROS = (
    "CREATE OR REPLACE TEMP MACRO pick(n, salt, m) AS ((n + salt * 7919) * 2654435761 % 4294967296) // 64 % m",
    (
        "CREATE OR REPLACE TEMP MACRO clock(n, salt) AS"
        " to_microseconds(pick(n, salt, 64800) * 1000000 + pick(n, salt + 500, 1000000))"
    ),
    "CREATE OR REPLACE TEMP MACRO cycle(choices, i) AS choices[1 + i % len(choices)]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRecipe:
    """A sample table: its definition, how a row follows from its seed, and how much of it changes in a day.

    `rows` is a SELECT from `seed` that yields every column by name. `seed` has `n` (the row's number, from
    0), `b` (the business day it first appeared, 0 for the initial content), `v` (the business day it is
    written), and as dates `born` (of `b`) and `written` (of `v`). Every row must depend on `v`, or an update
    would change nothing.
    """

    name: str
    columns: str
    key: tuple[str, ...]
    rows: str
    initial_rows: int
    inserts_per_day: int
    delete_every: int
    """A day deletes one row in so many; half of them come back the next day."""
    update_every: int
    newest_rows: int | None = None
    """Updates and deletes reach only so many of the newest rows; None for all."""
    key_is_index: bool = False
    """The key is a unique index on NOT NULL columns instead of a primary key."""
    date_column: str | None = None
    """The date column a large table is read by; None for a small table."""
    initial_days: int = 0
    """Calendar days that the date column covers at first, up to and with the first business day."""

    def rows_before(self, day: int) -> int:
        """How many row numbers have been used before business day `day` (1 or later)."""
        return self.initial_rows + (day - 1) * self.inserts_per_day


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecipe:
    """A sample source system: its name, the schema that holds its tables, and the tables."""

    name: str
    schema_name: str
    tables: tuple[TableRecipe, ...]

    def qualified(self, table: TableRecipe) -> str:
        """The table's quoted name inside its file."""
        return f'"{self.schema_name}"."{table.name}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Which row numbers a statement writes, and as of which business day."""

    first: int
    end: int
    where: str = "TRUE"
    day: str
    """A SQL expression over `n` and `b`: the business day `v` of each row."""


def initial_seeds(table: TableRecipe) -> Seeds:
    """The rows of the initial content."""
    return Seeds(first=0, end=table.initial_rows, day="0")


def inserted_seeds(table: TableRecipe, day: int) -> Seeds:
    """The rows that appear for the first time on `day`."""
    return Seeds(first=table.rows_before(day), end=table.rows_before(day + 1), day=str(day))


def deleted_seeds(table: TableRecipe, day: int) -> Seeds:
    """The rows that `day` deletes, where they still exist."""
    return _among_existing(table, day, f"n % {table.delete_every} = {day % table.delete_every}")


def returned_seeds(table: TableRecipe, day: int) -> Seeds:
    """The rows that `day` brings back: half of the day before's deletes, some with their first values."""
    yesterday = day - 1
    if yesterday < 1:
        return Seeds(first=0, end=0, day="0")
    deleted = deleted_seeds(table, yesterday)
    return Seeds(
        first=deleted.first,
        end=deleted.end,
        where=f"{deleted.where} AND n // {table.delete_every} % 2 = 0",
        day=f"CASE WHEN n // {table.delete_every} % 4 = 0 THEN b ELSE {day} END",
    )


def updated_seeds(table: TableRecipe, day: int) -> Seeds:
    """The rows that `day` updates, where they exist: none that the same day deletes or brings back."""
    deletes = f"n % {table.delete_every} IN ({day % table.delete_every}, {(day - 1) % table.delete_every})"
    return _among_existing(
        table,
        day,
        f"n % {table.update_every} = {day % table.update_every} AND NOT {deletes}",
    )


def _among_existing(table: TableRecipe, day: int, where: str) -> Seeds:
    end = table.rows_before(day)
    first = 0 if table.newest_rows is None else max(0, end - table.newest_rows)
    return Seeds(first=first, end=end, where=where, day=str(day))


def rows_sql(table: TableRecipe, seeds: Seeds, first_day: date) -> str:
    """The common table expression `made`: the rows that `seeds` stands for, complete."""
    later = f"1 + (n - {table.initial_rows}) // {table.inserts_per_day}"
    born = f"CASE WHEN n < {table.initial_rows} THEN 0 ELSE {later} END"
    return (
        f"WITH seed AS (SELECT n, b, v, {business_date_sql(first_day, 'b')} AS born,"
        f" {business_date_sql(first_day, 'v')} AS written"
        f" FROM (SELECT n, b, {seeds.day} AS v FROM (SELECT n, {born} AS b"
        f" FROM range({seeds.first}, {seeds.end}) AS numbers(n)) WHERE {seeds.where})),"
        f" made AS ({table.rows})"
    )


def create_statements(source: SourceRecipe, table: TableRecipe) -> tuple[str, ...]:
    """The table and, where its key is no primary key, the unique index."""
    name, key = source.qualified(table), ", ".join(table.key)
    if not table.key_is_index:
        return (f"CREATE TABLE {name} ({table.columns}, PRIMARY KEY ({key}))",)
    return (
        f"CREATE TABLE {name} ({table.columns})",
        f'CREATE UNIQUE INDEX "{table.name}_UX" ON {name} ({key})',
    )


def insert_statement(source: SourceRecipe, table: TableRecipe, seeds: Seeds, first_day: date) -> str:
    """Add the rows of `seeds`, which must not exist."""
    rows = rows_sql(table, seeds, first_day)
    return f"{rows} INSERT INTO {source.qualified(table)} BY NAME SELECT * FROM made"


def delete_statement(source: SourceRecipe, table: TableRecipe, seeds: Seeds, first_day: date) -> str:
    """Remove those rows of `seeds` that exist."""
    rows = rows_sql(table, seeds, first_day)
    return f"{rows} DELETE FROM {source.qualified(table)} AS old USING made WHERE {_same_key(table)}"


def update_statement(source: SourceRecipe, table: TableRecipe, seeds: Seeds, first_day: date, columns: list[str]) -> str:
    """Rewrite those rows of `seeds` that exist; `columns` are the table's columns outside its key."""
    rows = rows_sql(table, seeds, first_day)
    values = ", ".join(f'"{column}" = made."{column}"' for column in columns)
    return f"{rows} UPDATE {source.qualified(table)} AS old SET {values} FROM made WHERE {_same_key(table)}"


def _same_key(table: TableRecipe) -> str:
    return " AND ".join(f"old.{column} = made.{column}" for column in table.key)
