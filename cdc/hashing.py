"""Frames of an extract, hashed: by the values themselves, or by their tokens where a column is masked. Pure polars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from model.masking import ColumnMask, MaskKey, shown, token
from model.row_hash import HashLayout, as_integer, hash_expressions, integer_hashes
from model.system_columns import KEY_HASH, ROW_HASH
from model.types import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedFrame:
    """A frame, its key and row hashes as integers, and which of its rows have a NULL in the key.

    `frame` is what is stored, with the hashes as bytes where all of its rows are expected to be loaded or cannot be hashed again
    from what is stored; `values` is what was hashed: of masked columns their tokens.
    """

    frame: pl.DataFrame
    values: pl.DataFrame
    hashes: pl.DataFrame
    null_key: pl.Series


def hash_frame(values: pl.DataFrame, layout: HashLayout, *, with_bytes: bool = False) -> HashedFrame:
    """Hash a conformed frame."""
    null_key = values.select(pl.any_horizontal(pl.col(name).is_null() for name in layout.key_names)).to_series()
    frame = values.with_columns(hash_expressions(layout)) if with_bytes else values
    integers = [as_integer(pl.col(KEY_HASH)), as_integer(pl.col(ROW_HASH))] if with_bytes else integer_hashes(layout)
    # Several threads hash, each a piece; what is looked up and gathered later wants one.
    return HashedFrame(frame=frame, values=values, hashes=frame.select(integers).rechunk(), null_key=null_key)


def with_hash_bytes(frame: pl.DataFrame, layout: HashLayout) -> pl.DataFrame:
    """Rows with their hashes as they are stored."""
    return frame if KEY_HASH in frame.columns else frame.with_columns(hash_expressions(layout))


def hashed_as(values: pl.DataFrame, layout: HashLayout, other: HashLayout) -> pl.Series:
    """Row hashes under another layout; NULL where a row holds a value that it does not cover, for it cannot be equal under it."""
    added = [pl.col(name).is_null() for name in layout.value_names if name not in set(other.value_names)]
    row_hash = integer_hashes(other)[1]
    return values.select(pl.when(pl.all_horizontal(added)).then(row_hash) if added else row_hash).to_series()


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHashing:
    """How frames of `columns`, in clear and in their canonical types, are hashed under `layout` and under older ones.

    `keys` are the mask keys at hand by fingerprint; `first` says that nothing is current yet, so that every row will be loaded.
    """

    columns: Sequence[Column]
    layout: HashLayout
    keys: Mapping[str, MaskKey] = field(repr=False)
    first: bool = False

    def hash(self, clear: pl.DataFrame) -> HashedFrame:
        """Hash a frame; the one that goes on holds what is stored of masked columns."""
        if not self.layout.masks:
            return hash_frame(clear, self.layout, with_bytes=self.first)
        hashed = hash_frame(self._with_tokens(clear, self.layout.masks), self.layout, with_bytes=True)
        lossy = [mask for mask in self.layout.masks if not mask.method.keeps_token]
        kinds = {column.name: column.type for column in self.columns}
        stored = clear.with_columns(shown(mask.column, kinds[mask.column], mask.method) for mask in lossy)
        return replace(hashed, frame=hashed.frame.with_columns(stored.get_column(mask.column) for mask in lossy))

    def under(
        self, older: Mapping[int, HashLayout], incomparable: frozenset[int], clear: pl.DataFrame, hashed: HashedFrame
    ) -> dict[int, pl.Series]:
        """The row hashes of a frame under older layouts by their ids; NULL under those that are `incomparable`."""
        rows: dict[int, pl.Series] = {}
        values = {_tokens(self.layout): hashed.values}
        for identity, other in older.items():
            if identity in incomparable:
                rows[identity] = pl.repeat(None, clear.height, dtype=pl.UInt128, eager=True)
                continue
            masked = _tokens(other)
            if masked not in values:
                values[masked] = self._with_tokens(clear, other.hashed_masks)
            rows[identity] = hashed_as(values[masked], self.layout, other)
        return rows

    def _with_tokens(self, clear: pl.DataFrame, masks: Sequence[ColumnMask]) -> pl.DataFrame:
        kinds = {column.name: column.type for column in self.columns}
        return clear.with_columns(token(mask.column, kinds[mask.column], self.keys[mask.key]) for mask in masks)


def _tokens(layout: HashLayout) -> frozenset[tuple[str, str]]:
    return frozenset((mask.column, mask.key) for mask in layout.hashed_masks)
