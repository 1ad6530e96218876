"""Which parts of a table are equal on all sides, told by counts and sums of hashes that were recomputed from values.

A segment is a range of the key hash, 1/4096 of a table: a million rows have 244 a segment. Its sum is that of `mark_of` its rows'
key and row hashes, modulo 2^128: whatever was altered, lost, doubled or swapped between keys changes it, and the order in which
rows come does not. Memory is a few numbers a segment, however long and wide the table is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from cdc.current import mark_of
from model.system_columns import KEY_HASH, ROW_HASH

KEY_LIES, ROW_LIES, KEY_STORED = f"{KEY_HASH} lies", f"{ROW_HASH} lies", f"{KEY_HASH} stored"
"""Columns of a layer's rows beside the source's own: whether a stored hash is not that of the values it lies beside; and which
key hash that is."""
SEGMENT, ROWS = "segment", "rows"
SEGMENTS = 1 << 12
_SUM, _LIES = "sum", "lies"
_WIDTH = 1 << 128 - 12
_MERGE_AFTER = 32


def segment_of(key: pl.Expr) -> pl.Expr:
    """The segment of a key hash (UInt128), 0 to 4095."""
    return (key // pl.lit(_WIDTH, dtype=pl.UInt128)).cast(pl.UInt32)


@dataclass(slots=True, kw_only=True)
class SegmentSums:
    """Adds up one side's frames of key and row hashes (UInt128), and of the layers' flags for stored hashes that lie.

    `astray` rows lie under another key's hash.
    """

    astray: int = 0
    _parts: list[pl.DataFrame] = field(default_factory=list)

    def add(self, frame: pl.DataFrame) -> None:
        """Count a frame in."""
        lies = pl.lit(value=False)
        if KEY_LIES in frame.columns:
            self.astray += int(frame.get_column(KEY_LIES).sum())
            lies = pl.col(KEY_LIES) | pl.col(ROW_LIES)
        hashes = frame.select(
            segment_of(pl.col(KEY_HASH)).alias(SEGMENT),
            mark_of(frame.get_column(KEY_HASH), frame.get_column(ROW_HASH)).alias(_SUM),
            lies.alias(_LIES),
        )
        self._parts.append(
            hashes.group_by(SEGMENT).agg(
                pl.len().cast(pl.Int64).alias(ROWS), pl.col(_SUM).sum(), pl.col(_LIES).sum().cast(pl.Int64)
            )
        )
        if len(self._parts) > _MERGE_AFTER:
            self._parts = [self.sums()]

    def sums(self) -> pl.DataFrame:
        """A row a segment that has rows: its number, its rows, their sum, and how many of them carry a hash that lies."""
        if not self._parts:
            return pl.DataFrame(schema={SEGMENT: pl.UInt32, ROWS: pl.Int64, _SUM: pl.UInt128, _LIES: pl.Int64})
        if len(self._parts) > 1:
            self._parts = [pl.concat(self._parts).group_by(SEGMENT).agg(pl.col(ROWS, _SUM, _LIES).sum())]
        return self._parts[0]

    def as_far_as_same(self, ours: pl.DataFrame, theirs: pl.DataFrame) -> SegmentSums:
        """The sums of another side that was compared with this one by sums of another kind, `ours` and `theirs` by segment.

        Segments which these show to be unequal have a sum that is no other's.
        """
        others = pl.concat([ours, theirs.select(ours.columns)]).filter(pl.struct(pl.all()).is_unique()).select(SEGMENT).unique()
        same = self.sums().join(others, on=SEGMENT, how="anti")
        rows = others.join(theirs.select(SEGMENT, ROWS), on=SEGMENT, how="left").with_columns(pl.col(ROWS).fill_null(0))
        unknown = rows.with_columns(pl.lit(None, dtype=pl.UInt128).alias(_SUM), pl.lit(1, dtype=pl.Int64).alias(_LIES))
        return SegmentSums(_parts=[pl.concat([same, unknown.select(same.columns)])])


def unequal_segments(sides: Sequence[pl.DataFrame], *, full: bool = False) -> pl.DataFrame:
    """The segments that are not proven equal on all sides, or all: numbers, ascending, and the `rows` of their longest side."""
    every = pl.concat([side.select(SEGMENT) for side in sides]).unique()
    wide = every
    for number, side in enumerate(sides):
        wide = wide.join(side.rename({name: f"{name}{number}" for name in (ROWS, _SUM, _LIES)}), on=SEGMENT, how="left")
    others = range(1, len(sides))
    unequal = [pl.col(f"{name}{number}").ne_missing(pl.col(f"{name}0")) for number in others for name in (ROWS, _SUM)]
    lying = [pl.col(f"{_LIES}{number}").fill_null(0) > 0 for number in range(len(sides))]
    kept = wide if full else wide.filter(pl.any_horizontal(unequal + lying))
    most = pl.max_horizontal(pl.col(f"{ROWS}{number}") for number in range(len(sides)))
    return kept.select(SEGMENT, most.alias(ROWS)).sort(SEGMENT)


def grouped(segments: pl.DataFrame, rows: int) -> list[pl.Series]:
    """Segments in groups that have about `rows` rows each on their longest side, or one segment: what is compared at a time."""
    if segments.is_empty():
        return []
    before = segments.get_column(ROWS).cum_sum() - segments.get_column(ROWS)
    return [part.get_column(SEGMENT) for part in segments.with_columns(group=before // rows).partition_by("group")]


def ranges(segments: pl.Series) -> list[tuple[bytes, bytes | None]]:
    """Segments as ranges of the key hash's 16 bytes, neighbours joined: from the first to below the second, None at the end."""
    found: list[list[int]] = []
    for number in segments.sort().to_list():
        if found and found[-1][1] == number:
            found[-1][1] = number + 1
        else:
            found.append([number, number + 1])
    return [(_bytes(start), None if end == SEGMENTS else _bytes(end)) for start, end in found]


def _bytes(segment: int) -> bytes:
    return (segment * _WIDTH).to_bytes(16, "big")
