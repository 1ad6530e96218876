"""Which ordinary changes bring Stage and Bronze back to the source: pure, from the rows that were compared.

A promotion changes both layers alike, so both must hold a key before it: where only one does, Stage is settled first, by an
event of its own. A closed version is never touched, and keys of which a layer holds several rows are left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from cdc.diff import DELETE, INSERT, UPDATE
from cdc.reconciliation.rows import KIND, LAYER, Difference, Layer, SourceRows
from model.system_columns import CDC_OPERATION, KEY_HASH

_LEFT_TO_A_PERSON = (Difference.DUPLICATE, Difference.KEY_HASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairCounts:
    """How many keys which step changes, and how many are left to a person."""

    settled: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    left: int = 0

    @property
    def rows(self) -> int:
        """Changes of the promotion to both layers."""
        return self.inserted + self.updated + self.deleted

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to repair."""
        return not self.rows + self.settled

    def __add__(self, other: RepairCounts) -> RepairCounts:
        return RepairCounts(
            settled=self.settled + other.settled,
            inserted=self.inserted + other.inserted,
            updated=self.updated + other.updated,
            deleted=self.deleted + other.deleted,
            left=self.left + other.left,
        )

    def __str__(self) -> str:
        words = [
            f"{count:,} {word}"
            for count, word in (
                (self.inserted, "to insert"), (self.updated, "to update"), (self.deleted, "to delete"),
                (self.settled, "to settle in Stage first"), (self.left, "left to a person"),
            )
            if count
        ]  # fmt: skip
        return ", ".join(words) or "nothing to repair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Rows with `_cdc_operation`, in the columns of their side: `settling` changes Stage alone, `changes` then both layers."""

    settling: pl.DataFrame
    changes: pl.DataFrame
    left: int

    @property
    def counts(self) -> RepairCounts:
        """What it comes to."""
        by_operation = dict(self.changes.group_by(CDC_OPERATION).len().iter_rows())
        inserted, updated, deleted = (by_operation.get(operation, 0) for operation in (INSERT, UPDATE, DELETE))
        settled = self.settling.height
        return RepairCounts(settled=settled, inserted=inserted, updated=updated, deleted=deleted, left=self.left)


def plan_repair(source: SourceRows, layers: Mapping[Layer, pl.DataFrame], differences: pl.DataFrame) -> Repair:
    """Plan from differences that count; rows are the source's where it has the key, else the layer's."""
    left = _keys(differences, _LEFT_TO_A_PERSON)
    wrong = differences.select(KEY_HASH).unique().join(left, on=KEY_HASH, how="anti")
    stage, bronze = (layers[layer].select(KEY_HASH).unique() for layer in Layer)
    sides = {"source": source.rows.select(KEY_HASH), "stage": stage, "bronze": bronze}
    keys = wrong
    for name, side in sides.items():
        keys = keys.join(side.with_columns(pl.lit(value=True).alias(name)), on=KEY_HASH, how="left")
    keys = keys.with_columns(pl.col(name).fill_null(value=False) for name in sides)
    differs_in_bronze = _keys(differences.filter(pl.col(LAYER) == str(Layer.BRONZE)), tuple(Difference)).get_column(KEY_HASH)
    there, once = pl.col("source"), pl.col("stage") != pl.col("bronze")
    # A key that Bronze alone holds comes to Stage as Bronze's equal where that is right already, and that is all.
    done = there & ~pl.col("stage") & pl.col("bronze") & ~pl.col(KEY_HASH).is_in(differs_in_bronze.implode())
    held = pl.col("bronze")
    operation = (
        pl.when(done | (~there & ~held)).then(None)
        .when(there & held).then(pl.lit(UPDATE))
        .when(there).then(pl.lit(INSERT))
        .otherwise(pl.lit(DELETE))
    )  # fmt: skip
    settling = pl.when(once & pl.col("stage")).then(pl.lit(DELETE)).when(once).then(pl.lit(INSERT))
    keys = keys.with_columns(operation.alias("operation"), settling.alias("settling"))
    return Repair(
        settling=_rows(keys, "settling", source, layers),
        changes=_rows(keys, "operation", source, layers),
        left=left.height,
    )


def _keys(differences: pl.DataFrame, kinds: Iterable[Difference]) -> pl.DataFrame:
    return differences.filter(pl.col(KIND).is_in([str(kind) for kind in kinds])).select(KEY_HASH).unique()


def _rows(keys: pl.DataFrame, step: str, source: SourceRows, layers: Mapping[Layer, pl.DataFrame]) -> pl.DataFrame:
    """The keys' rows with the step's operation."""
    wanted = keys.filter(pl.col(step).is_not_null()).select(KEY_HASH, pl.col(step).alias(CDC_OPERATION))
    found = source.rows.join(wanted, on=KEY_HASH, how="inner")
    parts = [found]
    left = wanted.join(found, on=KEY_HASH, how="anti")
    for layer in (Layer.BRONZE, Layer.STAGE):
        rows = layers[layer].unique(KEY_HASH, keep="first").join(left, on=KEY_HASH, how="inner")
        left = left.join(rows, on=KEY_HASH, how="anti")
        parts.append(rows)
    return pl.concat(parts, how="diagonal")
