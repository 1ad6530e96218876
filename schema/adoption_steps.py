"""The steps of a takeover: columns and numbers first, then the hashes of all rows in batches, each of which can be the last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import sqlalchemy as sa

from connections.target import Rebuilt, Session, Target
from data_load.bulk_engines import Scratch
from model import system_columns as sc
from model.errors import IntegrityError
from model.names import TableName
from model.row_hash import HashLayout
from model.warehouse import WarehouseTable
from model.widening import Widening
from schema.adoption import BRONZE_TYPES, STAGE_TYPES, Takeover
from schema.altering import alter, alter_column
from schema.evolution import Widened
from schema.rekey import NEW_KEY, Layer, new_hashes, read_values, rekey_statement, stage_hashes


def apply_takeover(target: Target, takeover: Takeover) -> None:
    """Bring a layer to its columns: what is renamed, then NULL allowed, then what is added, then types, a column at a time."""
    name, now = takeover.layer.name, dict(takeover.renamed)
    renames = [target.rename_column(name, before, after) for before, after in takeover.renamed]
    _alter(target, name, renames, now if target.drops_indexes_apart else ())
    nullable = [replace(column, name=now.get(column.name, column.name)) for column in takeover.nullable]
    _alter(target, name, [target.allow_null(name, column) for column in nullable], [column.name for column in nullable])
    with target.engine.begin() as connection:
        for column in _system_columns(target, takeover.added):
            connection.execute(target.add_column(name, column))
    for one in takeover.conversions:
        held, after = one.held, target.type_text(one.wanted)
        alter_column(
            target, name, Widened(column=held.name, before=held.source_type, wanted=one.wanted, after=after, how=Widening.REWRITE)
        )


def _alter(target: Target, name: TableName, statements: Sequence[str], columns: Iterable[str]) -> None:
    """`columns` are those whose indexes stand in the way."""

    def find(connection: sa.Connection) -> list[Rebuilt]:
        found = (index for column in columns for index in target.indexes_over(connection, name, column))
        return list({index.drop: index for index in found}.values())

    if statements:
        alter(target, name, f"{len(statements)} changes of {name}", statements, find)


def _system_columns(target: Target, names: Sequence[str]) -> list[sa.Column[Any]]:
    types = {**STAGE_TYPES, **BRONZE_TYPES}
    kinds = ((name, types[name]) for name in names)
    return [sa.Column(name, target.hash_type() if kind is None else target.sql_type(kind)) for name, kind in kinds]


def number_rows(target: Target, takeover: Takeover) -> None:
    """Number a layer's rows, where they are not yet; all or none of them."""
    name = takeover.layer.name
    if takeover.number is not None:
        with target.engine.begin() as connection:
            for statement in target.number_rows(name, takeover.number):
                connection.execute(target.ddl(name.database, statement))


def number_on(target: Target, bronze: TableName) -> None:
    """Let Bronze's `_scd2_key` number itself from its greatest value on, where a predecessor numbered it by hand."""
    with target.engine.begin() as connection:
        stored = target.table(bronze, (sc.SCD2_KEY,))
        greatest: int | None = connection.execute(sa.select(sa.func.max(stored.c[sc.SCD2_KEY]))).scalar_one()
        for statement in target.number_on(connection, bronze, sc.SCD2_KEY, (greatest or 0) + 1):
            connection.execute(target.ddl(bronze.database, statement))


def end_takeover(target: Target, stage: TableName) -> None:
    """Drop the numbers that Stage's rows had: from now on runs load the table."""
    statement = f"ALTER TABLE {target.quoted(stage)} DROP COLUMN {target.quoted_column(sc.ADOPTING)}"
    _alter(target, stage, [statement], (sc.ADOPTING,))


def read_unhashed(
    target: Target, connection: sa.Connection, tables: WarehouseTable, layer: Layer, layout: HashLayout, most: int, *,
    current: bool,
) -> pl.DataFrame:  # fmt: skip
    """Up to `most` rows of a layer that have no key hash: their number and the hashes that they are to have.

    Either current ones, with their row hash; or any, with the key hash alone: current ones are done before.
    """
    number = layer.identity[0].name
    conditions = [sa.column(sc.KEY_HASH).is_(None), *([sa.column(layer.flag) == sa.true()] if current else [])]
    frames = read_values(target, connection, tables, layer, (number,), conditions, current=current, most=most)
    hashed = [beside.hstack(values.select(*new_hashes(layout, current=current))) for beside, values in frames]
    return pl.concat(hashed) if hashed else pl.DataFrame()


def write_adopted(
    target: Target, session: Session, tables: WarehouseTable, layer: Layer, frame: pl.DataFrame, layout_id: int, scratch: Scratch,
    *, current: bool,
) -> None:  # fmt: skip
    """Give the rows of a frame that `read_unhashed` gave their hashes, in one transaction.

    Raises:
        IntegrityError: other rows were changed than those of the frame.
    """
    stage_hashes(target, tables, layer, frame.with_columns(pl.col(NEW_KEY).alias(sc.KEY_HASH)), scratch, current=current)
    with session.begin() as connection:
        changed = connection.execute(adoption_statement(target, tables, layer, layout_id, current=current)).rowcount
        if changed not in {frame.height, -1}:
            raise IntegrityError(
                f"{tables}: {changed} rows of {layer.name} were about to get the hashes of {frame.height}.",
                remedy=f"Nothing of it was done. Is {layer.identity[0].name!r} changed by somebody else? Give the command again.",
            )


def adoption_statement(target: Target, tables: WarehouseTable, layer: Layer, layout_id: int, *, current: bool) -> sa.Update:
    """The hashes of the staging table, to the rows that they are of, with their layout; batch 0 for rows that name none."""
    batch = sc.CDC_BATCH_ID if layer.row_hash == sc.ROW_HASH else sc.BATCH_ID
    others: dict[str, sa.ColumnElement[object]] = {
        sc.HASH_LAYOUT: sa.literal(layout_id, sa.BigInteger),
        batch: sa.func.coalesce(sa.column(batch), sa.literal_column("0")),
    }
    return rekey_statement(target, tables, layer, layout_id, current=current, others=others)
