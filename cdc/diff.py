"""The comparison, as pure polars: hashes of the current rows against the frames of an extract, one frame after another.

Nothing of an unchanged row is kept: a frame is looked up in the index of the current hashes (`cdc.current`), its unchanged
rows are only remembered as seen, and the rest, the candidates, go on. Memory is 44 to 48 bytes a current row plus the
candidates' hashes, however wide the table is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from cdc.current import Current, mark_of, numbers, parts_of
from cdc.duplicates import INDEX, POSITION, resolve
from cdc.hashing import FrameHashing, HashedFrame, with_hash_bytes
from model.row_hash import HashLayout
from model.system_columns import CDC_OPERATION, HASH_LAYOUT, KEY_HASH, ROW_HASH

INSERT, UPDATE, DELETE = "I", "U", "D"


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What frames are compared with: the current rows, and the layouts that they and the frames are hashed under.

    Rows of the `older` layouts in `incomparable` count as changed, for nothing can be compared with their hashes.
    """

    current: Current
    layout_id: int
    layout: HashLayout
    older: Mapping[int, HashLayout]
    incomparable: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFrame:
    """A frame of an extract, compared. Positions count from the frame's first row.

    `candidates` are the rows that are new or differ, with hashes (16 bytes), layout, operation and position; `hashes` holds their
    hashes as integers, the position of the current row of their key (`index`, NULL for a new key) and their own. `unchanged` are
    positions of current rows.
    """

    height: int
    candidates: pl.DataFrame
    hashes: pl.DataFrame
    unchanged: pl.Series
    null_keys: pl.DataFrame


def compare_frame(clear: pl.DataFrame, hashed: HashedFrame, hashing: FrameHashing, against: Against) -> ComparedFrame:
    """Find the rows of a frame, `clear` as it was extracted and `hashed` by `hashing`, that are no current ones."""
    current = against.current
    if len(current.keys):
        older = hashing.under(against.older, against.incomparable, clear, hashed)
        chosen, index, unchanged = _look_up(hashed, current, _marks(hashed, against.layout_id, older))
    else:
        chosen = numbers(hashed.frame.height).filter(~hashed.null_key)
        index, unchanged = pl.repeat(None, len(chosen), dtype=pl.UInt32, eager=True), chosen.clear()
    whole = len(chosen) == hashed.frame.height
    position = chosen.cast(pl.Int64).alias(POSITION)
    return ComparedFrame(
        height=hashed.frame.height,
        candidates=with_hash_bytes(hashed.frame if whole else hashed.frame[chosen], against.layout).with_columns(
            pl.lit(against.layout_id, dtype=pl.Int64).alias(HASH_LAYOUT),
            pl.when(pl.lit(index).is_null()).then(pl.lit(INSERT)).otherwise(pl.lit(UPDATE)).alias(CDC_OPERATION),
            position,
        ),
        hashes=(hashed.hashes if whole else hashed.hashes[chosen]).with_columns(index.alias(INDEX), position),
        unchanged=unchanged,
        null_keys=with_hash_bytes(hashed.frame.filter(hashed.null_key), against.layout),
    )


def _look_up(
    hashed: HashedFrame, current: Current, marks: Mapping[int, pl.Series]
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Positions of the rows that are equal to no current one, ascending; of the current rows of their keys, NULL where there is
    none; and of the current rows that the others are equal to."""
    keys = hashed.hashes.get_column(KEY_HASH)
    near = current.near(parts_of(keys))
    same = _equal(current, marks, near) & ~hashed.null_key
    # Few are left, and only for them it matters that several keys may share the part which was searched by.
    left = numbers(len(keys)).filter(~(same | hashed.null_key))
    index = current.find(keys[left])
    late = _equal(current, {identity: mark[left] for identity, mark in marks.items()}, index)
    return left.filter(~late), index.filter(~late), pl.concat([near.filter(same), index.filter(late)])


def _marks(hashed: HashedFrame, layout_id: int, older: Mapping[int, pl.Series]) -> dict[int, pl.Series]:
    """Each row's mark by layout."""
    keys, rows = hashed.hashes.get_columns()
    return {identity: mark_of(keys, values) for identity, values in {layout_id: rows, **older}.items()}


def _equal(current: Current, marks: Mapping[int, pl.Series], index: pl.Series) -> pl.Series:
    """Row by row: whether it has the hashes of the current one at `index` (NULL: none), under the layout of that one."""
    before = current.marks[index]
    if len(marks) == 1:
        [mark] = marks.values()
        return (before == mark).fill_null(value=False)
    stored = current.layout_ids.gather(index if len(current.layout_ids) > 1 else index * 0)
    equal = pl.repeat(value=False, n=len(index), dtype=pl.Boolean, eager=True)
    for identity, mark in marks.items():
        equal |= ((stored == identity) & (before == mark)).fill_null(value=False)
    return equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an extract changes. Its rows are inserted + updated + unchanged + duplicates + quarantined.

    `dropped_positions` are the candidates not to be loaded, `quarantined_positions` those of them that need a person;
    `deleted_keys` are the 16-byte key hashes of current rows that did not arrive.
    """

    extracted: int
    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    quarantined: int
    quarantined_positions: pl.Series
    dropped_positions: pl.Series
    deleted_keys: pl.Series

    @property
    def deleted(self) -> int:
        """Current keys that did not arrive."""
        return len(self.deleted_keys)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to promote."""
        return self.inserted + self.updated + self.deleted == 0


NO_CHANGES = Changes(
    extracted=0,
    inserted=0,
    updated=0,
    unchanged=0,
    duplicates=0,
    quarantined=0,
    quarantined_positions=pl.Series(dtype=pl.Int64),
    dropped_positions=pl.Series(dtype=pl.Int64),
    deleted_keys=pl.Series(dtype=pl.Binary),
)


@dataclass(slots=True, kw_only=True)
class Comparison:
    """Adds up compared frames, in one thread and in the extract's order: `see` each once, then `finish`."""

    extracted: int = 0
    null_keys: int = 0
    _unchanged: list[pl.Series] = field(default_factory=list)
    _candidates: list[pl.DataFrame] = field(default_factory=list)

    def see(self, frame: ComparedFrame) -> pl.DataFrame:
        """Returns the frame's candidates, with their positions in the whole extract."""
        moved = pl.col(POSITION) + self.extracted
        self.extracted += frame.height
        self.null_keys += frame.null_keys.height
        self._unchanged.append(frame.unchanged)
        self._candidates.append(frame.hashes.with_columns(moved))
        return frame.candidates.with_columns(moved)

    def finish(self, current: Current) -> Changes:
        """The changes, when every frame of a complete extract has been seen."""
        unchanged = pl.concat(self._unchanged) if self._unchanged else pl.Series(dtype=pl.UInt32)
        candidates = pl.concat(self._candidates) if self._candidates else _NO_CANDIDATES
        seen = _flags(len(current.keys), unchanged)
        settled = resolve(candidates, unchanged, seen)
        missing = ~(seen | _flags(len(current.keys), candidates.get_column(INDEX).drop_nulls()))
        inserted = settled.clean.get_column(INDEX).null_count()
        return Changes(
            extracted=self.extracted,
            inserted=inserted,
            updated=len(settled.clean) - inserted,
            unchanged=settled.unchanged,
            duplicates=settled.duplicates,
            quarantined=settled.quarantined + self.null_keys,
            quarantined_positions=settled.quarantined_positions,
            dropped_positions=settled.dropped_positions,
            deleted_keys=as_bytes(current.keys.filter(missing)),
        )


def as_bytes(keys: pl.Series) -> pl.Series:
    """UInt128 hashes as the 16 bytes they are stored as."""
    return pl.Series(keys.name, [key.to_bytes(16, "big") for key in keys], dtype=pl.Binary)


def _flags(size: int, positions: pl.Series) -> pl.Series:
    flags = pl.repeat(value=False, n=size, dtype=pl.Boolean, eager=True)
    return flags.scatter(positions, True) if len(positions) else flags  # noqa: FBT003


_NO_CANDIDATES = pl.DataFrame(schema={KEY_HASH: pl.UInt128, ROW_HASH: pl.UInt128, INDEX: pl.UInt32, POSITION: pl.Int64})
