"""What is promoted together: windows and what was asked for, where of a key in several of them the last read alone counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from cdc.diff import INSERT, Changes
from extract.spool import Spool
from model.system_columns import CDC_OPERATION, KEY_HASH
from model.warehouse import WarehouseTable
from orchestration.hash_layouts import Layouts
from orchestration.promoting import staged


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Changes that are to be promoted, and the spool that holds their rows."""

    changes: Changes
    spool: Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """Rows of a part, by what they would have been, of which a later part of the group has the same keys."""

    inserted: int = 0
    updated: int = 0


NONE_SUPERSEDED = Superseded()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowGroup:
    """`keys` has `_key_hash` and `place`, that of the last part which has the key; None where there is one part only."""

    tables: WarehouseTable
    layouts: Layouts
    parts: Sequence[Part]
    keys: pl.DataFrame | None
    superseded: Sequence[Superseded]

    @property
    def inserted(self) -> int:
        """Staged rows of keys that their windows did not have."""
        return sum(p.changes.inserted - s.inserted for p, s in zip(self.parts, self.superseded, strict=True))

    @property
    def updated(self) -> int:
        """Staged rows of keys that their windows had."""
        return sum(p.changes.updated - s.updated for p, s in zip(self.parts, self.superseded, strict=True))

    @property
    def deleted(self) -> int:
        """Staged keys that are gone."""
        return sum(part.changes.deleted for part in self.parts)

    def rows(self) -> Iterator[pl.DataFrame]:
        """The rows that go to staging."""
        for place, part in enumerate(self.parts):
            for frame in staged(self.tables, self.layouts, part.changes, part.spool):
                if self.superseded[place] == NONE_SUPERSEDED:
                    yield frame
                else:
                    yield frame.filter(self.place_of(frame.get_column(KEY_HASH)) == place)

    def place_of(self, keys: pl.Series) -> pl.Series:
        """The place of the part that staged each of these keys."""
        if self.keys is None:
            return pl.repeat(0, len(keys), dtype=pl.Int64, eager=True)
        wanted = pl.DataFrame({KEY_HASH: keys})
        return wanted.join(self.keys, on=KEY_HASH, how="left", maintain_order="left").get_column("place")


def group_of(tables: WarehouseTable, layouts: Layouts, parts: Sequence[Part]) -> WindowGroup:
    """Find the keys that several parts have."""
    if len(parts) == 1:
        return WindowGroup(tables=tables, layouts=layouts, parts=parts, keys=None, superseded=[NONE_SUPERSEDED])
    every = staged_keys(tables, layouts, parts).with_columns(last=pl.col("place").max().over(KEY_HASH))
    lost = every.filter(pl.col("place") < pl.col("last"))
    inserts = lost.get_column(CDC_OPERATION) == INSERT
    superseded = [
        Superseded(
            inserted=int((inserts & (lost.get_column("place") == place)).sum()),
            updated=int((~inserts & (lost.get_column("place") == place)).sum()),
        )
        for place in range(len(parts))
    ]
    keys = every.filter(pl.col("place") == pl.col("last")).select(KEY_HASH, "place")
    return WindowGroup(tables=tables, layouts=layouts, parts=parts, keys=keys, superseded=superseded)


def staged_keys(tables: WarehouseTable, layouts: Layouts, parts: Sequence[Part]) -> pl.DataFrame:
    """`_key_hash`, `_cdc_operation` and `place` of all rows that the parts bring."""
    found = [
        frame.select(KEY_HASH, CDC_OPERATION, pl.lit(place, dtype=pl.Int64).alias("place"))
        for place, part in enumerate(parts)
        for frame in staged(tables, layouts, part.changes, part.spool)
    ]
    empty = pl.DataFrame(schema={KEY_HASH: pl.Binary, CDC_OPERATION: pl.String, "place": pl.Int64})
    return pl.concat([empty, *found])
