"""The hash layouts of a table, found or made in General.ops.HashLayout."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from connections.target import Target
from data_load.markers import rows_of
from model.errors import SchemaEvolutionError
from model.ops import HASH_LAYOUT, LAYOUT_SEQUENCE
from model.row_hash import HashLayout
from model.warehouse import WarehouseTable
from schema.column_sync import TableKey

LOG = logging.getLogger("udm.hash_layouts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """The layout that this run hashes under, its id, and all that the table ever had."""

    id: int
    layout: HashLayout
    known: dict[int, HashLayout]
    catalogue_keys: frozenset[frozenset[str]] = frozenset()
    """The keys that the source's catalogue gave when layouts were stored; a layout's own key where that was not recorded."""

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
    layouts = read_layouts(target, tables, layout)
    if len({other.keys for identity, other in layouts.known.items() if identity}) > 1:
        raise SchemaEvolutionError(
            f"{tables}: its history was about to get another key, and that has not come to its end.",
            remedy=f"Finish it: python main_small_tables.py --rekey {tables} --yes",
        )
    for other in (other for identity, other in layouts.known.items() if identity):
        if other.keys != layout.keys:
            raise SchemaEvolutionError(
                f"{tables}: the key is now {_spelled(layout)}, but the history was loaded with {_spelled(other)}.",
                remedy=f"Set IsPrimaryKey in UdmTablesColumnsList as it was. Or give the history the new key: {_hint(tables)}",
            )
        if other.key_masks != layout.key_masks:
            changed = sorted({mask.column for mask in {*other.key_masks} ^ {*layout.key_masks}})
            raise SchemaEvolutionError(
                f"{tables}: the key column {', '.join(changed)} is masked in another way, or under another mask key, than in the "
                "history: no row of the source would be found there.",
                remedy="Set MaskWith and UDM_MASK_KEY as they were, or load the table under another StageTableName and "
                "BronzeTableName.",
            )
    return layouts


def read_layouts(target: Target, tables: WarehouseTable, layout: HashLayout) -> Layouts:
    """All layouts that a table ever had, and which of them this one is; 0 where it is new."""
    stored = target.own(HASH_LAYOUT)
    query = sa.select(stored.c.LayoutId, stored.c.Definition, stored.c.CatalogueKey).where(*rows_of(stored, tables))
    with target.engine.connect() as connection:
        rows = connection.execute(query.order_by(stored.c.LayoutId)).all()
    known = {row.LayoutId: HashLayout.from_json(row.Definition) for row in rows}
    found = next((identity for identity, other in known.items() if other == layout), 0)
    recorded = frozenset(
        frozenset(json.loads(row.CatalogueKey) if row.CatalogueKey else known[row.LayoutId].key_names) for row in rows
    )
    return Layouts(id=found, layout=layout, known={**known, found: layout}, catalogue_keys=recorded)


def check_key(tables: WarehouseTable, layouts: Layouts, key: TableKey, general: str) -> None:
    """Notice a key that has changed at the source; one that people set is theirs to change.

    UdmTablesColumnsList still names the key that the catalogue gave once: where that is one recorded with the layouts, the
    catalogue is asked again.

    Raises:
        SchemaEvolutionError: naming both keys and the two ways on.
    """
    if is_catalogues(layouts, key) and key.catalogue and set(key.catalogue) != set(key.columns):
        raise SchemaEvolutionError(
            f"{tables}: the source's key is now {', '.join(key.catalogue)}, but the history was loaded with "
            f"{', '.join(key.columns)}, which was its key before.",
            remedy=f"Give the history the new key: {_hint(tables)} Or keep the old one as your own: UPDATE {general}.dbo."  # noqa: S608 - a hint for people, run by nobody
            f"UdmTablesColumnsList SET Layer = NULL WHERE SourceName = '{tables.source}' AND TableName = '{tables.table}' AND "
            "IsPrimaryKey = 1.",
        )


def is_catalogues(layouts: Layouts, key: TableKey) -> bool:
    """Whether the key that UdmTablesColumnsList names came from the source's catalogue, of this run or of an earlier one."""
    return not key.is_users and frozenset(key.columns) in layouts.catalogue_keys


def _hint(tables: WarehouseTable) -> str:
    """How to give a history another key."""
    return f"python main_small_tables.py --rekey {tables} shows what that does, and --yes does it."


def register_layout(target: Target, tables: WarehouseTable, layout: HashLayout, batch: int, catalogue: Sequence[str]) -> int:
    """Store a new layout, with the key that the source's catalogue gives, and return its id."""
    with target.engine.begin() as connection:
        identity = target.draw(connection, LAYOUT_SEQUENCE)
        connection.execute(
            sa.insert(target.own(HASH_LAYOUT)).values(
                LayoutId=identity,
                SourceName=tables.source,
                TableName=tables.table,
                Definition=layout.to_json(),
                CatalogueKey=json.dumps(sorted(catalogue), ensure_ascii=False) if catalogue else None,
                CreatedBatchId=batch,
                CreatedAt=target.now(connection),
            )
        )
    return identity


def rewrite_keys(target: Target, tables: WarehouseTable, layouts: Layouts) -> None:
    """Say of all older layouts that their rows have this layout's key now; what their row hashes cover stays."""
    stored = target.own(HASH_LAYOUT)
    with target.engine.begin() as connection:
        for identity, other in layouts.known.items():
            if identity != layouts.id and other.keys != layouts.layout.keys:
                of_layout = (*rows_of(stored, tables), stored.c.LayoutId == identity)
                text = replace(other, keys=layouts.layout.keys).to_json()
                connection.execute(sa.update(stored).values(Definition=text).where(*of_layout))


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
