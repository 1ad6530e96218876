"""Rows of source, Stage and Bronze compared by key and then column by column.

A side's frame holds the source's columns as they are stored, `_key_hash` and `_row_hash` (UInt128), both recomputed from these
values, and for a layer whether its stored hashes are those. Rows meet by `_key_hash`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from cdc.reconciliation.segments import KEY_LIES, ROW_LIES
from model.system_columns import KEY_HASH, ROW_HASH


class Layer(StrEnum):
    """What the source is compared with."""

    STAGE = "STAGE"
    BRONZE = "BRONZE"


class Difference(StrEnum):
    """What is wrong with a key in a layer."""

    VALUE = "VALUE"
    MISSING = "MISSING"
    EXTRA = "EXTRA"
    DUPLICATE = "DUPLICATE"
    ROW_HASH = "ROW_HASH"
    KEY_HASH = "KEY_HASH"


AGAINST_SOURCE = (Difference.VALUE, Difference.MISSING, Difference.EXTRA)
"""What depends on the source's row, and so is looked at again before it counts."""
LAYER, KIND, COLUMN, SOURCE_VALUE, LAYER_VALUE = "layer", "kind", "column", "source_value", "layer_value"
DIFFERENCES = pl.Schema(
    {KEY_HASH: pl.UInt128, LAYER: pl.String, KIND: pl.String, COLUMN: pl.String, SOURCE_VALUE: pl.String, LAYER_VALUE: pl.String}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """The source's rows, a key once. Of `quarantined` keys it has several rows that differ; `duplicates` rows were repeats."""

    rows: pl.DataFrame
    quarantined: pl.Series
    duplicates: int


def settle_source(frame: pl.DataFrame) -> SourceRows:
    """Exact duplicates collapse, as they do when they are loaded; keys with different rows are set aside."""
    if frame.get_column(KEY_HASH).n_unique() == frame.height:
        return SourceRows(rows=frame, quarantined=frame.get_column(KEY_HASH).clear(), duplicates=0)
    several = frame.group_by(KEY_HASH).agg(pl.col(ROW_HASH).n_unique().alias("different")).filter(pl.col("different") > 1)
    quarantined = several.get_column(KEY_HASH)
    clean = frame.filter(~pl.col(KEY_HASH).is_in(quarantined.implode()))
    rows = clean.unique(KEY_HASH, keep="first", maintain_order=True)
    return SourceRows(rows=rows, quarantined=quarantined, duplicates=clean.height - rows.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One layer against the source: a row of `DIFFERENCES` for each key, kind and column; and what was looked at.

    `rows` are keys on either side; `apart` counts keys whose values differ in columns that nobody compares (excluded ones).
    """

    differences: pl.DataFrame
    rows: int
    apart: dict[str, int]


def compare_layer(
    source: SourceRows, layer: Layer, frame: pl.DataFrame, columns: Sequence[str], apart: Sequence[str] = ()
) -> Compared:
    """Compare a layer's current rows with the source's, leaving out the keys that the source sets aside."""
    frame = frame.filter(~pl.col(KEY_HASH).is_in(source.quarantined.implode())) if len(source.quarantined) else frame
    unique = frame.unique(KEY_HASH, keep="first", maintain_order=True)
    repeated = frame.filter(pl.col(KEY_HASH).is_duplicated()).select(KEY_HASH).unique() if unique.height < frame.height else None
    rows = source.rows
    parts = [
        _named(rows.join(unique, on=KEY_HASH, how="anti"), Difference.MISSING),
        _named(unique.join(rows, on=KEY_HASH, how="anti"), Difference.EXTRA),
        *([] if repeated is None else [_named(repeated, Difference.DUPLICATE)]),
        _named(frame.filter(pl.col(KEY_LIES)), Difference.KEY_HASH),
        _named(frame.filter(pl.col(ROW_LIES)), Difference.ROW_HASH),
    ]
    pairs = rows.join(unique, on=KEY_HASH, how="inner", suffix=" ")
    # Of a duplicate every row is a rival: which one is right is not for a comparison to say.
    pairs = pairs if repeated is None else pairs.join(repeated, on=KEY_HASH, how="anti")
    differing = pairs.filter(pl.col(ROW_HASH) != pl.col(f"{ROW_HASH} "))
    parts += [_values(differing, name) for name in columns]
    differences = pl.concat(parts).with_columns(pl.lit(str(layer)).alias(LAYER)).select(DIFFERENCES.names())
    missing = parts[0].height
    others = {name: differ for name in apart if (differ := pairs.filter(_differ(name)).height)}
    return Compared(differences=differences, rows=unique.height + missing, apart=others)


def _named(rows: pl.DataFrame, kind: Difference) -> pl.DataFrame:
    nothing = [pl.lit(None, dtype=pl.String).alias(name) for name in (COLUMN, SOURCE_VALUE, LAYER_VALUE)]
    return rows.select(KEY_HASH, pl.lit(str(kind)).alias(KIND), *nothing).unique(KEY_HASH)


def _values(pairs: pl.DataFrame, name: str) -> pl.DataFrame:
    return pairs.filter(_differ(name)).select(
        KEY_HASH,
        pl.lit(str(Difference.VALUE)).alias(KIND),
        pl.lit(name).alias(COLUMN),
        _text(name, pairs.schema[name]).alias(SOURCE_VALUE),
        _text(f"{name} ", pairs.schema[f"{name} "]).alias(LAYER_VALUE),
    )


def _differ(name: str) -> pl.Expr:
    """NULL differs from every value; a number from none of its other spellings; NaN is itself."""
    return pl.col(name).ne_missing(pl.col(f"{name} "))


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    if dtype.is_temporal():
        # Dates beyond polars' calendar cannot be spelled: they are the days or microseconds since 1970.
        spelled = pl.when(column.dt.year().is_not_null()).then(column).cast(pl.String)
        return spelled.fill_null(column.to_physical().cast(pl.String))
    return column.cast(pl.String)


def touched(source: SourceRows, layers: Sequence[pl.DataFrame], differences: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The keys to look at again: their `_key_hash`, the `_row_hash` of their row at the source (NULL: none), and their values."""
    wanted = differences.filter(pl.col(KIND).is_in([str(kind) for kind in AGAINST_SOURCE])).select(KEY_HASH).unique()
    known = source.rows.select(KEY_HASH, ROW_HASH, *keys).join(wanted, on=KEY_HASH, how="semi")
    gone = [frame.join(wanted, on=KEY_HASH, how="semi").select(KEY_HASH, *keys) for frame in layers]
    extra = pl.concat(gone).unique(KEY_HASH).join(known, on=KEY_HASH, how="anti")
    return pl.concat([known, extra.with_columns(pl.lit(None, dtype=pl.UInt128).alias(ROW_HASH)).select(known.columns)])


def in_flight(before: pl.DataFrame, again: pl.DataFrame) -> pl.Series:
    """Keys whose row at the source is another one, or has come or gone, than when it was first read (`touched`)."""
    rows = again.select(KEY_HASH, ROW_HASH).unique(KEY_HASH)
    both = before.select(KEY_HASH, ROW_HASH).join(rows, on=KEY_HASH, how="left", suffix=" ")
    return both.filter(pl.col(ROW_HASH).ne_missing(pl.col(f"{ROW_HASH} "))).get_column(KEY_HASH)


def confirmed(differences: pl.DataFrame, flying: pl.Series) -> pl.DataFrame:
    """The differences without those that a row in flight made."""
    if flying.is_empty():
        return differences
    moving = pl.col(KEY_HASH).is_in(flying.implode()) & pl.col(KIND).is_in([str(kind) for kind in AGAINST_SOURCE])
    return differences.filter(~moving)


def counts(differences: pl.DataFrame, layer: Layer) -> tuple[dict[str, int], dict[str, int]]:
    """Of one layer: keys by kind of difference, and keys by column whose value differs."""
    of_layer = differences.filter(pl.col(LAYER) == str(layer))
    kinds = of_layer.group_by(KIND).agg(pl.col(KEY_HASH).n_unique())
    columns = of_layer.filter(pl.col(COLUMN).is_not_null()).group_by(COLUMN).agg(pl.len())
    return dict(sorted(kinds.iter_rows())), dict(sorted(columns.iter_rows()))
