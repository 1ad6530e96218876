"""Windows that are promoted together: their staged rows, where of a key in several of them the last read alone counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from cdc.diff import INSERT
from extract.spool import Spool
from model.system_columns import CDC_OPERATION, KEY_HASH
from model.warehouse import WarehouseTable
from model.windows import Window
from orchestration.extraction import Compared
from orchestration.hash_layouts import Layouts
from orchestration.promoting import staged


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRead:
    """A window that has been read and compared and waits to be promoted; `began` is the target's time before (naive UTC)."""

    window: Window
    began: datetime
    compared: Compared
    spool: Spool

    @property
    def rows(self) -> int:
        """The rows to be staged."""
        return self.compared.changes.inserted + self.compared.changes.updated


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """Rows of a window, by what they would have been, of which a later window of the group has the same keys."""

    inserted: int = 0
    updated: int = 0


NONE_SUPERSEDED = Superseded()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowGroup:
    """`keys` has `_key_hash` and `place`, that of the last window which has the key; None where there is one window only."""

    tables: WarehouseTable
    layouts: Layouts
    reads: Sequence[WindowRead]
    keys: pl.DataFrame | None
    superseded: Sequence[Superseded]

    @property
    def inserted(self) -> int:
        """Staged rows of keys that their windows did not have."""
        return sum(r.compared.changes.inserted - s.inserted for r, s in zip(self.reads, self.superseded, strict=True))

    @property
    def updated(self) -> int:
        """Staged rows of keys that their windows had."""
        return sum(r.compared.changes.updated - s.updated for r, s in zip(self.reads, self.superseded, strict=True))

    def rows(self) -> Iterator[pl.DataFrame]:
        """The rows that go to staging."""
        for place, read in enumerate(self.reads):
            for frame in _staged(self.tables, self.layouts, read):
                if self.superseded[place] == NONE_SUPERSEDED:
                    yield frame
                else:
                    yield frame.filter(self.place_of(frame.get_column(KEY_HASH)) == place)

    def place_of(self, keys: pl.Series) -> pl.Series:
        """The place of the window that staged each of these keys."""
        if self.keys is None:
            return pl.repeat(0, len(keys), dtype=pl.Int64, eager=True)
        wanted = pl.DataFrame({KEY_HASH: keys})
        return wanted.join(self.keys, on=KEY_HASH, how="left", maintain_order="left").get_column("place")


def group_of(tables: WarehouseTable, layouts: Layouts, reads: Sequence[WindowRead]) -> WindowGroup:
    """Find the keys that several windows have."""
    if len(reads) == 1:
        return WindowGroup(tables=tables, layouts=layouts, reads=reads, keys=None, superseded=[NONE_SUPERSEDED])
    found = [
        frame.select(KEY_HASH, CDC_OPERATION, pl.lit(place, dtype=pl.Int64).alias("place"))
        for place, read in enumerate(reads)
        for frame in _staged(tables, layouts, read)
    ]
    empty = pl.DataFrame(schema={KEY_HASH: pl.Binary, CDC_OPERATION: pl.String, "place": pl.Int64})
    every = pl.concat([empty, *found]).with_columns(last=pl.col("place").max().over(KEY_HASH))
    lost = every.filter(pl.col("place") < pl.col("last"))
    inserts = lost.get_column(CDC_OPERATION) == INSERT
    superseded = [
        Superseded(
            inserted=int((inserts & (lost.get_column("place") == place)).sum()),
            updated=int((~inserts & (lost.get_column("place") == place)).sum()),
        )
        for place in range(len(reads))
    ]
    keys = every.filter(pl.col("place") == pl.col("last")).select(KEY_HASH, "place")
    return WindowGroup(tables=tables, layouts=layouts, reads=reads, keys=keys, superseded=superseded)


def _staged(tables: WarehouseTable, layouts: Layouts, read: WindowRead) -> Iterator[pl.DataFrame]:
    changes = read.compared.changes
    return staged(tables, layouts, replace(changes, deleted_keys=changes.deleted_keys.clear()), read.spool)
