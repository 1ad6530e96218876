"""The T-SQL that only SQL Server needs, as text; the golden file tests/golden/mssql.sql shows all of it."""

from __future__ import annotations

from collections.abc import Sequence

from connections.mssql_catalogue import quoted
from model.names import TableName

LONGEST_NAME = 128  # of any object, in UTF-16 code units
SCHEMA_ID = "SELECT SCHEMA_ID(:schema)"  # in the current database
LOCK_TIMEOUT = "SET LOCK_TIMEOUT {milliseconds}"
NOW = "SELECT CAST(SYSUTCDATETIME() AS datetime2(6))"


def _literal(text: str) -> str:
    return "N'" + text.replace("'", "''") + "'"


def use(database: str) -> str:
    """Makes a database the current one: DDL wants that. Every other statement names its database in full."""
    return f"USE {quoted(database)}"


def create_schema(schema: str) -> str:
    """CREATE SCHEMA where it is missing, in the current database."""
    create = _literal(f"CREATE SCHEMA {quoted(schema)}")
    return f"IF SCHEMA_ID({_literal(schema)}) IS NULL EXEC ({create})"


def create_sequence(schema: str, name: str, create: str) -> str:
    """CREATE SEQUENCE where it is missing, in the current database."""
    found = _literal(f"{quoted(schema)}.{quoted(name)}")
    return f"IF OBJECT_ID({found}, N'SO') IS NULL EXEC ({_literal(create)})"


def create_table(name: str, create: str) -> str:
    """CREATE TABLE where it is missing; `name` is quoted and names its database."""
    return f"IF OBJECT_ID({_literal(name)}, N'U') IS NULL {create.strip()}"


def rename_column(name: TableName, before: str, after: str) -> str:
    """Rename a column, in the current database: https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-rename-transact-sql"""
    column = ".".join(map(quoted, (name.schema, name.table, before)))
    return f"EXEC sp_rename {_literal(column)}, {_literal(after)}, N'COLUMN'"


NUMBERS_ITSELF = (
    "SELECT 1 FROM {database}.sys.columns WHERE object_id = OBJECT_ID(:table, N'U') AND name = :column "
    "AND (is_identity = 1 OR default_object_id <> 0)"
)


def number_on(name: TableName, table: str, column: str, start: int) -> tuple[str, ...]:
    """A sequence beside the table as its column's default, in the current database."""
    sequence = f"{name.table[: LONGEST_NAME - len(column) - 1]}_{column.strip('_')}"
    here = f"{quoted(name.schema)}.{quoted(sequence)}"
    create = f"CREATE SEQUENCE {here} AS bigint START WITH {start} INCREMENT BY 1"
    default = f"ALTER TABLE {table} ADD DEFAULT NEXT VALUE FOR {here} FOR {quoted(column)}"
    return (f"IF OBJECT_ID({_literal(here)}, N'SO') IS NULL EXEC ({_literal(create)})", default)


def one_active_index(name: TableName, table: str, key: str, flag: str) -> str:
    """The proof of at most one active version a key."""
    return _index(name, table, key, f"({quoted(key)}) WHERE {quoted(flag)} = 1", purpose="one_active", unique=True)


def current_index(name: TableName, table: str, key: str, read_back: Sequence[str], flag: str) -> str:
    """The index over the current rows that hashes are read back from, without a look at the table itself."""
    definition = f"({quoted(key)}) INCLUDE ({', '.join(map(quoted, read_back))}) WHERE {quoted(flag)} = 1"
    return _index(name, table, key, definition, purpose="current", unique=True)


def window_index(name: TableName, table: str, date: str, read_back: Sequence[str], flag: str) -> str:
    """The index over the current rows that the hashes of a range of dates are read back from."""
    definition = f"({quoted(date)}) INCLUDE ({', '.join(map(quoted, read_back))}) WHERE {quoted(flag)} = 1"
    return _index(name, table, date, definition, purpose="window", unique=False)


def lookup_index(name: TableName, table: str, columns: Sequence[str], purpose: str, condition: str = "") -> str:
    """An index that rows are looked up by, where a condition holds: over one column, or two."""
    where = f" WHERE {condition}" if condition else ""
    body = f"({', '.join(map(quoted, columns))}){where}"
    second = (
        f"SELECT 1 FROM {quoted(name.database)}.sys.index_columns AS s "  # noqa: S608 - quoted names
        f"JOIN {quoted(name.database)}.sys.columns AS d ON d.object_id = s.object_id AND d.column_id = s.column_id "
        "WHERE s.object_id = i.object_id AND s.index_id = i.index_id AND s.key_ordinal = 2"
    )
    told_apart = f"AND NOT EXISTS ({second})"
    if len(columns) > 1:
        told_apart = f"AND EXISTS ({second} AND d.name = {_literal(columns[1])})"
    return _index(name, table, columns[0], body, purpose=purpose, unique=False, told_apart=told_apart)


def _index(
    name: TableName, table: str, column: str, definition: str, *, purpose: str, unique: bool, told_apart: str = ""
) -> str:
    """CREATE INDEX where the table has none such on that column: a DBA may have given it another name."""
    prefix = "ux" if unique else "ix"
    # A name is unique within its table only, so it may be cut where the table's is long.
    index = f"{prefix}_{name.table[: LONGEST_NAME - len(purpose) - 4]}_{purpose}"
    views = {view: f"{quoted(name.database)}.sys.{view}" for view in ("indexes", "index_columns", "columns")}
    return (
        f"IF NOT EXISTS (SELECT 1 FROM {views['indexes']} AS i "  # noqa: S608 - quoted names
        f"JOIN {views['index_columns']} AS k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.key_ordinal = 1 "
        f"JOIN {views['columns']} AS c ON c.object_id = k.object_id AND c.column_id = k.column_id "
        f"WHERE i.object_id = OBJECT_ID({_literal(table)}, N'U') AND i.is_unique = {int(unique)} "
        f"AND c.name = {_literal(column)}{told_apart and f' {told_apart}'}) "
        f"CREATE {'UNIQUE ' if unique else ''}INDEX {quoted(index)} ON {table} {definition}"
    )


def disabled_indexes(database: str) -> str:
    """Which indexes of a table (the parameter `table`, its quoted name) are disabled."""
    return (
        f"SELECT name FROM {quoted(database)}.sys.indexes "  # noqa: S608 - quoted names
        "WHERE object_id = OBJECT_ID(:table, N'U') AND is_disabled = 1 ORDER BY index_id"
    )


def rebuild_index(table: str, index: str) -> str:
    """Enable a disabled index again."""
    return f"ALTER INDEX {quoted(index)} ON {table} REBUILD"
