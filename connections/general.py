"""Create what is missing of the control and ops tables and of the promotion markers; what is there is only added to."""

from __future__ import annotations

import sqlalchemy as sa

from connections.target import Target
from model import control, ops
from model.names import TableName


def create_missing(target: Target) -> None:
    """Schemas, tables, columns and sequences that Stage, Bronze and General lack. One transaction a database."""
    layers = (target.databases.stage, target.databases.bronze)
    wanted = {target.databases.general: (control.CONTROL, ops.OPS), **dict.fromkeys(layers, (ops.MARKERS,))}
    if any(any(_lacking(target, database, definitions)) for database, definitions in wanted.items()):
        with target.creating():
            for database, definitions in wanted.items():
                _create(target, database, *definitions)


def _lacking(
    target: Target, database: str, definitions: tuple[sa.MetaData, ...]
) -> tuple[list[sa.Table], list[tuple[sa.Table, sa.Column[object]]]]:
    """The tables that a database lacks, and the columns that its tables lack."""
    tables = [table for metadata in definitions for table in metadata.sorted_tables]
    with target.engine.connect() as connection:
        held = target.catalogue(connection, database)
    missing = [table for table in tables if _folded(table) not in held]
    lacking = [
        (table, column)
        for table in tables
        for column in table.columns
        if _folded(table) in held and column.name.casefold() not in held[_folded(table)]
    ]
    return missing, lacking


def _create(target: Target, database: str, *definitions: sa.MetaData) -> None:
    missing, lacking = _lacking(target, database, definitions)
    if not missing and not lacking:
        return
    for schema in sorted({table.schema or "" for table in missing}):
        target.create_schema(database, schema)
    with target.engine.begin() as connection:
        if ops.OPS in definitions:
            for sequence in (ops.BATCH_SEQUENCE, ops.LAYOUT_SEQUENCE):
                target.create_sequence(connection, database, sequence)
        for table in missing:
            target.create_table(connection, target.own(table, database))
        for table, column in lacking:
            name = TableName(database=database, schema=table.schema or "", table=table.name)
            connection.execute(target.add_column(name, _nullable(column)))


def _folded(table: sa.Table) -> tuple[str, str]:
    # Users may spell their control tables in another case, which most targets take for the same name.
    return (table.schema or "").casefold(), table.name.casefold()


def _nullable(column: sa.Column[object]) -> sa.Column[object]:
    return sa.Column(column.name, column.type, nullable=True)
