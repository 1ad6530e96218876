"""What a large table's run has done; it outlasts a lost session, after which the table starts over with what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from cdc.diff import Changes
from model.system_columns import KEY_HASH
from model.windows import Interval, Window
from orchestration.checkpoints import Attempt
from orchestration.confirmation import Missing
from orchestration.large_table import LargeTable
from orchestration.pipeline_state import DayState
from orchestration.window_loading import WindowLoad
from orchestration.window_reading import WindowRead


@dataclass(slots=True, kw_only=True)
class SoFar:
    """`loads` by the windows that were read together; `open` are attempts with keys that are not settled.

    `settled` is what came of the missing keys, None before; `withheld` says why their deletes were not applied.
    """

    planned: tuple[Window, ...] = ()
    before: Mapping[date, DayState] = field(default_factory=dict)
    loads: dict[Interval, WindowLoad] = field(default_factory=dict)
    failures: dict[Window, str] = field(default_factory=dict)
    open: list[Attempt] = field(default_factory=list)
    batches: set[int] = field(default_factory=set)
    settled: Changes | None = None
    withheld: str = ""

    @property
    def loaded(self) -> frozenset[Window]:
        """Windows that have been promoted."""
        return frozenset(window for windows in self.loads for window in windows.windows)

    @property
    def left(self) -> list[Window]:
        """Windows that have been neither loaded nor given up."""
        done = self.loaded | self.failures.keys()
        return [window for window in self.planned if window not in done]

    def missing(self, table: LargeTable, reads: Sequence[WindowRead]) -> Missing:
        """Keys that did not arrive in their windows, those of `reads` included, which are still to be promoted.

        And those deferred to a window that was not loaded after all.
        """
        changes = [*(load.changes for load in self.loads.values()), *(read.compared.changes for read in reads)]
        keys = [one.deleted_keys for one in changes]
        windows = [*self.loads, *(read.windows for read in reads)]
        emptied = [window for window, one in zip(windows, changes, strict=True) if len(one.deleted_keys)]
        deferred = [load.deferred for load in self.loads.values() if load.deferred.height]
        lost = [moved.filter(~table.date.within_any(moved.get_column("date"), windows)) for moved in deferred]
        keys += [moved.get_column(KEY_HASH) for moved in lost]
        empty = pl.Series(KEY_HASH, dtype=pl.Binary)
        active = sum(load.active for load in self.loads.values()) + sum(len(read.compared.current.keys) for read in reads)
        return Missing(
            keys=pl.concat([empty, *(series.alias(KEY_HASH) for series in keys)]),
            active=active,
            written=frozenset(self.batches),
            reads=reads,
            region=table.date.enclosing(emptied, [moved.get_column("date") for moved in lost]),
        )
