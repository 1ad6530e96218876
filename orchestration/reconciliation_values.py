"""Source, Stage and Bronze compared value by value: sums of segments first, then the rows of the segments that are not equal.

The table's lock is held, so that the layers stand still; the source need not. What differs is read there once more, by key, and
does not count where it has changed meanwhile. Memory is bounded: rows wait in spools, and are compared a group at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from cdc.reconciliation.rows import Layer, SourceRows, compare_layer, confirmed, in_flight, settle_source, touched
from cdc.reconciliation.rows import counts as counts_of
from cdc.reconciliation.segments import ROWS, SEGMENT, SegmentSums, grouped, segment_of, unequal_segments
from extract.hashing import in_background
from extract.spool import Spool, compacted
from model.system_columns import KEY_HASH, ROW_HASH
from orchestration.reconciliation_portion import Portion
from orchestration.reconciliation_reading import SidesReading
from orchestration.reconciliation_sides import read_value_sums

GROUP_ROWS = 200_000


@dataclass(slots=True, kw_only=True)
class ValueCounts:
    """What was found; counts are keys, `source_rows` rows. `kinds` and `columns` are by layer.

    `unequal` segments were compared row by row; layers of `astray` hold rows under another key's hash.
    """

    source_rows: int = 0
    layer_rows: dict[Layer, int] = field(default_factory=dict)
    kinds: dict[Layer, Counter[str]] = field(default_factory=lambda: {layer: Counter() for layer in Layer})
    columns: dict[Layer, Counter[str]] = field(default_factory=lambda: {layer: Counter() for layer in Layer})
    apart: Counter[str] = field(default_factory=Counter)
    null_keys: int = 0
    quarantined: int = 0
    duplicates: int = 0
    in_flight: int = 0
    moved: int = 0
    unequal: int = 0
    astray: frozenset[Layer] = frozenset()

    def different(self, layer: Layer) -> int:
        """Differences of a layer: keys, each as often as kinds of difference were found in it."""
        return sum(self.kinds[layer].values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of some segments on all sides, and what differs in them."""

    source: SourceRows
    layers: Mapping[Layer, pl.DataFrame]
    differences: pl.DataFrame
    apart: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What a second look at the keys that differ showed: those in flight, and of `keys` the rows of all sides, if they may
    lie in other windows. `moved` rows do."""

    flying: pl.Series
    keys: pl.DataFrame
    source: pl.DataFrame | None = None
    layers: Mapping[Layer, pl.DataFrame] = field(default_factory=dict)
    moved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spools:
    """Where the rows of unequal segments wait."""

    source: Spool
    layers: Mapping[Layer, Spool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueComparison:
    """One table's comparison. `full`: rows are compared column by column also where the sums say that they are equal."""

    reads: SidesReading
    portion: Portion
    full: bool = False

    def compare(self, take: Callable[[Group], None]) -> ValueCounts:
        """Compare the table; `take` is given what differs, group by group, once the source was asked again."""
        counts = ValueCounts()
        segments = self.reads.extracting(partial(self._unequal, counts))
        counts.unequal = segments.height
        if segments.is_empty():
            return counts
        with ExitStack() as stack:
            spools = self._spools(stack)
            self.reads.extracting(partial(self._collect, segments.get_column(SEGMENT), spools, counts))
            groups = grouped(segments, GROUP_ROWS)
            looked_at = pl.concat([self._touched(self._group(spools, group)) for group in groups])
            again = self._look_again(looked_at)
            counts.in_flight, counts.moved = len(again.flying), again.moved
            for group in groups:
                self.reads.run.cancellation.check()
                rows = self._group(spools, group, again)
                settled = replace(rows, differences=confirmed(rows.differences, again.flying))
                _add(counts, settled)
                take(settled)
        return counts

    def _touched(self, group: Group) -> pl.DataFrame:
        return touched(group.source, list(group.layers.values()), group.differences, self.reads.sides.tables.keys)

    def _spools(self, stack: ExitStack) -> Spools:
        limit = self.reads.run.settings.spool_bytes // 3
        source, stage, bronze = (stack.enter_context(Spool(self.reads.run.spool_folder, limit)) for _ in range(3))
        return Spools(source=source, layers={Layer.STAGE: stage, Layer.BRONZE: bronze})

    def _unequal(self, counts: ValueCounts) -> pl.DataFrame:
        """Read everything once and add it up."""
        source = SegmentSums()
        counts.source_rows = counts.null_keys = 0
        with in_background(partial(self._layer_sums, Layer.STAGE)) as stage, in_background(self._bronze_sums) as bronze:
            for frame, null_keys in self.reads.source(self.portion, staged=False):
                source.add(frame)
                counts.source_rows += frame.height + null_keys
                counts.null_keys += null_keys
                self.reads.run.reporter.rows_extracted(str(self.reads.config), frame.height + null_keys)
            in_stage = stage()
            in_bronze = bronze()(in_stage)
        counts.astray = frozenset(layer for layer, sums in zip(Layer, (in_stage, in_bronze), strict=True) if sums.astray)
        sides = [in_stage.sums(), in_bronze.sums()]
        counts.layer_rows = {layer: int(side.get_column(ROWS).sum()) for layer, side in zip(Layer, sides, strict=True)}
        return unequal_segments([source.sums(), *sides], full=self.full)

    def _bronze_sums(self) -> Callable[[SegmentSums], SegmentSums]:
        """Bronze's sums, given Stage's: where the target can compare the two by their values no row of Bronze need be read."""
        target, sides = self.reads.run.target, self.reads.sides
        ours, theirs = (None if self.full else read_value_sums(target, sides, layer, self.portion) for layer in Layer)
        if ours is None or theirs is None:
            read = self._layer_sums(Layer.BRONZE)
            return lambda _: read
        # They go by stored key hashes: where Stage's lie, the two do not speak of the same segments.
        return lambda stage: self._layer_sums(Layer.BRONZE) if stage.astray else stage.as_far_as_same(ours, theirs)

    def _layer_sums(self, layer: Layer) -> SegmentSums:
        sums = SegmentSums()
        for frame in self.reads.layer(layer, self.portion, None):
            sums.add(frame)
        return sums

    def _collect(self, segments: pl.Series, spools: Spools, counts: ValueCounts) -> None:
        """Read what is in these segments into the spools."""
        inside = segment_of(pl.col(KEY_HASH)).is_in(segments.implode())
        for spool in (spools.source, *spools.layers.values()):
            spool.empty()

        def fill(layer: Layer) -> None:
            # A row that lies under another key's hash is found by its values, so no condition on stored hashes may leave it out.
            for frame in self.reads.layer(layer, self.portion, None if layer in counts.astray else segments):
                spools.layers[layer].append(_own_rows(frame.filter(inside)))

        with in_background(partial(fill, Layer.STAGE)) as stage, in_background(partial(fill, Layer.BRONZE)) as bronze:
            for frame, _ in self.reads.source(self.portion, staged=True):
                spools.source.append(_own_rows(frame.filter(inside)))
            stage()
            bronze()

    def _group(self, spools: Spools, segments: pl.Series, again: Again | None = None) -> Group:
        """The rows of some segments; what was read `again` of keys that moved between windows stands for what was read first."""
        inside = segment_of(pl.col(KEY_HASH)).is_in(segments.implode())

        def rows_of(spool: Spool, empty: pl.DataFrame, moved: pl.DataFrame | None) -> pl.DataFrame:
            rows = pl.concat([empty, *(frame.filter(inside) for frame in spool.frames())], rechunk=True)
            if moved is None or again is None:
                return rows
            return pl.concat([rows.join(again.keys, on=KEY_HASH, how="anti"), moved.filter(inside)])

        moved = {} if again is None else again.layers
        first = None if again is None else again.source
        source = settle_source(rows_of(spools.source, self.reads.sides.empty_source(), first))
        empty = self.reads.sides.empty_layer()
        layers = {layer: rows_of(spool, empty, moved.get(layer)) for layer, spool in spools.layers.items()}
        values, excluded = self.reads.sides.layout.value_names, self.reads.sides.excluded
        compared = {layer: compare_layer(source, layer, rows, values, excluded) for layer, rows in layers.items()}
        differences = pl.concat([one.differences for one in compared.values()])
        apart: Counter[str] = Counter(compared[Layer.STAGE].apart)
        return Group(source=source, layers=layers, differences=differences, apart=apart)

    def _look_again(self, before: pl.DataFrame) -> Again:
        """Read the keys that differ once more, wherever their rows lie now."""
        nothing = before.select(KEY_HASH).clear()
        if before.is_empty():
            return Again(flying=nothing.get_column(KEY_HASH), keys=nothing)
        rows = self.reads.extracting(partial(self.reads.source_again, before))
        if self.portion.date is None:
            return Again(flying=in_flight(before, rows), keys=nothing)
        # A row that was not among the windows' and is in none of them now has moved, and is not one that has just come.
        elsewhere = rows.join(self.portion.inside(rows), on=KEY_HASH, how="anti").select(KEY_HASH, ROW_HASH)
        known = before.join(elsewhere, on=KEY_HASH, how="left", suffix=" ")
        known = known.with_columns(pl.coalesce(ROW_HASH, f"{ROW_HASH} ").alias(ROW_HASH)).select(before.columns)
        flying = in_flight(known, rows)
        keys = before.select(KEY_HASH).filter(~pl.col(KEY_HASH).is_in(flying.implode()))
        layers = {layer: self.reads.layer_again(layer, keys) for layer in Layer}
        source = rows.join(keys, on=KEY_HASH, how="semi")
        outside = [rows.join(self.portion.inside(rows), on=KEY_HASH, how="anti") for rows in layers.values()]
        moved = pl.concat([one.select(KEY_HASH) for one in (*outside, elsewhere.join(keys, on=KEY_HASH, how="semi"))])
        return Again(flying=flying, keys=keys, source=source, layers=layers, moved=moved.n_unique())


def _own_rows(selected: pl.DataFrame) -> pl.DataFrame:
    """A copy of selected rows that keeps no others alive; Arrow has no type for the hashes, which hold nothing of others."""
    hashes = [name for name, dtype in selected.schema.items() if dtype == pl.UInt128]
    return compacted(selected.drop(hashes)).hstack(selected.select(hashes)).select(selected.columns)


def _add(counts: ValueCounts, group: Group) -> None:
    counts.quarantined += len(group.source.quarantined)
    counts.duplicates += group.source.duplicates
    counts.apart.update(group.apart)
    for layer in Layer:
        kinds, columns = counts_of(group.differences, layer)
        counts.kinds[layer].update(kinds)
        counts.columns[layer].update(columns)
