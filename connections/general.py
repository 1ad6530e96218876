"""Create what is missing of the control and ops tables and of the promotion markers; what is there is only added to."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.schema import CreateSequence, CreateTable

from connections.target import Target
from model import control, ops
from model.names import TableName


def create_missing(target: Target) -> None:
    """Schemas, tables, columns and sequences that Stage, Bronze and General lack. One transaction a database."""
    general = target.databases.general
    _create(target, general, control.CONTROL, ops.OPS)
    for database in (target.databases.stage, target.databases.bronze):
        _create(target, database, ops.MARKERS)


def _create(target: Target, database: str, *definitions: sa.MetaData) -> None:
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
    if not missing and not lacking:
        return
    for schema in sorted({table.schema or "" for table in missing}):
        target.create_schema(database, schema)
    with target.engine.begin() as connection:
        if ops.OPS in definitions:
            for sequence in (ops.BATCH_SEQUENCE, ops.LAYOUT_SEQUENCE):
                here = sa.Sequence(sequence.name, schema=target.schema(database, ops.SCHEMA))
                connection.execute(CreateSequence(here, if_not_exists=True))
        for table in missing:
            connection.execute(CreateTable(target.own(table, database)))
        for table, column in lacking:
            name = TableName(database=database, schema=table.schema or "", table=table.name)
            connection.execute(target.add_column(name, _nullable(column)))


def _folded(table: sa.Table) -> tuple[str, str]:
    # Users may spell their control tables in another case, which most targets take for the same name.
    return (table.schema or "").casefold(), table.name.casefold()


def _nullable(column: sa.Column[object]) -> sa.Column[object]:
    return sa.Column(column.name, column.type, nullable=True)
