"""Schema evolution: a plan from the source's columns and the target's, then its application.

A new column is added to both layers. A vanished column is kept: its open versions keep their last value, later ones hold NULL.
A type that changed is an error for now (TODO.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connections.target import Target
from data_load.schema_utils import typed
from model import system_columns as sc
from model.errors import IntegrityError, SchemaEvolutionError
from model.names import TableName
from model.types import Column
from model.warehouse import WarehouseTable
from schema.table_creator import create_bronze, create_stage


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """What one layer's table needs: creation, or new columns; `vanished` are its columns that the source has no more."""

    name: TableName
    create: bool
    added: tuple[Column, ...]
    vanished: tuple[str, ...]


def plan_layer(
    target: Target, table: str, name: TableName, source: Sequence[Column], held: Sequence[Column], system: Sequence[str]
) -> LayerPlan:
    """Compare the source's columns with those that the target's catalogue gives (`held`, empty where there is no table).

    Raises:
        SchemaEvolutionError: the table is not one of ours, or a column changed its type, or its name in case only.
    """
    if not held:
        return LayerPlan(name=name, create=True, added=(), vanished=())
    by_name = {column.name: column for column in held}
    lacking = [column for column in system if column not in by_name]
    if lacking:
        raise SchemaEvolutionError(
            f"{table}: {name} exists, but lacks the pipeline's columns {', '.join(lacking)}.",
            remedy="It was made by something else: rename it, or set StageTableName or BronzeTableName to another name.",
        )
    spelled = {column.name.casefold(): column.name for column in held}
    for column in source:
        stored = spelled.get(column.name.casefold(), column.name)
        if stored != column.name:
            raise SchemaEvolutionError(
                f"{table}: the source spells column {stored!r} as {column.name!r} now, and {name} takes the two for one.",
                remedy="Load a view that gives the column its old name.",
            )
        other = by_name.get(column.name)
        wanted = target.type_text(column.type)
        if other is not None and other.source_type != wanted and column.mask:
            raise SchemaEvolutionError(
                f"{table}: column {column.name!r} is masked with {column.mask} now and would be stored as {wanted}, "
                f"but {name} holds it as {other.source_type}, loaded in clear or under another mask.",
                remedy="Rename that column in Stage and in Bronze, and overwrite or drop what it holds: this one is then added "
                "anew, and a row has it from its next version on. Or load the table under another StageTableName and "
                "BronzeTableName, and drop the old ones.",
            )
        if other is not None and other.source_type != wanted:
            raise SchemaEvolutionError(
                f"{table}: column {column.name!r} is now {column.source_type or column.type} at the source ({wanted} here), "
                f"but {name} holds it as {other.source_type}.",
                remedy="Rename the column in a view and load that, or convert the target's column by hand.",
            )
    names = {column.name for column in source}
    return LayerPlan(
        name=name,
        create=False,
        added=tuple(column for column in source if column.name not in by_name),
        vanished=tuple(column.name for column in held if column.name not in names and column.name not in system),
    )


def plan_evolution(target: Target, connection: sa.Connection, tables: WarehouseTable) -> tuple[LayerPlan, LayerPlan]:
    """The plans for Stage and Bronze."""
    stage, bronze = (
        plan_layer(target, str(tables), name, tables.columns, target.columns_of(connection, name), system)
        for name, system in ((tables.stage, sc.STAGE_SYSTEM), (tables.bronze, sc.BRONZE_SYSTEM))
    )
    return stage, bronze


def check_layers_agree(
    target: Target, connection: sa.Connection, tables: WarehouseTable, plans: tuple[LayerPlan, LayerPlan]
) -> None:
    """Refuse to create one layer beside another that holds rows: its history would be missing, or begin anew, in silence.

    Raises:
        IntegrityError: naming the missing table and the one that holds rows.
    """
    missing = [plan for plan in plans if plan.create]
    if len(missing) != 1:
        return
    present = next(plan for plan in plans if not plan.create)
    rows = target.table(present.name, (sc.KEY_HASH,))
    if connection.execute(sa.select(rows.c[sc.KEY_HASH]).limit(1)).first() is not None:
        raise IntegrityError(
            f"{tables}: {missing[0].name} does not exist, but {present.name} holds rows.",
            remedy=f"Restore {missing[0].name}, or rename {present.name} too and load the table anew.",
        )


def apply_evolution(target: Target, tables: WarehouseTable, plans: tuple[LayerPlan, LayerPlan]) -> None:
    """Create or extend both layers; each statement finishes what an earlier, broken-off run may have left."""
    for plan, create in zip(plans, (create_stage, create_bronze), strict=True):
        if not (plan.create or plan.added):
            continue
        target.create_schema(plan.name.database, plan.name.schema)
        with target.engine.begin() as connection:
            if plan.create:
                create(target, connection, tables)
            for column in plan.added:
                connection.execute(target.add_column(plan.name, *typed(target, [column])))
