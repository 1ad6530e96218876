"""Keys that arrive more than once: equal rows collapse, rows that differ send the key to quarantine."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from model.system_columns import KEY_HASH, ROW_HASH
from model.system_columns import POSITION as _POSITION

INDEX, POSITION = "index", _POSITION


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What is left when duplicates are settled. Rows: clean candidates + `unchanged` + `duplicates` + `quarantined`."""

    clean: pl.DataFrame
    unchanged: int
    duplicates: int
    quarantined: int
    quarantined_positions: pl.Series
    dropped_positions: pl.Series


def resolve(candidates: pl.DataFrame, unchanged: pl.Series, seen: pl.Series) -> Resolution:
    """Settle duplicates among candidates and between them and unchanged rows.

    `candidates` holds key and row hash, `index` (row of the current hashes, NULL for a new key) and position; `unchanged` the
    index of every unchanged arrival; `seen` one flag a current row: it arrived unchanged at least once.
    """
    repeats = len(unchanged) - int(seen.sum())
    known = candidates.get_column(INDEX)
    collides = pl.Series(known.is_not_null() & seen.gather(known.fill_null(0))) if len(seen) else known.is_not_null()
    if not repeats and not collides.any() and candidates.get_column(KEY_HASH).n_unique() == len(candidates):
        none = candidates.get_column(POSITION).head(0)
        return Resolution(
            clean=candidates,
            unchanged=len(unchanged),
            duplicates=0,
            quarantined=0,
            quarantined_positions=none,
            dropped_positions=none,
        )
    several = pl.col(ROW_HASH).n_unique().over(KEY_HASH) > 1
    marked = candidates.with_columns(conflict=several | pl.lit(collides))
    conflicts = marked.filter("conflict")
    clean = marked.filter(~pl.col("conflict")).unique(KEY_HASH, keep="first", maintain_order=True)
    collided = candidates.filter(collides).get_column(INDEX).unique()
    hits = unchanged.filter(unchanged.is_in(collided.implode())) if len(collided) else unchanged.head(0)
    kept = candidates.join(clean, on=POSITION, how="anti")
    return Resolution(
        clean=clean.drop("conflict"),
        unchanged=int(seen.sum()) - len(collided),
        duplicates=len(candidates) - len(conflicts) - len(clean) + repeats - (len(hits) - len(collided)),
        quarantined=len(conflicts) + len(hits),
        quarantined_positions=conflicts.get_column(POSITION),
        dropped_positions=kept.get_column(POSITION),
    )
