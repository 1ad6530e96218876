"""Another key for a history: new key hashes for all rows of Stage and Bronze, from their stored values, without losing a version.

Rows are changed in batches, so the work may end at any moment and is taken up where it ended, by what the rows themselves hold.
Names do not enter a key hash: the new hash of one row may be the old one of another. So all rows first get a hash that is
neither (`passing`: of the new key and a word beside it), and only when no old one is left the new one. No two keys are ever
taken for one in between, and the unique indexes stay. Current rows get their row hash under the new layout with it; closed
versions keep theirs, and all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

import polars as pl
import sqlalchemy as sa

from connections.target import Session, Target
from data_load.bulk_engines import Scratch, load
from data_load.schema_utils import create_table, drop_table, typed
from model import system_columns as sc
from model.conform import conform
from model.names import TableName
from model.row_hash import HashLayout, hash_expressions
from model.types import TEXT, Column, ColumnType, Kind, integer
from model.warehouse import WarehouseTable

ROWS = 500_000
_HASH = ColumnType(kind=Kind.BINARY, length=16)
NEW_KEY, NEW_ROW = "_new_key_hash", "_new_row_hash"
_NEW = (Column(name=NEW_KEY, type=_HASH), Column(name=NEW_ROW, type=_HASH))
_ALWAYS = (Column(name=sc.KEY_HASH, type=_HASH), Column(name=sc.CDC_OPERATION, type=replace(TEXT, length=1)))
_WORD = "_passing"


class Pass(Enum):
    """The two times that every row is changed."""

    AWAY = "to hashes that are neither old nor new"
    HOME = "to the new hashes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Stage or Bronze, as a re-key sees it: which columns name one row, and the hash and the flag of its current rows."""

    name: TableName
    identity: tuple[Column, ...]
    row_hash: str
    flag: str


def layers(tables: WarehouseTable) -> tuple[Layer, Layer]:
    """Stage, whose rows have no number of their own but differ by key, batch and operation; and Bronze."""
    identity = (*_ALWAYS, Column(name=sc.CDC_BATCH_ID, type=integer(64)))
    stage = Layer(name=tables.stage, identity=identity, row_hash=sc.ROW_HASH, flag=sc.CDC_IS_CURRENT)
    number = (Column(name=sc.SCD2_KEY, type=integer(64)),)
    return stage, Layer(name=tables.bronze, identity=number, row_hash=sc.BRONZE_HASH, flag=sc.ACTIVE)


def read_rehashed(
    target: Target, connection: sa.Connection, tables: WarehouseTable, layer: Layer, layout: HashLayout, *, current: bool
) -> Iterator[pl.DataFrame]:
    """A layer's current rows, or the others: their identity, key hash and layout, and the hashes that they are to have.

    `_new_key_hash` is the new one, `_passing` the one on the way; `_new_row_hash` is given for current rows.
    """
    names = list(dict.fromkeys((*(column.name for column in layer.identity), sc.KEY_HASH, sc.HASH_LAYOUT)))
    conditions = [sa.column(layer.flag) == (sa.true() if current else sa.false())]
    passing = HashLayout(keys=((_WORD, Kind.TEXT), *layout.keys), values=())
    for beside, values in read_values(target, connection, tables, layer, names, conditions, current=current):
        new = values.with_columns(pl.lit("re-keyed").alias(_WORD)).select(
            *new_hashes(layout, current=current), hash_expressions(passing)[0].alias(_WORD), null_key(layout)
        )
        yield beside.hstack(new)


def read_values(
    target: Target,
    connection: sa.Connection,
    tables: WarehouseTable,
    layer: Layer,
    names: Sequence[str],
    conditions: Sequence[sa.ColumnElement[bool]],
    *,
    current: bool,
    most: int | None = None,
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Of the rows of a layer that meet all conditions (over bare columns), `most`: what they hold in `names`, and their values.

    The values are the source's columns in its types (NULL where the layer has no such column), or those of the key alone where
    the rows are not `current`: what their hashes are made of.
    """
    wanted = tables.columns if current else tuple(column for column in tables.columns if column.name in tables.keys)
    held = {column.name: column for column in target.columns_of(connection, layer.name)}
    there = [column for column in wanted if column.name in held]
    absent = [pl.lit(None, dtype=column.type.dtype).alias(column.name) for column in wanted if column.name not in held]
    stored = target.table(layer.name, names)
    query = (
        sa.select(*(stored.c[name] for name in names), *(target.travelling(held[column.name]) for column in there))
        .select_from(stored)
        .where(*conditions)
        .limit(most)
    )
    for frame in target.read(connection, query, ROWS):
        yield frame.select(names), conform(str(tables), frame, there).with_columns(absent)


def new_hashes(layout: HashLayout, *, current: bool) -> list[pl.Expr]:
    """The hashes that rows are to have, from their values; the row hash of current ones alone."""
    key, row = hash_expressions(layout)
    return [key.alias(NEW_KEY), *([row.alias(NEW_ROW)] if current else [])]


def null_key(layout: HashLayout) -> pl.Expr:
    """Whether a row has a NULL in its key."""
    return pl.any_horizontal(pl.col(name).is_null() for name in layout.key_names).alias("null_key")


def left_to_do(frame: pl.DataFrame, layout_id: int, which: Pass, *, current: bool) -> pl.DataFrame:
    """Of rows that `read_rehashed` gave those that a pass has not changed yet; `_new_key_hash` is what it gives them."""
    key = pl.col(sc.KEY_HASH)
    if which is Pass.HOME:
        return frame.filter(key == pl.col(_WORD))
    done = (key == pl.col(_WORD)) | (key == pl.col(NEW_KEY))
    if current:
        done &= pl.col(sc.HASH_LAYOUT) == layout_id
    return frame.filter(~done).with_columns(pl.col(_WORD).alias(NEW_KEY))


def collisions(frames: Iterable[pl.DataFrame]) -> tuple[int, int, int]:
    """Of current rows: how many there are, how many have a NULL in the new key, and how many share it with another."""
    keys, nulls = [pl.Series(dtype=pl.Binary)], 0
    for frame in frames:
        nulls += int(frame.get_column("null_key").sum())
        keys.append(frame.get_column(NEW_KEY))
    whole = pl.concat(keys)
    return len(whole), nulls, len(whole) - whole.n_unique()


def write_hashes(
    target: Target,
    session: Session,
    tables: WarehouseTable,
    layer: Layer,
    frame: pl.DataFrame,
    layout_id: int,
    scratch: Scratch,
    *,
    current: bool,
) -> None:
    """Give the rows of a frame that `left_to_do` gave their hashes, in one transaction."""
    stage_hashes(target, tables, layer, frame, scratch, current=current)
    with session.begin() as connection:
        connection.execute(rekey_statement(target, tables, layer, layout_id, current=current))


def stage_hashes(
    target: Target, tables: WarehouseTable, layer: Layer, frame: pl.DataFrame, scratch: Scratch, *, current: bool
) -> None:
    """Load the hashes of a frame, and which rows they are of, into the staging table."""
    # As in every staging table there is a key hash and an operation, which the target may want counted.
    names = {column.name: column for column in (*layer.identity, *_ALWAYS, *_NEW[: 1 + current])}
    columns = tuple(names.values())
    with target.engine.begin() as connection:
        drop_table(target, connection, tables.staging)
        create_table(target, connection, tables.staging, typed(target, columns), target.staging_storage)
    sent = frame if sc.CDC_OPERATION in frame.columns else frame.with_columns(pl.lit("U").alias(sc.CDC_OPERATION))
    sent = sent.select(column.name for column in columns)
    load(target, tables.staging, columns, [sent], sent.height, scratch)


def rekey_statement(
    target: Target,
    tables: WarehouseTable,
    layer: Layer,
    layout_id: int,
    *,
    current: bool,
    others: Mapping[str, sa.ColumnElement[object]] = MappingProxyType({}),
) -> sa.Update:
    """The hashes of the staging table, to the rows that they are of; and what `others` gives them beside."""
    names = [column.name for column in layer.identity]
    stored = target.table(layer.name, dict.fromkeys((*names, sc.KEY_HASH, layer.row_hash, sc.HASH_LAYOUT, *others)))
    given = target.table(tables.staging, (*names, NEW_KEY, NEW_ROW))
    values: dict[str, sa.ColumnElement[object]] = {sc.KEY_HASH: given.c[NEW_KEY], **others}
    if current:
        values |= {layer.row_hash: given.c[NEW_ROW], sc.HASH_LAYOUT: sa.literal(layout_id, sa.BigInteger)}
    return sa.update(stored).values(values).where(*(stored.c[name] == given.c[name] for name in names))


def exact_cast(before: ColumnType, after: ColumnType) -> bool:
    """Whether values of a key column may be converted inside the target when its kind changes: each stays what it says."""
    if (before.kind, after.kind) == (Kind.INTEGER, Kind.DECIMAL):
        return after.precision - after.scale >= len(str(2**before.bits))
    return (before.kind, after.kind) in {(Kind.INTEGER, Kind.TEXT), (Kind.DATE, Kind.TIMESTAMP)}


def key_conversions(
    target: Target, tables: WarehouseTable, held: Sequence[Column]
) -> tuple[list[tuple[Column, Column]], list[tuple[Column, Column]]]:
    """Pairs of a stored key column and what it is to be, where their types differ: those that can be altered, and the others."""
    stored = {column.name: column for column in held}
    pairs = [(stored[c.name], c) for c in tables.columns if c.name in tables.keys and c.name in stored]
    differing = [(one, other) for one, other in pairs if one.source_type != target.type_text(other.type)]
    possible = [pair for pair in differing if target.widening(*(pair[0], pair[1].type)) or exact_cast(pair[0].type, pair[1].type)]
    return possible, [pair for pair in differing if pair not in possible]
