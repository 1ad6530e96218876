"""What is current in Stage, as the comparison looks it up: hashes in the order they were read in, and an index. Pure polars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import polars as pl

from model.errors import IntegrityError
from model.row_hash import as_integer
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH

_NO_HASHES = pl.Series(dtype=pl.UInt128)
_AT_ONCE = 1_000_000  # rows of `search`, of whose buckets several copies are made
# What is still looked for: numbers among what was asked, high bits sought, where in `search`, and what is there. Series, for on
# few rows a frame's operations cost more than the rows.
Walk = tuple[pl.Series, pl.Series, pl.Series, pl.Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The hashes of a table's current rows, and `search` and `starts`, the index by which a key's row is found.

    `marks` are key and row hash in one (`mark_of`), for what nearly every row is asked is whether both are equal. `layout_ids` is
    one id for all rows, or one a row. `search` holds a number for each row, ascending: a part of its key hash in the high bits,
    its position in the low ones, of which there are as many as `size` needs. `starts` cuts it into `size` buckets by its highest
    bits, about one row each, and says where each bucket starts (an empty one at the last row).
    """

    keys: pl.Series
    marks: pl.Series
    layout_ids: pl.Series
    search: pl.Series
    starts: pl.Series
    size: int

    @property
    def layouts_in_use(self) -> list[int]:
        """The ids of the layouts that current rows were hashed under."""
        return self.layout_ids.unique().sort().to_list()

    def near(self, parts: pl.Series) -> pl.Series:
        """Positions of rows, given `parts_of` keys: each the key's own, if there is one, but where keys share a part."""
        left = self._begin(parts)
        _, needles, _, there = left
        low = there % self.size
        found = low.cast(pl.UInt32)
        # Three of four are the first of their bucket; the others are walked to.
        left = self._onward(left, there - low != needles)
        while len(left[0]):
            nth, needles, _, there = left
            low = there % self.size
            hit = there - low == needles
            found = found.scatter(nth.filter(hit), low.filter(hit).cast(pl.UInt32))
            left = self._onward(left, ~hit)
        return found

    def find(self, keys: pl.Series) -> pl.Series:
        """Positions of the rows with exactly these keys, NULL where there is none."""
        found = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(keys))
        if self.search.is_empty() or keys.is_empty():
            return found
        left = self._begin(parts_of(keys))
        while len(left[0]):
            nth, _, _, there = left
            position = (there % self.size).cast(pl.UInt32)
            same = self.keys[position] == keys[nth]
            found = found.scatter(nth.filter(same), position.filter(same))
            left = self._onward(left, ~same)
        return found

    def _begin(self, parts: pl.Series) -> Walk:
        at = self.starts[buckets_of(parts, self.size)]
        return numbers(len(parts)), parts - parts % self.size, at, self.search[at]

    def _onward(self, left: Walk, still: pl.Series) -> Walk:
        """One row on in `search`, those `still` looked for that may be found there."""
        nth, needles, at, there = left
        still = still & (there <= needles + (self.size - 1)) & (at < len(self.search) - 1)
        at = at.filter(still) + 1
        return nth.filter(still), needles.filter(still), at, self.search[at]


def mark_of(keys: pl.Series, rows: pl.Series) -> pl.Series:
    """Key and row hash of each row in one number, modulo 2^128: two rows share it as rarely as two values share a hash.

    The key counts three times, for a row may hold the very values of a key, its own or another's: rows (1, 1) and (2, 2) would
    both have a difference of zero, rows (1, 2) and (2, 1) the same sum. And an odd number of times, so that all its bits count.
    """
    return keys + keys + keys + rows


def parts_of(keys: pl.Series) -> pl.Series:
    """The part of key hashes that is searched by: their last 8 bytes."""
    return keys.cast(pl.UInt64, wrap_numerical=True)


def with_positions(parts: pl.Series, size: int, start: int = 0) -> pl.Series:
    """Parts with each row's position, from `start` on, in the place of the low bits: values are sorted then, not pairs."""
    return parts - parts % size + pl.int_range(start, start + len(parts), dtype=pl.UInt64, eager=True)


def size_for(rows: int) -> int:
    """The least power of two, from 2 on, that numbers so many rows."""
    return 1 << max(rows - 1, 1).bit_length()


def buckets_of(parts: pl.Series, size: int) -> pl.Series:
    """Which of `size` buckets, a power of two of them, each part falls into: its highest bits."""
    return (parts // (2**64 // size)).cast(pl.UInt32)


def current_of(frames: Iterable[pl.DataFrame]) -> Current:
    """From frames of `_key_hash`, `_row_hash` (16 bytes each) and `_hash_layout`, in any order.

    Raises:
        IntegrityError: a key is current twice; comparing could then end in deletes that nobody asked for.
    """
    columns: tuple[list[pl.Series], ...] = ([], [], [])
    for frame in (frame for frame in frames if not frame.is_empty()):
        hashes = frame.select(as_integer(pl.col(KEY_HASH)), as_integer(pl.col(ROW_HASH)))
        keys, rows = hashes.get_columns()
        for kept, series in zip(columns, (keys, mark_of(keys, rows), frame.get_column(HASH_LAYOUT)), strict=True):
            kept.append(series)
    if not columns[0]:
        none = pl.Series(dtype=pl.UInt64)
        return Current(keys=_NO_HASHES, marks=_NO_HASHES, layout_ids=pl.Series(dtype=pl.Int64), search=none, starts=none, size=2)
    identities = {identity for ids in columns[2] for identity in ids.unique()}
    starts = list(accumulate((len(keys) for keys in columns[0]), initial=0))
    size = size_for(starts.pop())
    marks = _whole(columns[1])
    search = _whole([with_positions(parts_of(keys), size, start) for start, keys in zip(starts, columns[0], strict=True)]).sort()
    keys = pl.concat(columns[0], rechunk=False)  # few are looked at: as they came will do
    layout_ids = pl.concat(columns[2]) if len(identities) > 1 else pl.Series(list(identities), dtype=pl.Int64)
    _check_distinct(keys, search, size)
    return Current(keys=keys, marks=marks, layout_ids=layout_ids, search=search, starts=_starts(search, size), size=size)


def _starts(search: pl.Series, size: int) -> pl.Series:
    """Of each bucket the first row in `search`, for that is the last one written here. A part at a time, for memory's sake."""
    starts = pl.Series([len(search) - 1], dtype=pl.UInt32).new_from_index(0, size)
    for start in reversed(range(0, len(search), _AT_ONCE)):
        part = search.slice(start, _AT_ONCE)
        starts = starts.scatter(buckets_of(part, size).reverse(), (numbers(len(part)) + start).reverse())
    return starts


def numbers(size: int) -> pl.Series:
    """0, 1, 2, ...: positions."""
    return pl.int_range(size, dtype=pl.UInt32, eager=True)


def _whole(parts: list[pl.Series]) -> pl.Series:
    """The parts as one series; they are given up, so that ten million rows are not held twice."""
    whole = pl.concat(parts, rechunk=True)
    parts.clear()
    return whole


def _check_distinct(keys: pl.Series, search: pl.Series, size: int) -> None:
    parts = search // size
    follows = parts.slice(1) == parts.head(len(parts) - 1)
    if not follows.any():
        return
    # Keys that share the part which is searched by, a few in ten million, or a key that is there twice.
    no = pl.Series([False])
    several = pl.concat([follows, no]) | pl.concat([no, follows])
    positions = search.filter(several) % size
    if keys.gather(positions).n_unique() < len(positions):
        raise IntegrityError(
            "Stage has two current rows of one key.", remedy="Nothing was compared. Run a reconciliation of this table."
        )
