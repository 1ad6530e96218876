"""The hash layouts of a table, found or made in General.ops.HashLayout."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import sqlalchemy as sa

from connections.target import Target
from data_load.markers import rows_of
from model.errors import SchemaEvolutionError
from model.ops import HASH_LAYOUT, LAYOUT_SEQUENCE
from model.row_hash import HashLayout
from model.warehouse import WarehouseTable

LOG = logging.getLogger("udm.hash_layouts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """The layout that this run hashes under, its id, and all that the table ever had."""

    id: int
    layout: HashLayout
    known: dict[int, HashLayout]

    @property
    def columns_before(self) -> frozenset[str]:
        """The columns of the newest layout before this one; none where there is none."""
        newest = max((identity for identity in self.known if identity != self.id), default=None)
        if newest is None:
            return frozenset()
        return frozenset((*self.known[newest].key_names, *self.known[newest].value_names, *self.known[newest].excluded))


def find_layout(target: Target, tables: WarehouseTable, layout: HashLayout) -> Layouts:
    """The layout's id, or 0 where it is new; nothing is written.

    Raises:
        SchemaEvolutionError: the key is made of other columns, of other types, or under another mask or mask key than the stored
            hashes.
    """
    stored = target.own(HASH_LAYOUT)
    query = sa.select(stored.c.LayoutId, stored.c.Definition).where(*rows_of(stored, tables))
    with target.engine.connect() as connection:
        known = {row.LayoutId: HashLayout.from_json(row.Definition) for row in connection.execute(query)}
    for other in known.values():
        if other.keys != layout.keys:
            raise SchemaEvolutionError(
                f"{tables}: the key is now {_spelled(layout)}, but the history was loaded with {_spelled(other)}.",
                remedy="A key cannot change under a history: restore it, or load the table under another "
                "StageTableName and BronzeTableName.",
            )
        if other.key_masks != layout.key_masks:
            changed = sorted({mask.column for mask in {*other.key_masks} ^ {*layout.key_masks}})
            raise SchemaEvolutionError(
                f"{tables}: the key column {', '.join(changed)} is masked in another way, or under another mask key, than in the "
                "history: no row of the source would be found there.",
                remedy="Set MaskWith and UDM_MASK_KEY as they were, or load the table under another StageTableName and "
                "BronzeTableName.",
            )
    found = next((identity for identity, other in known.items() if other == layout), 0)
    return Layouts(id=found, layout=layout, known={**known, found: layout})


def register_layout(target: Target, tables: WarehouseTable, layout: HashLayout, batch: int) -> int:
    """Store a new layout and return its id."""
    with target.engine.begin() as connection:
        identity = target.draw(connection, LAYOUT_SEQUENCE)
        connection.execute(
            sa.insert(target.own(HASH_LAYOUT)).values(
                LayoutId=identity,
                SourceName=tables.source,
                TableName=tables.table,
                Definition=layout.to_json(),
                CreatedBatchId=batch,
                CreatedAt=target.now(connection),
            )
        )
    return identity


def warn_of_clear_history(tables: WarehouseTable, layouts: Layouts) -> None:
    """Say, when a mask is new, that the versions from before it stay as they are: closed versions never change."""
    masked = {mask.column for mask in layouts.layout.masks}
    for other in layouts.known.values():
        held = {*other.key_names, *other.value_names, *other.excluded} - {mask.column for mask in other.masks}
        if clear := sorted(masked & held):
            LOG.warning(
                "%s: column %s is masked from now on; versions loaded before hold it in clear in Stage and Bronze, the current "
                "ones until they change: overwrite it there by hand where it must go",
                tables,
                ", ".join(clear),
            )
            return


def _spelled(layout: HashLayout) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in layout.keys)
