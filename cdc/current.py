"""What is current in Stage, as the comparison looks it up: hashes in the order of the keys. Pure polars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from model.errors import IntegrityError
from model.row_hash import as_integer, as_prefix
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH

PREFIX = "prefix"
_NO_HASHES = pl.Series(dtype=pl.UInt128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The hashes of a table's current rows in the order of their key hashes.

    `search` is what keys are looked up in: the first 8 bytes of the keys where these are distinct, else the keys themselves.
    `layout_ids` is one id for all rows, or one a row.
    """

    keys: pl.Series
    rows: pl.Series
    search: pl.Series
    layout_ids: pl.Series

    @property
    def layouts_in_use(self) -> list[int]:
        """The ids of the layouts that current rows were hashed under."""
        return self.layout_ids.unique().sort().to_list()


def current_of(frames: Iterable[pl.DataFrame]) -> Current:
    """From frames of `_key_hash`, `_row_hash` (16 bytes each) and `_hash_layout`, in any order.

    Raises:
        IntegrityError: a key is current twice; comparing could then end in deletes that nobody asked for.
    """
    columns: tuple[list[pl.Series], ...] = ([], [], [], [])
    for frame in (frame for frame in frames if not frame.is_empty()):
        # Column by column, so that ten million rows are not held more often than needed while they are put in order.
        hashes = frame.select(
            as_integer(pl.col(KEY_HASH)), as_integer(pl.col(ROW_HASH)), as_prefix(pl.col(KEY_HASH)).alias(PREFIX)
        )
        for kept, series in zip(columns, (*hashes.get_columns(), frame.get_column(HASH_LAYOUT)), strict=True):
            kept.append(series)
    if not columns[0]:
        return Current(keys=_NO_HASHES, rows=_NO_HASHES, search=_NO_HASHES, layout_ids=pl.Series(dtype=pl.Int64))
    order = _gathered(columns[2], None).arg_sort()
    keys = _gathered(columns[0], order)
    rows = _gathered(columns[1], order)
    search = _gathered(columns[2], order)
    identities = {identity for ids in columns[3] for identity in ids.unique()}
    same_layout = len(identities) == 1
    layout_ids = pl.Series(list(identities), dtype=pl.Int64) if same_layout else _gathered(columns[3], order)
    if _repeats(search):
        # Two keys share 8 bytes, once in many millions of tables, or a key is there twice.
        order = keys.arg_sort()
        keys, rows = keys.gather(order), rows.gather(order)
        layout_ids = layout_ids if same_layout else layout_ids.gather(order)
        search = keys
        if _repeats(keys):
            raise IntegrityError(
                "Stage has two current rows of one key.", remedy="Nothing was compared. Run a reconciliation of this table."
            )
    return Current(keys=keys, rows=rows, search=search, layout_ids=layout_ids)


def _gathered(parts: list[pl.Series], order: pl.Series | None) -> pl.Series:
    """The parts as one series, in another order; the parts are given up."""
    whole = pl.concat(parts)
    if order is None:
        return whole
    parts.clear()
    return whole.gather(order)


def _repeats(series: pl.Series) -> bool:
    return bool((series.slice(1) == series.head(max(len(series) - 1, 0))).any())
