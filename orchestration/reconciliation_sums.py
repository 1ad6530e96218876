"""Source, Stage and Bronze added up by segments: what is equal on all sides need not be compared row by row.

Stage's values are always read and hashed, for nobody else can tell whether stored hashes are those of the values beside them. The
source and Bronze need not travel where their servers can sum up values as Stage's does: they are then read only if they differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl

from cdc.reconciliation.rows import Layer
from cdc.reconciliation.segments import ROWS, SegmentSums, unequal_segments
from extract.hashing import in_background
from orchestration.reconciliation_portion import Portion
from orchestration.reconciliation_reading import SidesReading
from orchestration.reconciliation_sides import ValueSums, read_value_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSums:
    """The source's sums, None where they are Stage's; its rows, and how many of them have a NULL in the key."""

    sums: SegmentSums | None
    rows: int
    null_keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """`unequal` segments (`unequal_segments`), rows by side, and the layers that hold rows under another key's hash."""

    unequal: pl.DataFrame
    source_rows: int
    null_keys: int
    layer_rows: dict[Layer, int]
    astray: frozenset[Layer]


def add_up(reads: SidesReading, portion: Portion, *, full: bool) -> Sums:
    """Add all sides up; `full`: by rows alone, and every segment counts as unequal."""
    with (
        in_background(partial(_layer_sums, reads, Layer.STAGE, portion)) as stage,
        in_background(partial(_by_value, reads, Layer.STAGE, portion, full=full)) as ours,
        in_background(partial(_bronze, reads, portion, full=full)) as bronze,
    ):
        source = _source(reads, portion, ours, full=full)
        in_stage = stage()
        in_bronze = bronze()(in_stage, ours())
    layers = dict(zip(Layer, (in_stage, in_bronze), strict=True))
    sides = [(source.sums or in_stage).sums(), *(one.sums() for one in layers.values())]
    return Sums(
        unequal=unequal_segments(sides, full=full),
        source_rows=source.rows,
        null_keys=source.null_keys,
        layer_rows={layer: int(one.sums().get_column(ROWS).sum()) for layer, one in layers.items()},
        astray=frozenset(layer for layer, one in layers.items() if one.astray),
    )


def _by_value(reads: SidesReading, layer: Layer, portion: Portion, *, full: bool) -> ValueSums | None:
    return None if full else read_value_sums(reads.run.target, reads.sides, layer, portion)


def _source(reads: SidesReading, portion: Portion, stage: Callable[[], ValueSums | None], *, full: bool) -> SourceSums:
    """By its own sum, where it makes one and that is Stage's; else row by row."""
    name = str(reads.config)
    summed = None if full else reads.source_sum(portion)
    if summed is not None and (ours := stage()) is not None and ours.values == summed:
        reads.run.reporter.rows_extracted(name, summed.rows)
        return SourceSums(sums=None, rows=summed.rows, null_keys=0)
    source = SegmentSums()
    rows = without_key = 0
    for frame, null_keys in reads.source(portion, staged=False):
        source.add(frame)
        rows += frame.height + null_keys
        without_key += null_keys
        reads.run.reporter.rows_extracted(name, frame.height + null_keys)
    return SourceSums(sums=source, rows=rows, null_keys=without_key)


def _bronze(
    reads: SidesReading, portion: Portion, *, full: bool
) -> Callable[[SegmentSums, ValueSums | None], SegmentSums]:
    """Bronze's sums, given Stage's: where the target can compare the two by their values no row of Bronze need be read."""
    theirs = _by_value(reads, Layer.BRONZE, portion, full=full)
    if theirs is None:
        read = _layer_sums(reads, Layer.BRONZE, portion)
        return lambda _, __: read

    def compared(stage: SegmentSums, ours: ValueSums | None) -> SegmentSums:
        # They go by stored key hashes: where Stage's lie, the two do not speak of the same segments.
        if ours is None or stage.astray:
            return _layer_sums(reads, Layer.BRONZE, portion)
        return stage.as_far_as_same(ours.by_segment, theirs.by_segment)

    return compared


def _layer_sums(reads: SidesReading, layer: Layer, portion: Portion) -> SegmentSums:
    sums = SegmentSums()
    for frame in reads.layer(layer, portion, None):
        sums.add(frame)
    return sums
