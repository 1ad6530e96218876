"""The plan of a schema change, applied: each statement finishes what an earlier, broken-off run may have left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import sqlalchemy as sa

from connections.target import Rebuilt, Target
from data_load.schema_utils import typed
from model.names import TableName
from model.warehouse import WarehouseTable
from schema.evolution import LayerPlan, Widened, framed, indexes_in_the_way
from schema.table_creator import create_bronze, create_stage

LOG = logging.getLogger("udm.schema")
Attempts = Callable[[str, Callable[[], None]], None]
"""Runs what is named until it is done, or raises what stopped it; it may be run again after it was."""


def _once(what: str, change: Callable[[], None]) -> None:
    del what
    change()


def apply_evolution(
    target: Target, tables: WarehouseTable, plans: tuple[LayerPlan, LayerPlan], attempts: Attempts = _once
) -> None:
    """Create, extend and widen both layers, Stage first."""
    for plan, create in zip(plans, (create_stage, create_bronze), strict=True):
        if plan.create or plan.added:
            target.create_schema(plan.name.database, plan.name.schema)
            with target.engine.begin() as connection:
                if plan.create:
                    create(target, connection, tables)
                for column in plan.added:
                    connection.execute(target.add_column(plan.name, *typed(target, [column])))
        for wider in plan.widened:
            attempts(f"altering column {wider.column!r} of {plan.name}", partial(alter_column, target, plan.name, wider))


def alter_column(target: Target, name: TableName, wider: Widened) -> None:
    """One transaction a column, so that a lock is held no longer than it must be, and no index is left out where one fails."""
    find = partial(indexes_in_the_way, target, name=name, wider=wider)
    alter(target, name, f"column {wider.column!r} of {name}", [target.alter_type(name, wider.column, wider.wanted)], find)


def alter(
    target: Target,
    name: TableName,
    what: str,
    statements: Sequence[str],
    find: Callable[[sa.Connection], Sequence[Rebuilt]],
) -> None:
    """Run statements in one transaction; the indexes in the way, which `find` finds, go before and come back as they were."""
    database = name.database
    with target.engine.begin() as connection, target.impatient(connection):
        indexes = find(connection)
        if not (indexes and target.drops_indexes_apart):
            _run(target, connection, database, framed(statements, indexes))
            return
    for index in indexes:
        LOG.info("an index stands in the way of %s; it comes back by: %s", what, index.create)
    with target.engine.begin() as connection:
        _run(target, connection, database, [index.drop for index in indexes])
    try:
        with target.engine.begin() as connection:
            _run(target, connection, database, framed(statements, indexes)[len(indexes) :])
    except BaseException:
        with target.engine.begin() as connection:
            _run(target, connection, database, [index.create for index in indexes])
        raise


def _run(target: Target, connection: sa.Connection, database: str, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(target.ddl(database, statement))
