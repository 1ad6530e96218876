"""The mask keys of the settings, and what a table can and cannot be hashed under with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from cdc.hashing import FrameHashing
from config import Settings
from model.errors import MissingMaskKey
from model.masking import ColumnMask, MaskKey
from model.row_hash import Comparing, HashLayout, how_compared, layout_of
from model.warehouse import WarehouseTable
from orchestration.hash_layouts import Layouts
from schema.column_rules import ColumnRules

LOG = logging.getLogger("udm.masking")


def layout_for(settings: Settings, tables: WarehouseTable, rules: ColumnRules) -> HashLayout:
    """The layout that a table is hashed under.

    Raises:
        MissingMaskKey: a column is masked, and there is no key.
    """
    return layout_of(rules.columns, tables.keys, _masks(settings, tables, rules), rules.excluded)


def _masks(settings: Settings, tables: WarehouseTable, rules: ColumnRules) -> list[ColumnMask]:
    if not rules.masks:
        return []
    if settings.mask_key is None:
        raise MissingMaskKey(
            f"{tables}: column {', '.join(name for name, _ in rules.masks)} is to be masked, and there is no mask key.",
            remedy="Set UDM_MASK_KEY or UDM_MASK_KEY_FILE (see .env.example), and keep the key: history is compared by it.",
        )
    fingerprint = settings.mask_key.fingerprint
    return [ColumnMask(column=name, method=method, key=fingerprint) for name, method in rules.masks]


def hashing_for(settings: Settings, rules: ColumnRules, layout: HashLayout, *, first: bool) -> FrameHashing:
    """What hashes the table's frames; `first`: nothing of it is current yet."""
    return FrameHashing(columns=rules.columns, layout=layout, keys=_keys(settings), first=first)


def _keys(settings: Settings) -> dict[str, MaskKey]:
    return {key.fingerprint: key for key in (settings.mask_key, settings.mask_key_previous) if key is not None}


def incomparable(
    settings: Settings, tables: WarehouseTable, layouts: Layouts, older: Mapping[int, HashLayout], *, force: bool
) -> frozenset[int]:
    """The `older` layouts of current rows that nothing can be compared with.

    Raises:
        MissingMaskKey: current rows were hashed under a key that is not at hand; with `force` they count as changed instead.
    """
    keys = _keys(settings)
    names = set(tables.names)
    never = {i for i, layout in older.items() if how_compared(layout, layouts.layout, names) is Comparing.NEVER}
    lost = {i for i, layout in older.items() if i not in never and _unknown(layout, keys)}
    if lost and not force:
        columns = sorted({name for identity in lost for name in _unknown(older[identity], keys)})
        raise MissingMaskKey(
            f"{tables}: current rows were loaded with column {', '.join(columns)} masked under a key that is not at hand, "
            "so it cannot be told which of them have changed.",
            remedy="Set UDM_MASK_KEY_PREVIOUS (or UDM_MASK_KEY_PREVIOUS_FILE) to that key. If it is lost: --force takes each of "
            "these rows as updated, once.",
        )
    if lost | never:
        LOG.warning(
            "%s: rows hashed under layout %s cannot be compared any more; each counts as updated, once",
            tables,
            ", ".join(map(str, sorted(lost | never))),
        )
    return frozenset(lost | never)


def _unknown(layout: HashLayout, keys: Mapping[str, MaskKey]) -> list[str]:
    """The columns that were hashed under a key that is not at hand."""
    return [mask.column for mask in layout.hashed_masks if mask.key not in keys]
