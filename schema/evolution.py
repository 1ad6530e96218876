"""Schema evolution: a plan from the source's columns and the target's, then its application.

A new column is added to both layers. A vanished column is kept: its open versions keep their last value, later ones hold NULL.
A column that is wider now is altered: in place where the target has it as a change of metadata, below ALTER_MAX_ROWS where it
rewrites the rows. Whatever else changed is a decision, and so an error of that table. Each layer is planned by what it holds, so
that a run which ended between the two leaves to the next one what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connections.target import Rebuilt, Target
from model import system_columns as sc
from model.errors import IntegrityError, SchemaEvolutionError
from model.masking import MaskMethod
from model.names import TableName
from model.types import Column, ColumnType
from model.warehouse import WarehouseTable
from model.widening import Widening, widens
from schema.ownership import check_ours, check_spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Widened:
    """A stored column of the type `before`, as the target spells it, that needs the wider type `wanted`, spelled `after`."""

    column: str
    before: str
    wanted: ColumnType
    after: str
    how: Widening


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """What one layer's table needs: creation, or new and wider columns; `gone` are its columns that the source has no more."""

    name: TableName
    create: bool = False
    added: tuple[Column, ...] = ()
    widened: tuple[Widened, ...] = ()
    gone: tuple[Column, ...] = ()

    @property
    def vanished(self) -> tuple[str, ...]:
        """The names of the columns that the source has no more."""
        return tuple(column.name for column in self.gone)

    def steps(self, target: Target) -> Iterator[str]:
        """What will be done, a line each."""
        if self.create:
            yield f"create {self.name}"
        for column in self.added:
            yield f"add column {column.name!r} ({target.type_text(column.type)}) to {self.name}"
        for wider in self.widened:
            yield f"alter column {wider.column!r} of {self.name} from {wider.before} to {wider.after} ({wider.how})"


def plan_layer(
    target: Target,
    table: str,
    name: TableName,
    source: Sequence[Column],
    held: Sequence[Column],
    system: Sequence[str],
    keys: Collection[str] = (),
) -> LayerPlan:
    """Compare the source's columns with those that the target's catalogue gives (`held`, empty where there is no table).

    Raises:
        SchemaEvolutionError: the table is not one of ours, or a column changed its type other than to a wider one, or its name in
            case only.
    """
    if not held:
        return LayerPlan(name=name, create=True)
    check_ours(target, table, name, source, held, system)
    check_spelling(table, name, source, held)
    by_name = {column.name: column for column in held}
    known = [(column, by_name[column.name]) for column in source if column.name in by_name]
    names = {column.name for column in source}
    return LayerPlan(
        name=name,
        added=tuple(column for column in source if column.name not in by_name),
        widened=tuple(
            _widened(target, table, name, column, other, in_key=column.name in keys)
            for column, other in known
            if target.type_text(column.type) != other.source_type
        ),
        gone=tuple(column for column in held if column.name not in {*names, *system, *sc.BEFORE.values()}),
    )


def _widened(target: Target, table: str, name: TableName, column: Column, held: Column, *, in_key: bool) -> Widened:
    wanted = target.type_text(column.type)
    # Under this mask alone the type is still the source's own.
    if column.mask and column.mask != MaskMethod.NULL:
        raise SchemaEvolutionError(
            f"{table}: column {column.name!r} is masked with {column.mask} now and would be stored as {wanted}, "
            f"but {name} holds it as {held.source_type}, loaded in clear or under another mask.",
            remedy="Rename that column in Stage and in Bronze, and overwrite or drop what it holds: this one is then added "
            "anew, and a row has it from its next version on. Or load the table under another StageTableName and "
            "BronzeTableName, and drop the old ones.",
        )
    how = target.widening(held, column.type)
    if how is None:
        narrower = column.type.kind is held.type.kind and widens(column.type, held.type)
        key = f" It is part of the key: python main_small_tables.py --rekey {table} shows what can be done." if in_key else ""
        raise SchemaEvolutionError(
            f"{table}: column {column.name!r} is now {column.source_type or column.type} at the source ({wanted} here), "
            f"but {name} holds it as {held.source_type}, which is {'wider' if narrower else 'another type'}.",
            remedy=f"Load a view that casts the column to {'its old type' if narrower else 'its old type, or renames it'}, "
            f"or convert the column in Stage and Bronze by hand: a type is never narrowed or exchanged without a person.{key}",
        )
    return Widened(column=column.name, before=held.source_type, wanted=column.type, after=wanted, how=how)


def plan_evolution(
    target: Target, connection: sa.Connection, tables: WarehouseTable, alter_max_rows: int
) -> tuple[LayerPlan, LayerPlan]:
    """The plans for Stage and Bronze.

    Raises:
        SchemaEvolutionError: a change needs a decision, or would rewrite a table of more than `alter_max_rows` rows.
    """
    stage, bronze = (
        plan_layer(target, str(tables), name, tables.columns, target.columns_of(connection, name), system, tables.keys)
        for name, system in ((tables.stage, sc.STAGE_SYSTEM), (tables.bronze, sc.BRONZE_SYSTEM))
    )
    _check_rewrites(target, connection, tables, (stage, bronze), alter_max_rows)
    return stage, bronze


def _check_rewrites(
    target: Target, connection: sa.Connection, tables: WarehouseTable, plans: Sequence[LayerPlan], most: int
) -> None:
    rewritten = [plan for plan in plans if any(wider.how is Widening.REWRITE for wider in plan.widened)]
    large = [plan for plan in rewritten if _has_more_rows(target, connection, plan.name, most)]
    if not large:
        return
    script = [
        text
        for plan in large
        for wider in plan.widened
        for text in script_of(target, plan.name, wider, indexes_in_the_way(target, connection, name=plan.name, wider=wider))
    ]
    steps = [step for plan in large for step in plan.steps(target) if step.startswith("alter")]
    raise SchemaEvolutionError(
        f"{tables}: to {'; '.join(steps)} would rewrite more than ALTER_MAX_ROWS ({most:,}) rows.",
        remedy=f"Run this when nobody waits for the table, or raise ALTER_MAX_ROWS: {'; '.join(script)};",
    )


def _has_more_rows(target: Target, connection: sa.Connection, name: TableName, most: int) -> bool:
    some = sa.select(sa.literal_column("1").label("one")).select_from(target.table(name, ())).limit(most + 1).subquery("some")
    count: int = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    return count > most


def indexes_in_the_way(target: Target, connection: sa.Connection, *, name: TableName, wider: Widened) -> Sequence[Rebuilt]:
    """The indexes that must go before a column is altered; a change of metadata spares them."""
    return target.indexes_over(connection, name, wider.column) if wider.how is Widening.REWRITE else ()


def script_of(target: Target, name: TableName, wider: Widened, indexes: Sequence[Rebuilt]) -> list[str]:
    """The statements that give a column its wider type, as SQL text; indexes in the way go first, and come back as they were."""
    return framed([target.alter_type(name, wider.column, wider.wanted)], indexes)


def framed(statements: Sequence[str], indexes: Sequence[Rebuilt]) -> list[str]:
    """Statements between the dropping of the indexes in their way and their creation."""
    return [*(index.drop for index in indexes), *statements, *(index.create for index in indexes)]


def likely_renames(plan: LayerPlan, before: Collection[str]) -> list[tuple[str, str]]:
    """Pairs of a column that vanished since `before` and a new one, each the only such one of its type."""
    gone = [column for column in plan.gone if column.name in before]
    pairs = []
    for column in plan.added:
        alike = [other.name for other in gone if other.type.kind is column.type.kind and widens(other.type, column.type)]
        rivals = [other for other in plan.added if other.type.kind is column.type.kind]
        if len(alike) == 1 and len(rivals) == 1:
            pairs.append((alike[0], column.name))
    return pairs


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
