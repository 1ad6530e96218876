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

from cdc.reconciliation.rows import Layer, SourceRows, compare_layer, confirmed, settle_source, touched
from cdc.reconciliation.rows import counts as counts_of
from cdc.reconciliation.segments import SEGMENT, grouped, segment_of
from extract.hashing import in_background
from extract.spool import Spool, compacted
from model.system_columns import KEY_HASH
from orchestration.reconciliation_again import Again, Astray, look_again
from orchestration.reconciliation_portion import Portion
from orchestration.reconciliation_reading import SidesReading
from orchestration.reconciliation_sums import add_up

GROUP_ROWS = 200_000


@dataclass(slots=True, kw_only=True)
class ValueCounts:
    """What was found; counts are keys, `source_rows` rows. `kinds`, `columns` and `misplaced` are by layer.

    `unequal` segments were compared row by row; `misplaced` keys lie in another day's window than at the source.
    """

    source_rows: int = 0
    layer_rows: Counter[Layer] = field(default_factory=Counter)
    kinds: dict[Layer, Counter[str]] = field(default_factory=lambda: {layer: Counter() for layer in Layer})
    columns: dict[Layer, Counter[str]] = field(default_factory=lambda: {layer: Counter() for layer in Layer})
    apart: Counter[str] = field(default_factory=Counter)
    misplaced: Counter[Layer] = field(default_factory=Counter)
    null_keys: int = 0
    quarantined: int = 0
    duplicates: int = 0
    in_flight: int = 0
    unequal: int = 0

    def different(self, layer: Layer) -> int:
        """Differences of a layer: keys, each as often as kinds of difference were found in it."""
        return sum(self.kinds[layer].values())

    def add(self, group: Group) -> None:
        """Count a group in."""
        self.quarantined += len(group.source.quarantined)
        self.duplicates += group.source.duplicates
        self.apart.update(group.apart)
        self.misplaced.update(group.misplaced)
        for layer in Layer:
            kinds, columns = counts_of(group.differences, layer)
            self.kinds[layer].update(kinds)
            self.columns[layer].update(columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of some segments on all sides, and what differs in them."""

    source: SourceRows
    layers: Mapping[Layer, pl.DataFrame]
    differences: pl.DataFrame
    apart: Counter[str]
    misplaced: Mapping[Layer, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spools:
    """Where the rows of unequal segments wait."""

    source: Spool
    layers: Mapping[Layer, Spool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueComparison:
    """The comparison of one part of a table after the other; `counts` gathers what was found in all of them.

    `full`: rows are compared also where the sums say that they are equal.
    """

    reads: SidesReading
    full: bool = False
    counts: ValueCounts = field(default_factory=ValueCounts)
    astray: Astray = field(default_factory=Astray)

    def compare(self, portion: Portion, take: Callable[[Group], None]) -> None:
        """Compare a part; `take` is given what differs, group by group, once the source was asked again."""
        sums = self.reads.extracting(partial(add_up, self.reads, portion, full=self.full))
        counts, segments = self.counts, sums.unequal
        counts.source_rows += sums.source_rows
        counts.null_keys += sums.null_keys
        counts.layer_rows.update(sums.layer_rows)
        counts.unequal += segments.height
        if segments.is_empty():
            return
        part = _Part(reads=self.reads, portion=portion, compared=self.astray.keys, astray=sums.astray)
        with ExitStack() as stack:
            spools = part.spools(stack)
            self.reads.extracting(partial(part.collect, segments.get_column(SEGMENT), spools))
            groups = grouped(segments, GROUP_ROWS)
            looked = [part.looked_at(spools, group) for group in groups]
            keys, differences = (pl.concat(frames) for frames in zip(*looked, strict=True))
            again = look_again(self.reads, portion, keys, differences, self.astray)
            counts.in_flight += len(again.flying)
            for group in groups:
                self.reads.run.cancellation.check()
                rows = part.group(spools, group, again)
                settled = replace(rows, differences=confirmed(rows.differences, again.flying))
                counts.add(settled)
                take(settled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The rows of a part. Those of keys `compared` already take no part; layers `astray` hold rows under another key's hash."""

    reads: SidesReading
    portion: Portion
    compared: pl.DataFrame
    astray: frozenset[Layer]

    def spools(self, stack: ExitStack) -> Spools:
        limit = self.reads.run.settings.spool_bytes // 3
        source, stage, bronze = (stack.enter_context(Spool(self.reads.run.spool_folder, limit)) for _ in range(3))
        return Spools(source=source, layers={Layer.STAGE: stage, Layer.BRONZE: bronze})

    def collect(self, segments: pl.Series, spools: Spools) -> None:
        """Read what is in these segments into the spools."""
        inside = segment_of(pl.col(KEY_HASH)).is_in(segments.implode())
        for spool in (spools.source, *spools.layers.values()):
            spool.empty()

        def fill(layer: Layer) -> None:
            # A row that lies under another key's hash is found by its values, so no condition on stored hashes may leave it out.
            for frame in self.reads.layer(layer, self.portion, None if layer in self.astray else segments):
                spools.layers[layer].append(_own_rows(frame.filter(inside)))

        with in_background(partial(fill, Layer.STAGE)) as stage, in_background(partial(fill, Layer.BRONZE)) as bronze:
            for frame, _ in self.reads.source(self.portion, staged=True):
                spools.source.append(_own_rows(frame.filter(inside)))
            stage()
            bronze()

    def looked_at(self, spools: Spools, segments: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The keys that differ (`touched`), and which kinds of difference they have."""
        group = self.group(spools, segments)
        keys = touched(group.source, list(group.layers.values()), group.differences, self.reads.sides.tables.keys)
        return keys, group.differences.select(KEY_HASH, "kind").unique()

    def group(self, spools: Spools, segments: pl.Series, again: Again | None = None) -> Group:
        """The rows of some segments, and what differs in them."""
        inside = segment_of(pl.col(KEY_HASH)).is_in(segments.implode())

        def rows_of(spool: Spool, empty: pl.DataFrame, read_again: pl.DataFrame | None) -> pl.DataFrame:
            rows = pl.concat([empty, *(frame.filter(inside) for frame in spool.frames())], rechunk=True)
            if not self.compared.is_empty():
                rows = rows.join(self.compared, on=KEY_HASH, how="anti")
            if again is None or again.keys.is_empty() or read_again is None:
                return rows
            return pl.concat([rows.join(again.keys, on=KEY_HASH, how="anti"), read_again.filter(inside)])

        sides = self.reads.sides
        rows = rows_of(spools.source, sides.empty_source(), None if again is None else again.source)
        source, empty = settle_source(rows), sides.empty_layer()
        moved = {} if again is None else again.layers
        layers = {layer: rows_of(spool, empty, moved.get(layer)) for layer, spool in spools.layers.items()}
        values, excluded = sides.layout.value_names, sides.excluded
        compared = {layer: compare_layer(source, layer, rows, values, excluded) for layer, rows in layers.items()}
        flying = None if again is None else again.flying
        return Group(
            source=source,
            layers=layers,
            differences=pl.concat([one.differences for one in compared.values()]),
            apart=Counter(compared[Layer.STAGE].apart),
            misplaced={layer: self._misplaced(source.rows, rows, flying) for layer, rows in layers.items()},
        )

    def _misplaced(self, source: pl.DataFrame, layer: pl.DataFrame, flying: pl.Series | None) -> int:
        """How many keys lie in the window of another day than at the source."""
        date = self.portion.date
        if date is None or flying is None:
            return 0
        name = date.column.name
        pairs = source.select(KEY_HASH, name).join(layer.select(KEY_HASH, name), on=KEY_HASH, how="inner", suffix=" ")
        theirs, ours = (date.days(pairs.get_column(column)) for column in (name, f"{name} "))
        apart = pairs.filter(theirs.ne_missing(ours)).get_column(KEY_HASH)
        return apart.filter(~apart.is_in(flying.implode())).n_unique()


def _own_rows(selected: pl.DataFrame) -> pl.DataFrame:
    """A copy of selected rows that keeps no others alive; Arrow has no type for the hashes, which hold nothing of others."""
    hashes = [name for name, dtype in selected.schema.items() if dtype == pl.UInt128]
    return compacted(selected.drop(hashes)).hstack(selected.select(hashes)).select(selected.columns)
