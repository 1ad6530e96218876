"""Row hashes and their layouts (DESIGN.md section 4).

A hash is `xxh3_128` over polars-hash's `hash_rows` encoding, version 1: injective (`("ab","c")` is not `("a","bc")`, NULL is
not `''`), independent of integer width and decimal scale, and blind to column names, which is why the names live in the
layout. It takes 0.0 and -0.0 for the same value. Encoding: https://pypi.org/project/polars-hash/ (`hash_rows`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import polars as pl
import polars_hash as plh

from model.errors import UnsupportedType
from model.masking import ColumnMask, MaskMethod
from model.system_columns import KEY_HASH, ROW_HASH
from model.types import Column, Kind

ALGORITHM = "xxh3_128/hash_rows-1"
HASH_BYTES = 16
_ENCODING_VERSION = 1

# hash_rows aborts the whole process on extension types, so only dtypes known to be safe ever reach it.
_HASHABLE = (
    pl.Boolean,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.UInt64,
    pl.Decimal,
    pl.Float32,
    pl.Float64,
    pl.String,
    pl.Binary,
    pl.Date,
    pl.Datetime,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HashLayout:
    """Which columns, of which kinds and in which order, two hashes were made of.

    Kinds, not widths: an integer or a decimal that was widened keeps its hash, so its layout too. The kinds are the source's; a
    column of `masks` is hashed as its token (`model.masking`). The columns of `excluded` are carried and not hashed. `masks` and
    `excluded` are in the order of their columns' names.
    """

    keys: tuple[tuple[str, Kind], ...]
    values: tuple[tuple[str, Kind], ...]
    algorithm: str = ALGORITHM
    masks: tuple[ColumnMask, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def key_names(self) -> tuple[str, ...]:
        """The key columns in the order they are hashed in."""
        return tuple(name for name, _ in self.keys)

    @property
    def value_names(self) -> tuple[str, ...]:
        """The other columns in the order they are hashed in."""
        return tuple(name for name, _ in self.values)

    @property
    def key_masks(self) -> tuple[ColumnMask, ...]:
        """The masks of key columns."""
        return tuple(mask for mask in self.masks if mask.column in self.key_names)

    @property
    def hashed_masks(self) -> tuple[ColumnMask, ...]:
        """The masks of columns that take part in a hash."""
        return tuple(mask for mask in self.masks if mask.column not in self.excluded)

    def to_json(self) -> str:
        """The text that a layout is stored as; without masks and exclusions it is what it was before there were any."""
        definition: dict[str, object] = {"algorithm": self.algorithm, "keys": self.keys, "values": self.values}
        if self.masks:
            definition["masks"] = [(mask.column, mask.method, mask.key) for mask in self.masks]
        if self.excluded:
            definition["excluded"] = self.excluded
        return json.dumps(definition, ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> HashLayout:
        """The layout that `to_json` wrote."""
        raw = json.loads(text)
        return HashLayout(
            keys=tuple((name, Kind(kind)) for name, kind in raw["keys"]),
            values=tuple((name, Kind(kind)) for name, kind in raw["values"]),
            algorithm=raw["algorithm"],
            masks=tuple(ColumnMask(column=c, method=MaskMethod(method), key=key) for c, method, key in raw.get("masks", ())),
            excluded=tuple(raw.get("excluded", ())),
        )


def layout_of(
    columns: Iterable[Column], keys: Sequence[str], masks: Iterable[ColumnMask] = (), excluded: Iterable[str] = ()
) -> HashLayout:
    """The layout of a source table: key columns and the rest but for the excluded, each in name order."""
    kinds = {column.name: column.type.kind for column in columns}
    left_out = {*keys, *excluded}
    return HashLayout(
        keys=tuple((name, kinds[name]) for name in sorted(keys)),
        values=tuple((name, kind) for name, kind in sorted(kinds.items()) if name not in left_out),
        masks=tuple(sorted(masks)),
        excluded=tuple(sorted(excluded)),
    )


class Comparing(Enum):
    """How a current row can be compared with an arriving one when it was hashed under another layout than that."""

    HASHED = "the arriving row is hashed under the layout of the stored one"
    REHASHED = "the stored row is read back and hashed under the layout of the arriving one"
    NEVER = "neither can be had, so the row counts as updated once"


def how_compared(stored: HashLayout, now: HashLayout, arriving: Collection[str]) -> Comparing:
    """How rows hashed under `stored` are compared with rows hashed under `now` that hold the columns `arriving`.

    A column that has gone cannot be hashed in arriving rows, and one of another kind hashes otherwise although its values are the
    same. One that is excluded now must not be compared any more; one that no longer is must be, and the old hash says nothing of
    it. The stored rows then decide, unless a mask kept too little of them.
    """
    kinds = dict(now.values)
    gone = any(name not in arriving or kinds.get(name, kind) is not kind for name, kind in stored.values)
    included = any(name in stored.excluded for name in now.value_names)
    excluded = any(name in now.excluded for name in stored.value_names)
    if not (gone or included or excluded):
        return Comparing.HASHED
    if _can_rehash(stored, now):
        return Comparing.REHASHED
    return Comparing.NEVER if gone or included else Comparing.HASHED


def _can_rehash(stored: HashLayout, now: HashLayout) -> bool:
    """Whether the values that rows of `stored` hold are those that are hashed under `now`."""
    before, after = ({mask.column: mask for mask in layout.masks} for layout in (stored, now))
    known = {*stored.value_names, *stored.excluded}
    masks = [(before.get(name), after.get(name)) for name in now.value_names if name in known]
    return all(one == other and (one is None or one.method.keeps_token) for one, other in masks)


def hash_expressions(layout: HashLayout) -> list[pl.Expr]:
    """`_key_hash` and `_row_hash` as 16 bytes each, big-endian, never NULL."""
    return [
        _encoded(layout.key_names).xxh3_128(return_binary=True, byte_order="big").alias(KEY_HASH),
        _encoded(layout.value_names).xxh3_128(return_binary=True, byte_order="big").alias(ROW_HASH),
    ]


def integer_hashes(layout: HashLayout) -> list[pl.Expr]:
    """`_key_hash` and `_row_hash` as UInt128: what `as_integer` makes of the bytes, for a quarter less time."""
    return [_encoded(layout.key_names).xxh3_128().alias(KEY_HASH), _encoded(layout.value_names).xxh3_128().alias(ROW_HASH)]


def check_hashable(table: str, frame_schema: pl.Schema) -> None:
    """Refuse dtypes that the encoder does not know before it sees them.

    Raises:
        UnsupportedType: naming table, column and dtype.
    """
    for name, dtype in frame_schema.items():
        if not isinstance(dtype, _HASHABLE) or (isinstance(dtype, pl.Datetime) and dtype.time_unit != "us"):
            raise UnsupportedType(
                f"{table}: column {name!r} arrived as {dtype}, which cannot be compared exactly.",
                remedy="Load a view that casts the column to a supported type, for instance to text.",
            )


def as_integer(hashes: pl.Expr) -> pl.Expr:
    """16-byte hashes as UInt128, whose numeric order is the order of the bytes."""
    return hashes.bin.reinterpret(dtype=pl.UInt128, endianness="big")


def _encoded(names: Sequence[str]) -> plh.NonCryptographicHashingNameSpace:
    # A table whose columns are all key still has a row hash: that of a row without columns, one constant.
    columns: list[str | pl.Expr] = list(names) or [pl.lit(value=True)]
    return plh.hash_rows(columns, version=_ENCODING_VERSION).nchash
