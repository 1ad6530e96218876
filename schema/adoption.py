"""What turns Stage and Bronze as a predecessor left them into ours: a plan from a layer's catalogue. `adoption_steps` applies it.

A predecessor's rows have no `_key_hash`, and row hashes of another kind. Those are renamed and kept (`system_columns.BEFORE`),
and ours added beside them. Rows are numbered while they are hashed, Stage's by `_adopting`, which goes last: until then no run
loads the table. All that is left to do can be told from the catalogue and from the rows without a `_key_hash`, so the work may
end anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connections.target import Target
from model import system_columns as sc
from model.conform import conform
from model.errors import SchemaEvolutionError, ValueNotExact
from model.types import BOOLEAN, TEXT, TIMESTAMP, Column, ColumnType, Kind, integer
from model.warehouse import WarehouseTable
from model.widening import widens
from schema.ownership import ESSENTIAL_BRONZE, ESSENTIAL_STAGE, check_spelling
from schema.rekey import ROWS, Layer, exact_cast, layers

_NUMBER = integer(64)
_TIMES = {Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
# In the order in which they are added: a layer that has a key hash has all else.
STAGE_TYPES: dict[str, ColumnType | None] = {
    sc.ROW_HASH: None,
    sc.HASH_LAYOUT: _NUMBER,
    sc.EXTRACTED_AT: TIMESTAMP,
    sc.CDC_OPERATION: TEXT,
    sc.CDC_VALID_FROM: TIMESTAMP,
    sc.CDC_VALID_TO: TIMESTAMP,
    sc.CDC_IS_CURRENT: BOOLEAN,
    sc.CDC_BATCH_ID: _NUMBER,
    sc.KEY_HASH: None,
}
"""Our columns of Stage with their types; None is a hash's."""
BRONZE_TYPES: dict[str, ColumnType | None] = {
    sc.BRONZE_HASH: None,
    sc.HASH_LAYOUT: _NUMBER,
    sc.EFFECTIVE: TIMESTAMP,
    sc.END: TIMESTAMP,
    sc.ACTIVE: BOOLEAN,
    sc.SCD2_OPERATION: TEXT,
    sc.BATCH_ID: _NUMBER,
    sc.END_BATCH_ID: _NUMBER,
    sc.KEY_HASH: None,
}
"""Those of Bronze, but for its own number."""

@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A stored column and the type that it is to have; where that is `narrower` its values have to prove that they fit."""

    held: Column
    wanted: ColumnType
    narrower: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """What one layer needs before its rows can be hashed. `lossy`: columns whose values another type could not hold exactly."""

    layer: Layer
    number: str | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    added: tuple[str, ...] = ()
    nullable: tuple[Column, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    lossy: tuple[tuple[Column, ColumnType], ...] = ()

    def steps(self, target: Target) -> Iterator[str]:
        """What will be done, a line each."""
        name = self.layer.name
        for before, after in self.renamed:
            yield f"rename column {before!r} of {name} to {after!r}: it is kept, and read by nobody"
        if self.added:
            yield f"add to {name}: {', '.join(self.added)}"
        for column in self.nullable:
            yield f"allow NULL in column {column.name!r} of {name}"
        for one in self.conversions:
            proven = "; all values fit" if one.narrower else ""
            after = target.type_text(one.wanted)
            yield f"alter column {one.held.name!r} of {name} from {one.held.source_type} to {after}{proven}"
        if self.number is not None:
            until = " until all is done" if self.number == sc.ADOPTING else ""
            yield f"number the rows of {name} in column {self.number!r}{until}"


def adopted_layers(tables: WarehouseTable) -> tuple[Layer, Layer]:
    """Stage, whose rows are numbered for the purpose, and Bronze."""
    stage, bronze = layers(tables)
    numbered = (Column(name=sc.ADOPTING, type=_NUMBER),)
    return Layer(name=stage.name, identity=numbered, row_hash=stage.row_hash, flag=stage.flag), bronze


def is_ours(held: Sequence[Column]) -> bool:
    """Whether a layer has all that ours have, and nothing of a takeover is left to do in it."""
    there = {column.name for column in held}
    system = sc.STAGE_SYSTEM if sc.CDC_IS_CURRENT in there else sc.BRONZE_SYSTEM
    return sc.ADOPTING not in there and all(name in there for name in system)


def plan_takeover(target: Target, tables: WarehouseTable, layer: Layer, held: Sequence[Column], *, numbered: bool) -> Takeover:
    """The plan of a layer; `numbered`: Bronze's `_scd2_key` tells its rows apart.

    Raises:
        SchemaEvolutionError: the table is not one that a predecessor left, or spells a column otherwise than the source.
    """
    types = STAGE_TYPES if layer.row_hash == sc.ROW_HASH else BRONZE_TYPES
    there = {column.name: column for column in held}
    lacking = [name for name in types if name in {*ESSENTIAL_STAGE, *ESSENTIAL_BRONZE} and name not in there]
    if lacking:
        raise SchemaEvolutionError(
            f"{tables}: {layer.name} {'lacks ' + ', '.join(lacking) if held else 'does not exist'}: it cannot be taken over.",
            remedy="--adopt is for both tables of a predecessor, with the dates, flags and kinds of their versions. Rename what "
            "is there, or set StageTableName and BronzeTableName to other names.",
        )
    check_spelling(str(tables), layer.name, tables.columns, held)
    number = layer.identity[0].name
    untouched = sc.KEY_HASH not in there
    renamed = [(layer.row_hash, sc.BEFORE[layer.row_hash])] if untouched and layer.row_hash in there else []
    renamed = [(name, kept) for name, kept in renamed if kept not in there]
    if number in there and not numbered:
        renamed.append((number, sc.BEFORE[number]))
    conversions, lossy = _conversions(target, tables, types, there)
    gone = {name for name, _ in renamed}
    never_null = {*tables.keys, *types, sc.SCD2_KEY, sc.ADOPTING} - gone
    return Takeover(
        layer=layer,
        number=None if number in there and number not in gone else number,
        renamed=tuple(renamed),
        added=tuple(name for name in types if name not in there or name in gone),
        nullable=tuple(column for column in held if not column.nullable and column.name not in never_null),
        conversions=conversions,
        lossy=lossy,
    )


def _conversions(
    target: Target, tables: WarehouseTable, types: dict[str, ColumnType | None], there: dict[str, Column]
) -> tuple[tuple[Conversion, ...], tuple[tuple[Column, ColumnType], ...]]:
    possible, lossy = [], []
    system = {name: kind for name, kind in types.items() if kind is not None}
    for name, wanted in {**{column.name: column.type for column in tables.columns}, **system}.items():
        held = there.get(name)
        if held is None or target.type_text(wanted) == held.source_type:
            continue
        if name in system and wanted.kind is not Kind.INTEGER and held.type.kind is wanted.kind:
            continue  # a flag, a kind or an instant, however it is spelled
        known = target.is_known_type(held)
        if known and (widens(held.type, wanted) or exact_cast(held.type, wanted)):
            possible.append(Conversion(held=held, wanted=wanted, narrower=False))
        elif known and held.type.kind is wanted.kind is not Kind.FLOAT:
            possible.append(Conversion(held=held, wanted=wanted, narrower=True))
        else:
            lossy.append((held, wanted))
    return tuple(possible), tuple(lossy)


def prove(target: Target, connection: sa.Connection, tables: WarehouseTable, layer: Layer, conversion: Conversion) -> bool:
    """Whether a narrower type holds every value that is stored, as the same value."""
    held, column = conversion.held, Column(name=conversion.held.name, type=conversion.wanted)
    stored = target.table(layer.name, (held.name,))
    if conversion.wanted.kind in _TIMES:
        # A driver would cut the digit that is asked about.
        rounded = sa.cast(stored.c[held.name], target.sql_type(conversion.wanted)) != stored.c[held.name]
        return connection.execute(sa.select(stored.c[held.name]).where(rounded).limit(1)).first() is None
    query: Any = sa.select(target.travelling(held)).select_from(stored).where(stored.c[held.name].is_not(None))
    try:
        for frame in target.read(connection, query, ROWS):
            list(target.check_values(layer.name, [column], [conform(str(tables), frame, [column])]))
    except ValueNotExact:
        return False
    return True
