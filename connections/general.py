"""Create what is missing of the control and ops tables and of the promotion markers; what is there is only added to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import sqlalchemy as sa

from connections.target import Target
from model import control, ops
from model.errors import ConfigurationError
from model.names import TableName


def create_missing(target: Target) -> None:
    """Schemas, tables, columns and sequences that Stage, Bronze and General lack. One transaction a database."""
    general = target.databases.general
    _create(target, general, control.CONTROL, ops.OPS)
    for database in (target.databases.stage, target.databases.bronze):
        _create(target, database, ops.MARKERS)


def _create(target: Target, database: str, *definitions: sa.MetaData) -> None:
    tables = [table for metadata in definitions for table in metadata.sorted_tables]
    if not any(_lacking(target, database, tables)):
        return
    # Two first runs may both come here: the one that waits finds everything there.
    with target.creating():
        missing, lacking = _lacking(target, database, tables)
        for schema in sorted({table.schema or "" for table in missing}):
            target.create_schema(database, schema)
        with target.engine.begin() as connection:
            if ops.OPS in definitions:
                for sequence in (ops.BATCH_SEQUENCE, ops.LAYOUT_SEQUENCE):
                    target.create_sequence(connection, database, sequence)
            for table in missing:
                target.create_table(connection, database, target.own(table, database))
            for table, column in lacking:
                name = TableName(database=database, schema=table.schema or "", table=table.name)
                connection.execute(target.add_column(name, _nullable(column)))


def _lacking(
    target: Target, database: str, tables: Sequence[sa.Table]
) -> tuple[list[sa.Table], list[tuple[sa.Table, sa.Column[object]]]]:
    """The tables that are not there, and the columns that those which are there lack."""
    with target.engine.connect() as connection:
        held = target.catalogue(connection, database)
    if target.compares_case:
        _refuse_other_spellings(database, tables, held)
    folded: Callable[[str], str] = str if target.compares_case else str.casefold
    keys = {table: (folded(table.schema or ""), folded(table.name)) for table in tables}
    missing = [table for table in tables if keys[table] not in held]
    lacking = [
        (table, column)
        for table in tables
        for column in table.columns
        if keys[table] in held and folded(column.name) not in held[keys[table]]
    ]
    return missing, lacking


def _refuse_other_spellings(database: str, tables: Sequence[sa.Table], held: Mapping[tuple[str, str], set[str]]) -> None:
    """Where names that differ in case are two, a table or column spelled otherwise would be passed over in silence."""
    wanted = {((table.schema or "").casefold(), table.name.casefold()): table for table in tables}
    for (schema, name), columns in held.items():
        table = wanted.get((schema.casefold(), name.casefold()))
        if table is None:
            continue
        ours = {schema: table.schema or "", name: table.name, **_spellings(table, columns)}
        for theirs, spelled in ours.items():
            if theirs != spelled:
                raise ConfigurationError(
                    f"{database}.{schema}.{name}: {theirs!r} is not {spelled!r}: names differ by case here.",
                    remedy=f'Rename it: ALTER … RENAME {theirs} TO "{spelled}".',
                )


def _spellings(table: sa.Table, held: Iterable[str]) -> dict[str, str]:
    ours = {column.name.casefold(): column.name for column in table.columns}
    there = set(held)
    return {name: ours[name.casefold()] for name in there if name.casefold() in ours and ours[name.casefold()] not in there}


def _nullable(column: sa.Column[object]) -> sa.Column[object]:
    return sa.Column(column.name, column.type, nullable=True)
