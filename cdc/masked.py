"""Frames of a table with masked columns: hashed by their tokens, and left with masked values only. Pure polars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from cdc.diff import HashedFrame, hash_frame
from model.masking import ColumnMask, MaskKey, shown, token
from model.row_hash import HashLayout
from model.types import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedHashing:
    """How frames of `columns`, in clear and in their canonical types, are hashed.

    `older` are the layouts that current rows carry beside the table's own; rows of those in `incomparable` count as changed.
    `keys` are the mask keys by fingerprint: those of the layout and of every older one that is not in `incomparable`.
    """

    columns: Sequence[Column]
    layout_id: int
    layout: HashLayout
    older: Mapping[int, HashLayout]
    incomparable: frozenset[int]
    keys: Mapping[str, MaskKey] = field(repr=False)

    def __call__(self, clear: pl.DataFrame) -> HashedFrame:
        """Hash a frame; the one that goes on holds what is stored of masked columns."""
        ours = _tokens(self.layout)
        alike = {i: other for i, other in self.older.items() if i not in self.incomparable and _tokens(other) == ours}
        hashed = hash_frame(self._with_tokens(clear, self.layout.masks), self.layout_id, self.layout, alike)
        rows = dict(hashed.rows)
        for identity, other in self.older.items():
            if identity in self.incomparable:
                rows[identity] = pl.repeat(None, clear.height, dtype=pl.UInt128, eager=True)
            elif identity not in alike:
                frame = self._with_tokens(clear, other.hashed_masks)
                rows[identity] = hash_frame(frame, self.layout_id, self.layout, {identity: other}).rows[identity]
        lossy = [mask for mask in self.layout.masks if not mask.method.keeps_token]
        kinds = {column.name: column.type for column in self.columns}
        stored = clear.with_columns(shown(mask.column, kinds[mask.column], mask.method) for mask in lossy)
        return replace(hashed, frame=hashed.frame.with_columns(stored.get_column(mask.column) for mask in lossy), rows=rows)

    def _with_tokens(self, clear: pl.DataFrame, masks: Sequence[ColumnMask]) -> pl.DataFrame:
        kinds = {column.name: column.type for column in self.columns}
        return clear.with_columns(token(mask.column, kinds[mask.column], self.keys[mask.key]) for mask in masks)


def frame_hashing(
    columns: Sequence[Column],
    layout_id: int,
    layout: HashLayout,
    older: Mapping[int, HashLayout],
    *,
    incomparable: frozenset[int] = frozenset(),
    keys: Mapping[str, MaskKey],
) -> Callable[[pl.DataFrame], HashedFrame]:
    """What hashes a conformed frame: `hash_frame` as it is, unless a mask is or was in play."""
    if not incomparable and not any(each.masks for each in (layout, *older.values())):
        return partial(hash_frame, layout_id=layout_id, layout=layout, older=dict(older))
    return MaskedHashing(columns=columns, layout_id=layout_id, layout=layout, older=older, incomparable=incomparable, keys=keys)


def _tokens(layout: HashLayout) -> set[tuple[str, str]]:
    return {(mask.column, mask.key) for mask in layout.hashed_masks}

