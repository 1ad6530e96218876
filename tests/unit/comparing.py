"""Drives the comparison as a run does: frames hashed, seen one by one, finished, and the clean candidates kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cdc.current import Current, current_of
from cdc.diff import Against, Changes, Comparison, compare_frame
from cdc.duplicates import POSITION
from cdc.hashing import FrameHashing
from model.row_hash import HashLayout, hash_expressions
from model.system_columns import CDC_OPERATION, KEY_HASH
from tests.unit.frames import stored

NEW = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`loaded` are the rows that go to staging, with their operation; `held_back` the conflicting ones among the candidates."""

    changes: Changes
    loaded: pl.DataFrame
    held_back: pl.DataFrame
    null_keys: pl.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """The counts that are not zero."""
        names = ("extracted", "inserted", "updated", "deleted", "unchanged", "duplicates", "quarantined")
        return {name: value for name in names if (value := getattr(self.changes, name))}

    def operations(self, *columns: str) -> list[tuple[object, ...]]:
        """Operation and values of every row to load, sorted."""
        return sorted(self.loaded.select(CDC_OPERATION, *columns).rows(), key=repr)


def compare(
    current: Current, frames: Sequence[pl.DataFrame], layout: HashLayout, older: Mapping[int, HashLayout] | None = None
) -> Compared:
    """Compare an extract with the current hashes; the extract is hashed under `layout`, whose id is NEW."""
    against = Against(current=current, layout_id=NEW, layout=layout, older=dict(older or {}))
    hashing = FrameHashing(columns=(), layout=layout, keys={}, first=not len(current.keys))
    compared = [compare_frame(frame, hashing.hash(frame), hashing, against) for frame in frames]
    comparison = Comparison()
    seen = [comparison.see(frame) for frame in compared]
    changes = comparison.finish(current)
    assert changes.extracted == (
        changes.inserted + changes.updated + changes.unchanged + changes.duplicates + changes.quarantined
    ), "every extracted row is counted once"
    candidates = pl.concat(seen)
    dropped, held_back = (p.implode() for p in (changes.dropped_positions, changes.quarantined_positions))
    return Compared(
        changes=changes,
        loaded=candidates.filter(~pl.col(POSITION).is_in(dropped)),
        held_back=candidates.filter(pl.col(POSITION).is_in(held_back)),
        null_keys=pl.concat([frame.null_keys for frame in compared]),
    )


def current(*parts: tuple[pl.DataFrame, HashLayout, int]) -> Current:
    """The current hashes of rows that were loaded under several layouts: (rows, layout, its id) each."""
    return current_of([stored(frame, under, layout_id) for frame, under, layout_id in parts])


def key_hashes(frame: pl.DataFrame, layout: HashLayout) -> list[bytes]:
    """The key hash of every row."""
    return frame.select(hash_expressions(layout)[0]).get_column(KEY_HASH).to_list()
