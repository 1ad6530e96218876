"""The second look at what differs: a row that has changed at the source meanwhile is no difference, and one that lies in another
window is fetched from there, on whatever side.

A large table is compared part by part. The layers stand still, the source need not: a row may move from a part to another one
while the run lasts. Such a key is compared once, where it is found first; and where one of its rows lies in a part in which
nothing was wrong with it, it has come or gone since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from cdc.reconciliation.rows import KIND, Difference, Layer, in_flight
from model.system_columns import KEY_HASH, ROW_HASH
from orchestration.reconciliation_portion import Portion
from orchestration.reconciliation_reading import SidesReading

_PARTLY = (str(Difference.MISSING), str(Difference.EXTRA))


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What a second look at the keys that differ showed: those in flight, and all rows of `keys`, which stand for those read
    first."""

    flying: pl.Series
    keys: pl.DataFrame
    source: pl.DataFrame
    layers: Mapping[Layer, pl.DataFrame] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Astray:
    """The keys with rows in several parts of a table that were compared already: 16 bytes each."""

    keys: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={KEY_HASH: pl.UInt128}))

    def add(self, keys: pl.DataFrame) -> None:
        """Once they have been compared, or are in flight."""
        self.keys = pl.concat([self.keys, keys.select(KEY_HASH)]).unique()


def look_again(reads: SidesReading, portion: Portion, before: pl.DataFrame, differences: pl.DataFrame, astray: Astray) -> Again:
    """Read the keys that differ once more (`before`: `touched`), wherever their rows lie now."""
    nothing = before.select(KEY_HASH).clear()
    if before.is_empty():
        return Again(flying=nothing.get_column(KEY_HASH), keys=nothing, source=reads.sides.empty_source())
    rows = reads.extracting(partial(reads.source_again, before, portion))
    if portion.date is None:
        return Again(flying=in_flight(before, rows), keys=nothing, source=rows.clear())
    # A row that was not in this part and is not in it now lies in another one: it is not one that has just come.
    elsewhere = _outside(portion, rows)
    known = before.join(elsewhere.select(KEY_HASH, ROW_HASH), on=KEY_HASH, how="left", suffix=" ")
    known = known.with_columns(pl.coalesce(ROW_HASH, f"{ROW_HASH} ").alias(ROW_HASH)).select(before.columns)
    flying = in_flight(known, rows)
    partly = differences.filter(pl.col(KIND).is_in(_PARTLY)).select(KEY_HASH).unique()
    keys = partly.filter(~pl.col(KEY_HASH).is_in(flying.implode()))
    layers = {layer: reads.layer_again(layer, keys) for layer in Layer}
    source = rows.join(keys, on=KEY_HASH, how="semi")
    sides = [source, *layers.values()]
    astray.add(pl.concat([_outside(portion, side).select(KEY_HASH) for side in sides]))
    moved = pl.concat([portion.compared_before(side).select(KEY_HASH) for side in sides]).unique().get_column(KEY_HASH)
    return Again(flying=pl.concat([flying, moved]).unique(), keys=keys, source=source, layers=layers)


def _outside(portion: Portion, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.join(portion.inside(rows), on=KEY_HASH, how="anti")
