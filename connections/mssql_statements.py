"""The T-SQL that only SQL Server needs, as text; the golden file tests/golden/mssql.sql shows all of it."""

from __future__ import annotations

from collections.abc import Sequence

from connections.mssql_catalogue import quoted
from model.names import TableName

NOW = "SELECT CAST(SYSUTCDATETIME() AS datetime2(6))"


def _literal(text: str) -> str:
    return "N'" + text.replace("'", "''") + "'"


def create_schema(schema: str) -> str:
    """To run in the schema's database."""
    create = _literal(f"CREATE SCHEMA {quoted(schema)}")
    return f"IF SCHEMA_ID({_literal(schema)}) IS NULL EXEC ({create})"


def create_sequence(schema: str, name: str, create: str) -> str:
    """To run in the sequence's database."""
    found = _literal(f"{quoted(schema)}.{quoted(name)}")
    return f"IF OBJECT_ID({found}, N'SO') IS NULL EXEC ({_literal(create)})"


def create_table(name: str, create: str) -> str:
    """CREATE TABLE where it is missing; `name` is quoted and names its database."""
    return f"IF OBJECT_ID({_literal(name)}, N'U') IS NULL {create.strip()}"


def one_active_index(name: TableName, table: str, key: str, flag: str) -> str:
    """The proof of at most one active version a key."""
    index = f"ux_{name.table}_one_active"
    return _index(name, table, index, f"({quoted(key)}) WHERE {quoted(flag)} = 1")


def current_index(name: TableName, table: str, key: str, read_back: Sequence[str], flag: str) -> str:
    """The index over the current rows that hashes are read back from, without a look at the table itself."""
    included = ", ".join(map(quoted, read_back))
    return _index(name, table, f"ux_{name.table}_current", f"({quoted(key)}) INCLUDE ({included}) WHERE {quoted(flag)} = 1")


def _index(name: TableName, table: str, index: str, definition: str) -> str:
    return (
        f"IF NOT EXISTS (SELECT 1 FROM {quoted(name.database)}.sys.indexes "  # noqa: S608 - quoted names
        f"WHERE object_id = OBJECT_ID({_literal(table)}, N'U') AND name = {_literal(index)}) "
        f"CREATE UNIQUE INDEX {quoted(index)} ON {table} {definition}"
    )


def disabled_indexes(name: TableName, table: str) -> str:
    """Which indexes of a table are disabled."""
    return (
        f"SELECT name FROM {quoted(name.database)}.sys.indexes "  # noqa: S608 - quoted names
        f"WHERE object_id = OBJECT_ID({_literal(table)}, N'U') AND is_disabled = 1 ORDER BY index_id"
    )


def rebuild_index(table: str, index: str) -> str:
    """Enable a disabled index again."""
    return f"ALTER INDEX {quoted(index)} ON {table} REBUILD"
