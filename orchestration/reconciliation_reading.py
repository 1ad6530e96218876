"""How the sides of a table are read for its reconciliation: all of them at first, then by key what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import polars as pl

from cdc.reconciliation.rows import Layer
from cdc.reconciliation.segments import segment_of
from extract.extractor import ValueSum
from extract.hashing import in_order, prefetched
from extract.selection import with_keys
from model.system_columns import KEY_HASH
from orchestration.reconciliation_portion import WHOLE, Portion
from orchestration.reconciliation_sides import Sides, read_layer
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig

T = TypeVar("T")
_KEYS_BY_KEY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SidesReading:
    """One table's reads; frames come with their hashes (`Sides`)."""

    run: RunContext
    config: TableConfig
    sides: Sides
    reading: SourceReading

    def extracting(self, read: Callable[[], T]) -> T:
        """Read the source, again from the start where it broke off."""

        def attempt() -> T:
            try:
                return read()
            except BaseException:
                self.reading.let_go()
                raise

        return self.run.retry.extract(attempt)

    def source(self, portion: Portion, *, staged: bool) -> Iterator[tuple[pl.DataFrame, int]]:
        """Frames of the source, and how many rows of each have a NULL in the key; `staged`: as they would be loaded too."""
        rules, rows = self.sides.described.rules, self.run.settings.batch_rows
        for selection in portion.selections():
            frames = self.reading.extractor().read(self.config.source_table, rules.columns, rows, selection)
            with prefetched(frames) as arriving:
                for frame, null_keys in in_order(arriving, partial(self.sides.source_rows, staged=staged)):
                    self.run.cancellation.check()
                    yield portion.inside(frame), null_keys

    def source_sum(self, portion: Portion) -> ValueSum | None:
        """What the source itself makes of the portion's values; None where no layer could be compared by that."""
        columns = self.sides.summed()
        if columns is None:
            return None
        found = ValueSum(rows=0, total=0)
        for selection in portion.selections():
            part = self.reading.extractor().value_sum(self.config.source_table, columns, selection)
            if part is None:
                return None
            found = ValueSum(rows=found.rows + part.rows, total=found.total + part.total)
        return found

    def layer(self, layer: Layer, portion: Portion, segments: pl.Series | None) -> Iterator[pl.DataFrame]:
        """Frames of a layer's current rows; those of other segments may come too."""
        target = self.run.target
        with target.engine.connect() as connection:
            for frame in read_layer(target, connection, self.sides, layer, portion, segments):
                self.run.cancellation.check()
                yield portion.inside(self.sides.layer_rows(layer, frame))

    def source_again(self, before: pl.DataFrame, portion: Portion) -> pl.DataFrame:
        """The source's rows of these keys, as they are now; most of them lie in the portion."""
        by_key = not self.sides.masked_key
        if before.height <= _KEYS_BY_KEY and by_key:
            return self._by_key(before)
        keys = before.select(KEY_HASH)
        arriving = self.source(portion if by_key else WHOLE, staged=True)
        frames = (frame.join(keys, on=KEY_HASH, how="semi") for frame, _ in arriving)
        found = pl.concat([self.sides.empty_source(), *frames])
        if portion.date is None or not by_key:
            return found
        return pl.concat([found, self._by_key(before.join(found, on=KEY_HASH, how="anti"))])

    def _by_key(self, before: pl.DataFrame) -> pl.DataFrame:
        rules, names = self.sides.described.rules, self.sides.tables.keys
        columns = tuple(column for column in rules.columns if column.name in names)
        keys = before.select(column.name for column in columns).drop_nulls()
        wanted = before.select(KEY_HASH)
        found = [self.sides.empty_source()]
        for selection in with_keys(columns, keys, self.reading.extractor().keys_at_once):
            self.run.cancellation.check()
            frames = self.reading.extractor().read(
                self.config.source_table, rules.columns, self.run.settings.batch_rows, selection
            )
            rows = (self.sides.source_rows(frame, staged=True)[0] for frame in frames)
            found += [frame.join(wanted, on=KEY_HASH, how="semi") for frame in rows]
        return pl.concat(found)

    def layer_again(self, layer: Layer, keys: pl.DataFrame) -> pl.DataFrame:
        """A layer's rows of these keys, wherever their dates lie."""
        segments = keys.select(segment_of(pl.col(KEY_HASH))).to_series().unique()
        frames = (frame.join(keys, on=KEY_HASH, how="semi") for frame in self.layer(layer, WHOLE, segments))
        return pl.concat([self.sides.empty_layer(), *frames])
