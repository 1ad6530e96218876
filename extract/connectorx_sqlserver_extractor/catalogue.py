"""What a SQL Server source's catalogue says of a table: where it lies, its columns and key, and how it is read consistently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connections.mssql_catalogue import COLUMNS, in_full, quoted
from extract.connectorx_sqlserver_extractor.rules import rule_of, spelled
from extract.extractor import SourceDescription, SourceTable, narrowest_key
from model.errors import SourceTableMissing, UnsupportedType
from model.names import TableName
from model.types import Column

DATABASE = "SELECT DB_NAME()"
# Tables and views; of a synonym the parts of its base object's name. A name without a schema is looked up as the login would.
FIND = (
    "SELECT s.name, o.name, o.type, PARSENAME(y.base_object_name, 4), PARSENAME(y.base_object_name, 3), "
    "PARSENAME(y.base_object_name, 2), PARSENAME(y.base_object_name, 1) "
    "FROM {database}.sys.objects AS o JOIN {database}.sys.schemas AS s ON s.schema_id = o.schema_id "
    "LEFT JOIN {database}.sys.synonyms AS y ON y.object_id = o.object_id "
    "WHERE o.object_id = OBJECT_ID(:name) AND o.type IN ('U', 'V', 'SN')"
)
# SQLAlchemy's inspector tells neither disabled indexes nor those of another database's tables.
KEYS = (
    "SELECT i.index_id, i.is_primary_key, c.name FROM {database}.sys.indexes AS i "
    "JOIN {database}.sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id "
    "JOIN {database}.sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id "
    "WHERE i.object_id = OBJECT_ID(:name) AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 "
    "AND i.is_hypothetical = 0 AND k.is_included_column = 0 AND k.key_ordinal > 0 ORDER BY i.index_id, k.key_ordinal"
)
# All columns of a columnstore are led to: its segments know their ends.
LED_TO_BY = (
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM {database}.sys.indexes AS i "
    "JOIN {database}.sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id "
    "JOIN {database}.sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id "
    "WHERE i.object_id = o.object_id AND i.has_filter = 0 AND i.is_disabled = 0 AND i.is_hypothetical = 0 AND c.name = :column "
    "AND (k.key_ordinal = 1 OR k.partition_ordinal = 1 OR i.type IN (5, 6))) THEN 1 ELSE 0 END "
    "FROM {database}.sys.objects AS o WHERE o.object_id = OBJECT_ID(:name) AND o.type = 'U'"
)
VERSIONS = (
    "SELECT snapshot_isolation_state, is_read_committed_snapshot_on, CAST(DATABASEPROPERTYEX(name, 'Updateability') AS "
    "nvarchar(60)) FROM sys.databases WHERE name = :database"
)
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT"
READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
_ON = 1  # states 2 and 3 are on their way to another, and refuse new snapshots or may


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The statement that sets it, and whether what one statement reads under it is one state of the table."""

    statement: str
    consistent: bool


def find(connection: sa.Connection, table: SourceTable) -> TableName:
    """The table or view that a name means, through a synonym where it is one.

    Raises:
        SourceTableMissing: there is none that the login can see, or it lies on another server.
    """
    database: str = connection.execute(sa.text(DATABASE)).scalar_one()
    wanted = ".".join(quoted(part) for part in (table.schema, table.table) if part)
    found = _lookup(connection, database, wanted)
    if found and found[2].strip() == "SN":
        server, base_database, schema, name = found[3:]
        if server:
            raise SourceTableMissing(
                f"{table}: the synonym {wanted} stands for a table of another server.",
                remedy="Declare that server as a source of its own.",
            )
        database = base_database or database
        base = f"{quoted(database)}.{quoted(schema) if schema else ''}.{quoted(name)}"
        found = _lookup(connection, database, base)
        wanted = f"{wanted} (a synonym for {base})"
    if not found or found[2].strip() == "SN":
        raise missing(table, f"the database {database} has no table or view {wanted}, or its login may not see it")
    return TableName(database=database, schema=found[0], table=found[1])


def _lookup(connection: sa.Connection, database: str, name: str) -> tuple[str, str, str, str, str, str, str] | None:
    row = connection.execute(sa.text(FIND.format(database=quoted(database))), {"name": name}).one_or_none()
    return None if row is None else tuple(row)


def missing(table: SourceTable, what: str) -> SourceTableMissing:
    """The error of a table that is not there, or may not be read."""
    return SourceTableMissing(
        f"{table}: {what}.",
        remedy="Correct SourceDatabase, SourceSchemaName and SourceObjectName in UdmTablesList, or grant SELECT on it to the"
        f" login of UDM_SOURCE_{table.source}.",
    )


def read_description(connection: sa.Connection, table: SourceTable, place: TableName) -> SourceDescription:
    """Columns and key.

    Raises:
        SourceTableMissing: the login may see no column.
        UnsupportedType: a column that no exact route carries.
    """
    query = sa.text(COLUMNS.format(database=quoted(place.database)))
    rows = connection.execute(query, {"schema": place.schema, "table": place.table}).all()
    if not rows:
        raise missing(table, f"the login may see no column of {in_full(place)}")
    columns = tuple(_column(table, *row) for row in rows)
    return SourceDescription(columns=columns, key=_key(connection, place, columns))


def _column(table: SourceTable, name: str, kind: str, nullable: str, *sizes: int | None) -> Column:
    declared = spelled(kind, *sizes)
    rule = rule_of(declared)
    if rule is None:
        raise UnsupportedType(
            f"{table}: column {name!r} has the type {declared}, which no exact route carries.",
            remedy="Load a view that casts the column to text, for instance with CAST(… AS nvarchar(max)) or .ToString().",
        )
    return Column(name=name, type=rule.type, nullable=nullable == "YES", source_type=declared)


def _key(connection: sa.Connection, place: TableName, columns: Sequence[Column]) -> tuple[str, ...]:
    """The primary key, else the narrowest unique index on NOT NULL columns."""
    rows = connection.execute(sa.text(KEYS.format(database=quoted(place.database))), {"name": in_full(place)}).all()
    spelling = {column.name.casefold(): column.name for column in columns} | {column.name: column.name for column in columns}
    indexes: dict[tuple[int, bool], list[str]] = {}
    for index, primary, name in rows:
        indexes.setdefault((index, bool(primary)), []).append(spelling.get(name, spelling.get(name.casefold(), name)))
    required = {column.name for column in columns if not column.nullable}
    unique = [tuple(names) for names in indexes.values() if set(names) <= required]
    primaries = [tuple(names) for (_, primary), names in indexes.items() if primary]
    return primaries[0] if primaries else narrowest_key(unique)


def read_led_to_by(connection: sa.Connection, place: TableName, column: Column) -> bool | None:
    """Whether an index leads with a column; None of a view."""
    query = sa.text(LED_TO_BY.format(database=quoted(place.database)))
    found = connection.execute(query, {"name": in_full(place), "column": column.name}).scalar_one_or_none()
    return None if found is None else bool(found)


def read_isolation(connection: sa.Connection, place: TableName) -> Isolation:
    """Under which isolation a statement reads the table, by what its database is set to."""
    row = connection.execute(sa.text(VERSIONS), {"database": place.database}).one_or_none()
    return isolation_of(*(row or (0, False, "")))


def isolation_of(snapshot_state: int, read_committed_snapshot: object, updateability: str | None) -> Isolation:
    """No locks are held under either; one state is seen where the database keeps row versions, or nobody writes to it."""
    if snapshot_state == _ON:
        return Isolation(statement=SNAPSHOT, consistent=True)
    return Isolation(statement=READ_COMMITTED, consistent=bool(read_committed_snapshot) or updateability == "READ_ONLY")
