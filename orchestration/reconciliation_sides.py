"""What a reconciliation compares: the frames of source, Stage and Bronze, each in the form that the layers hold them in.

Which of a table's rows take part is the `Portion`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
import sqlalchemy as sa

from cdc.hashing import FrameHashing
from cdc.reconciliation.rows import Layer
from cdc.reconciliation.segments import KEY_LIES, KEY_STORED, ROW_LIES, ROWS, SEGMENT, ranges
from connections.target import Target
from data_load.chunks import within
from extract.extractor import ValueSum
from model import system_columns as sc
from model.chunks import KeyRange
from model.conform import conform
from model.masking import ColumnMask, MaskMethod
from model.names import TableName
from model.row_hash import HashLayout, as_integer, integer_hashes, layout_of
from model.types import Column
from model.warehouse import WarehouseTable
from orchestration.extraction import Described
from orchestration.masking import hashing_for
from orchestration.reconciliation_portion import Portion
from orchestration.run_context import RunContext

STAGED_HASH = f"{sc.ROW_HASH} staged"
"""Of a source's row: its row hash (UInt128) under the layout that it would be loaded under."""
_ROWS = 100_000
_MOST_RANGES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A table's three sides. `layout` covers what is `compared`; `unshown` says of the other columns why they are not."""

    described: Described
    layout: HashLayout
    hashing: FrameHashing = field(repr=False)
    excluded: tuple[str, ...]
    unshown: Mapping[str, str]
    held: Mapping[Layer, Mapping[str, Column]]

    @property
    def tables(self) -> WarehouseTable:
        """The table's names and its columns as they are stored."""
        return self.described.tables

    @property
    def masked_key(self) -> bool:
        """Whether what is stored of a key says nothing that its source could be asked by."""
        return bool(self.described.layouts.layout.key_masks)

    @property
    def compared(self) -> tuple[str, ...]:
        """The names of the columns whose values are compared, the key's among them, in their order."""
        return tuple(sorted((*self.layout.key_names, *self.layout.value_names)))

    def summed(self) -> list[Column] | None:
        """These columns of the source, where it and a layer can be compared by sums of their values as they are."""
        at_source = {column.name: column for column in self.described.rules.columns}
        here = all(name in at_source and name in self.held[Layer.STAGE] for name in self.compared)
        return [at_source[name] for name in self.compared] if here and not self.described.rules.masks else None

    def source_rows(self, frame: pl.DataFrame, *, staged: bool = False) -> tuple[pl.DataFrame, int]:
        """A frame of the source with its hashes, and how many rows with a NULL in the key are left out of it."""
        clear = conform(str(self.tables), frame, self.described.rules.columns)
        masked = self.hashing.hash(clear) if self.described.layouts.layout.masks else None
        values = clear if masked is None else masked.frame.select(self.tables.names)
        rows = values.with_columns(integer_hashes(self.layout))
        if staged:
            under = integer_hashes(self.described.layouts.layout)[1]
            series = clear.select(under).to_series() if masked is None else masked.hashes.get_column(sc.ROW_HASH)
            rows = rows.with_columns(series.alias(STAGED_HASH))
        whole = rows.drop_nulls(self.tables.keys)
        return whole, rows.height - whole.height

    def layer_rows(self, layer: Layer, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame that `read_layer` gave, with the hashes of its values, and whether its stored ones are others."""
        held = self.held[layer]
        there = [column for column in self.tables.columns if column.name in held]
        absent = [pl.lit(None, dtype=c.type.dtype).alias(c.name) for c in self.tables.columns if c.name not in held]
        values = conform(str(self.tables), frame, there).with_columns(absent).select(self.tables.names)
        hashes = values.select(integer_hashes(self.layout))
        stored_key, stored_row = frame.select(as_integer(pl.col(sc.KEY_HASH)), as_integer(pl.col(sc.ROW_HASH))).get_columns()
        lies = self._row_lies(values, hashes.get_column(sc.ROW_HASH), stored_row, frame.get_column(sc.HASH_LAYOUT))
        key_lies = (hashes.get_column(sc.KEY_HASH) != stored_key).alias(KEY_LIES)
        return values.hstack(hashes).with_columns(key_lies, lies.alias(ROW_LIES), stored_key.alias(KEY_STORED))

    def empty_source(self) -> pl.DataFrame:
        """No row, in the columns of `source_rows`."""
        schema = {column.name: column.type.dtype for column in self.described.rules.columns}
        return self.source_rows(pl.DataFrame(schema=schema), staged=True)[0]

    def empty_layer(self) -> pl.DataFrame:
        """No row, in the columns of `layer_rows`."""
        hashes = dict.fromkeys((sc.KEY_HASH, sc.ROW_HASH), pl.UInt128)
        told = {KEY_LIES: pl.Boolean, ROW_LIES: pl.Boolean, KEY_STORED: pl.UInt128}
        return pl.DataFrame(schema={**{column.name: column.type.dtype for column in self.tables.columns}, **hashes, **told})

    def _row_lies(self, values: pl.DataFrame, ours: pl.Series, stored: pl.Series, layouts: pl.Series) -> pl.Series:
        """Whether stored row hashes are not those of the values beside them; False where the values cannot tell."""
        lies = pl.repeat(value=False, n=values.height, dtype=pl.Boolean, eager=True)
        for identity in layouts.unique().to_list():
            layout = self.described.layouts.known.get(identity)
            if layout is None:
                lies |= layouts == identity
            elif self._can_rehash(layout):
                same = layout.value_names == self.layout.value_names
                expected = ours if same else values.select(integer_hashes(layout)[1]).to_series()
                lies |= (layouts == identity) & (expected != stored)
        return lies

    def _can_rehash(self, layout: HashLayout) -> bool:
        return set(layout.value_names) <= set(self.tables.names) and all(mask.method.keeps_token for mask in layout.masks)


def sides_of(run: RunContext, described: Described) -> Sides:
    """Find out what can be compared, from the masks, the exclusions and what the layers hold."""
    tables, rules = described.tables, described.rules
    with run.target.engine.connect() as connection:
        held = {layer: {c.name: c for c in run.target.columns_of(connection, name_of(tables, layer))} for layer in Layer}
        used = {identity for layer in Layer if held[layer] for identity in _layouts_in_use(run.target, connection, tables, layer)}
    older = [layout for identity, layout in described.layouts.known.items() if identity in used]
    remasked = _remasked(described.layouts.layout, older)
    unshown = dict.fromkeys(rules.excluded, "excluded from the hash")
    unshown |= {name: "masked" for name, method in rules.masks if method is MaskMethod.NULL}
    unshown |= dict.fromkeys(remasked, "rows hold it under another mask")
    unshown |= dict.fromkeys(described.plans[0].vanished, "vanished at the source")
    left_out = [name for name in unshown if name in tables.names]
    layout = layout_of(tables.columns, tables.keys, excluded=left_out)
    return Sides(
        described=described,
        layout=layout,
        hashing=hashing_for(run.settings, rules, described.layouts.layout, first=False),
        excluded=tuple(name for name in rules.excluded if name not in remasked),
        unshown=unshown,
        held=held,
    )


def _layouts_in_use(target: Target, connection: sa.Connection, tables: WarehouseTable, layer: Layer) -> list[int]:
    stored = target.table(name_of(tables, layer), (sc.HASH_LAYOUT, FLAG[layer]))
    query = sa.select(stored.c[sc.HASH_LAYOUT]).where(stored.c[FLAG[layer]] == sa.true()).distinct()
    return list(connection.execute(query).scalars())


def _remasked(now: HashLayout, older: Sequence[HashLayout]) -> set[str]:
    """Columns that some current rows hold under another mask, or another key of it, than rows are loaded with now."""

    def masks(layout: HashLayout) -> set[ColumnMask]:
        return set(layout.masks)

    return {mask.column for layout in older for mask in masks(now) ^ masks(layout)}


def name_of(tables: WarehouseTable, layer: Layer) -> TableName:
    """A layer's table."""
    return tables.stage if layer is Layer.STAGE else tables.bronze


def read_layer(
    target: Target,
    connection: sa.Connection,
    sides: Sides,
    layer: Layer,
    portion: Portion,
    segments: pl.Series | None = None,
) -> Iterator[pl.DataFrame]:
    """Stream a layer's current rows as they are stored: key hash, row hash, layout, the source's columns.

    `portion` says which rows are wanted and `segments`, where given, which segments of the key hash; others may come too.
    """
    held = sides.held[layer]
    system = (sc.KEY_HASH, _HASH[layer], sc.HASH_LAYOUT, FLAG[layer])
    table = target.table(name_of(sides.tables, layer), (*held, *(name for name in system if name not in held)))
    columns = [target.travelling(held[name]) for name in sides.tables.names if name in held]
    hashes = (table.c[sc.KEY_HASH], table.c[_HASH[layer]].label(sc.ROW_HASH), table.c[sc.HASH_LAYOUT])
    query = sa.select(*hashes, *(column for column in columns)).select_from(table)
    query = query.where(table.c[FLAG[layer]] == sa.true(), *portion.conditions(table))
    wanted = [] if segments is None else ranges(segments)
    if 0 < len(wanted) <= _MOST_RANGES:
        parts = (KeyRange(lower=lower, upper=upper) for lower, upper in wanted)
        query = query.where(sa.or_(*(sa.and_(*within(target, table.c[sc.KEY_HASH], part)) for part in parts)))
    yield from target.read_many(connection, query, _ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSums:
    """What a target makes of a layer's values: `by_segment` for layers to be compared by, `values` for the source to be."""

    by_segment: pl.DataFrame
    values: ValueSum


def read_value_sums(target: Target, sides: Sides, layer: Layer, portion: Portion) -> ValueSums | None:
    """The sums of a layer's rows; None where the target has none, or the layers hold other columns, or in other types."""
    stage, bronze = ({name: c.source_type for name, c in sides.held[one].items() if name in sides.tables.names} for one in Layer)
    if stage != bronze or (portion.date is not None and portion.date.margin):
        return None
    held = sides.held[layer]
    system = (sc.KEY_HASH, _HASH[layer], sc.HASH_LAYOUT)
    table = target.table(name_of(sides.tables, layer), (*sides.tables.names, *system, FLAG[layer]))
    compared = [name for name in sides.compared if name in held]
    values = [(held[name], target.travelling(held[name])) for name in compared]
    rest = [table.c[name] for name in (*sorted(stage.keys() - set(compared)), *system)]
    conditions = (table.c[FLAG[layer]] == sa.true(), *portion.conditions(table))
    query = target.value_sums(table, conditions, table.c[sc.KEY_HASH], values, rest)
    if query is None:
        return None
    with target.engine.connect() as connection:
        rows = connection.execute(query).all()
    frame = pl.DataFrame(
        [(segment, count, str(total)) for segment, count, total, _ in rows],
        schema={SEGMENT: pl.UInt32, ROWS: pl.Int64, "total": pl.String},
        orient="row",
    )
    values_of_all = ValueSum(rows=sum(row[1] for row in rows), total=sum(int(row[3]) for row in rows))
    return ValueSums(by_segment=frame, values=values_of_all)


FLAG = {Layer.STAGE: sc.CDC_IS_CURRENT, Layer.BRONZE: sc.ACTIVE}
"""The column that tells a layer's current rows."""
_HASH = {Layer.STAGE: sc.ROW_HASH, Layer.BRONZE: sc.BRONZE_HASH}
