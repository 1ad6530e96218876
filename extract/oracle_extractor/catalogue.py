"""Where a table is, its columns and its key, from Oracle's catalogue.

By queries of our own: SQLAlchemy's inspector drops the digits of TIMESTAMP(n) and the owner of a type, and folds names to lower
case. ALL_ views show what the login may read, so no grant is needed for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from extract.extractor import SourceDescription, SourceTable, narrowest_key
from extract.oracle_extractor.statement import OracleTable, route_of
from model.errors import SourceTableMissing, UnsupportedName
from model.types import Column

CURRENT_SCHEMA = "SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM dual"
# Not hidden columns, but virtual ones; of a view its own.
COLUMNS = """
    SELECT column_name, data_type, data_type_owner, data_length, data_precision, data_scale, char_length, nullable
    FROM all_tab_columns WHERE owner = :owner AND table_name = :name ORDER BY column_id"""
SYNONYM = """
    SELECT table_owner, table_name, db_link FROM all_synonyms WHERE owner = :owner AND synonym_name = :name"""
# A primary key that is not enforced is still what its owners call the key; rows that break it are quarantined.
CONSTRAINTS = """
    SELECT c.constraint_type, c.constraint_name, k.column_name
    FROM all_constraints c JOIN all_cons_columns k ON k.owner = c.owner AND k.constraint_name = c.constraint_name
    WHERE c.owner = :owner AND c.table_name = :name AND (c.constraint_type = 'P'
        OR c.constraint_type = 'U' AND c.status = 'ENABLED' AND c.validated = 'VALIDATED')
    ORDER BY c.constraint_name, k.position"""
# An index over an expression, a descending one among them, is FUNCTION-BASED.
UNIQUE_INDEXES = """
    SELECT 'I', i.owner || '.' || i.index_name, k.column_name
    FROM all_indexes i JOIN all_ind_columns k ON k.index_owner = i.owner AND k.index_name = i.index_name
    WHERE i.table_owner = :owner AND i.table_name = :name AND i.uniqueness = 'UNIQUE' AND i.status <> 'UNUSABLE'
        AND i.index_type IN ('NORMAL', 'NORMAL/REV')
    ORDER BY i.owner, i.index_name, k.column_position"""
# Of tables, not of views. Partitions by the column are as good as an index by it.
LED_TO_BY = """
    SELECT 'T' FROM all_tables WHERE owner = :owner AND table_name = :name
    UNION ALL
    SELECT 'I' FROM all_indexes i JOIN all_ind_columns k ON k.index_owner = i.owner AND k.index_name = i.index_name
    WHERE i.table_owner = :owner AND i.table_name = :name AND i.status <> 'UNUSABLE'
        AND k.column_position = 1 AND k.column_name = :led_by
    UNION ALL
    SELECT 'P' FROM all_part_key_columns
    WHERE owner = :owner AND name = :name AND object_type = 'TABLE' AND column_position = 1 AND column_name = :led_by"""
_LONGEST_CHAIN = 16
_PUBLIC = "PUBLIC"
_CHARACTERS = {"CHAR", "NCHAR", "VARCHAR2", "NVARCHAR2"}
_BYTES = {"RAW", "UROWID"}

Row = tuple[object, ...]


class Catalogue(Protocol):
    """Reads the rows of one of this module's queries."""

    def __call__(self, query: str, **binds: str) -> Sequence[Row]:
        """All rows, in their order."""
        ...


def find_table(rows: Catalogue, table: SourceTable) -> OracleTable:
    """The table or view that a name stands for: spelled as given, else in capitals; synonyms are followed.

    Raises:
        SourceTableMissing: no such table, or the login may not see it.
        UnsupportedName: it lies behind a database link.
    """
    [(current,)] = rows(CURRENT_SCHEMA)
    for owner, name in _spellings(table.schema or str(current), table.table):
        if found := _followed(rows, table, OracleTable(owner=owner, name=name), public=table.schema is None):
            return found
    raise SourceTableMissing(
        f"{table}: the source has no table, view or synonym {table.schema or current}.{table.table}, or hides it.",
        remedy="Correct SourceSchemaName and SourceObjectName in UdmTablesList, or GRANT SELECT on it to the login of"
        f" UDM_SOURCE_{table.source}.",
    )


def _spellings(owner: str, name: str) -> Iterator[tuple[str, str]]:
    yield from dict.fromkeys((o, n) for o in (owner, owner.upper()) for n in (name, name.upper()))


def _followed(rows: Catalogue, table: SourceTable, start: OracleTable, *, public: bool) -> OracleTable | None:
    at = start
    for _ in range(_LONGEST_CHAIN):
        if rows(COLUMNS, owner=at.owner, name=at.name):
            return at
        owners = (at.owner, _PUBLIC) if public and at == start else (at.owner,)
        synonym = next((found for owner in owners for found in rows(SYNONYM, owner=owner, name=at.name)), None)
        if synonym is None:
            return None
        owner, name, link = synonym
        if link is not None:
            raise UnsupportedName(
                f"{table}: the synonym {at.owner}.{at.name} leads to another database ({name} over the link {link}).",
                remedy="Declare that database as a source of its own, or load a materialized view.",
            )
        at = OracleTable(owner=str(owner), name=str(name))
    return None


def read_description(rows: Catalogue, table: SourceTable, placed: OracleTable) -> SourceDescription:
    """Columns in their order, and the key.

    Raises:
        UnsupportedType: a column that no exact route carries.
    """
    columns = tuple(_column(table, row) for row in rows(COLUMNS, owner=placed.owner, name=placed.name))
    described = [row for query in (CONSTRAINTS, UNIQUE_INDEXES) for row in rows(query, owner=placed.owner, name=placed.name)]
    return SourceDescription(columns=columns, key=_key(described, columns))


def read_led_to_by(rows: Catalogue, placed: OracleTable, column: Column) -> bool | None:
    """Whether an index or the partitions lead with a column; None of a view."""
    found = {str(kind) for (kind,) in rows(LED_TO_BY, owner=placed.owner, name=placed.name, led_by=column.name)}
    return bool(found & {"I", "P"}) if "T" in found else None


def _column(table: SourceTable, row: Row) -> Column:
    name, data_type, owner, length, precision, scale, characters, nullable = row
    declared = declared_type(str(data_type), owner, length, precision, scale, characters)
    route = route_of(table, str(name), declared)
    return Column(name=str(name), type=route.type, nullable=nullable != "N", source_type=declared)


def declared_type(data_type: str, owner: object, length: object, precision: object, scale: object, characters: object) -> str:
    """A column's type in one line, which `oracle_route` reads; a type of the users' own has its owner before it."""
    if owner is not None and data_type != "XMLTYPE":
        return f"{owner}.{data_type}"
    size = length if data_type in _BYTES else characters if data_type in _CHARACTERS else None
    if data_type == "FLOAT":
        size = precision
    if data_type == "NUMBER" and not (precision is None and scale is None):
        size = f"{'*' if precision is None else precision},{scale or 0}"
    return data_type if size is None else f"{data_type}({size})"


def _key(described: Iterable[Row], columns: Sequence[Column]) -> tuple[str, ...]:
    keys: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, name, column in described:
        keys[str(kind), str(name)].append(str(column))
    primary = next((tuple(names) for (kind, _), names in keys.items() if kind == "P"), None)
    required = {column.name for column in columns if not column.nullable}
    return primary or narrowest_key([tuple(names) for names in keys.values() if set(names) <= required])
