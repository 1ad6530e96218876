"""Row hashes and their layouts (DESIGN.md section 4).

A hash is `xxh3_128` over polars-hash's `hash_rows` encoding, version 1: injective (`("ab","c")` is not `("a","bc")`, NULL is
not `''`), independent of integer width and decimal scale, and blind to column names, which is why the names live in the
layout. It takes 0.0 and -0.0 for the same value. Encoding: https://pypi.org/project/polars-hash/ (`hash_rows`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl
import polars_hash as plh

from model.errors import UnsupportedType
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

    Kinds, not widths: an integer or a decimal that was widened keeps its hash, so its layout too.
    """

    keys: tuple[tuple[str, Kind], ...]
    values: tuple[tuple[str, Kind], ...]
    algorithm: str = ALGORITHM

    @property
    def key_names(self) -> tuple[str, ...]:
        """The key columns in the order they are hashed in."""
        return tuple(name for name, _ in self.keys)

    @property
    def value_names(self) -> tuple[str, ...]:
        """The other columns in the order they are hashed in."""
        return tuple(name for name, _ in self.values)

    def to_json(self) -> str:
        """The canonical text by which a stored layout is found again."""
        return json.dumps(
            {"algorithm": self.algorithm, "keys": self.keys, "values": self.values}, ensure_ascii=False, separators=(",", ":")
        )

    @staticmethod
    def from_json(text: str) -> HashLayout:
        """The layout that `to_json` wrote."""
        raw = json.loads(text)
        return HashLayout(
            keys=tuple((name, Kind(kind)) for name, kind in raw["keys"]),
            values=tuple((name, Kind(kind)) for name, kind in raw["values"]),
            algorithm=raw["algorithm"],
        )


def layout_of(columns: Iterable[Column], keys: Sequence[str]) -> HashLayout:
    """The layout of a source table: key columns and the rest, each in name order."""
    kinds = {column.name: column.type.kind for column in columns}
    return HashLayout(
        keys=tuple((name, kinds[name]) for name in sorted(keys)),
        values=tuple((name, kind) for name, kind in sorted(kinds.items()) if name not in set(keys)),
    )


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
