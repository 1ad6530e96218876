"""Masks of columns that hold personal data (`MaskWith` in UdmTablesColumnsList): what is stored, and what is hashed, instead.

Under every mask a value enters the hashes as its token, so that a change is still found and no hash can be turned back:

    token = hex(HMAC-SHA256(key, kind + ":" + canonical value)), 64 characters; NULL stays NULL

The canonical value is the same for equal values and for no others: digits of an integer, of a decimal without zeros at its end,
text as UTF-8, binary as it is, `true` or `false`, days or microseconds since 1970, and of a float the bits (64, big-endian, as a
decimal number; 0.0 for -0.0). The kind keeps the integer 1 and the text '1' apart. Neither table nor column enters a token: equal
values of one kind are equal wherever they stand, so that masked columns can still be joined.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from enum import StrEnum

import polars as pl
import polars_hash as plh

from model.types import Column, ColumnType, Kind

LEAST_KEY_BYTES = 16
_HIDDEN = "****"
_KEPT = 4
_TOKEN = ColumnType(kind=Kind.TEXT, length=64)
_KEPT_TEXT = ColumnType(kind=Kind.TEXT, length=len(_HIDDEN) + _KEPT)
# Of a date or a float the last four characters mean nothing; of a flag they are the value.
_WITH_LAST_CHARACTERS = frozenset({Kind.TEXT, Kind.INTEGER, Kind.DECIMAL, Kind.UUID})


class MaskMethod(StrEnum):
    """What Stage and Bronze hold in the place of a value."""

    HMAC = "hmac-sha256"
    NULL = "null"
    KEEP_LAST_4 = "keep-last-4"

    @property
    def keeps_token(self) -> bool:
        """Whether what is stored is what was hashed, so that stored rows can be hashed anew."""
        return self is MaskMethod.HMAC


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskKey:
    """A key of masks: text, so that any HMAC tool can make a token again."""

    secret: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Names the key and tells nothing of it: 16 hex digits. No token has its message, for none lacks a kind and a colon."""
        return hmac.digest(self.secret.encode(), b"fingerprint", "sha256").hex()[:16]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnMask:
    """How one column is masked, as a hash layout records it: never the key."""

    column: str
    method: MaskMethod
    key: str


def can_mask(column_type: ColumnType, method: MaskMethod) -> bool:
    """Whether a method makes sense for a type."""
    return method is not MaskMethod.KEEP_LAST_4 or column_type.kind in _WITH_LAST_CHARACTERS


def stored_column(column: Column, method: MaskMethod) -> Column:
    """The column as Stage and Bronze hold it: a token and what is kept are text, NULLs are of the source's type."""
    types = {MaskMethod.HMAC: _TOKEN, MaskMethod.NULL: column.type, MaskMethod.KEEP_LAST_4: _KEPT_TEXT}
    return replace(column, type=types[method], mask=str(method))


def token(name: str, column_type: ColumnType, key: MaskKey) -> pl.Expr:
    """The tokens of a column of clear values in its canonical dtype."""
    if column_type.kind is Kind.BINARY:
        message = pl.lit(f"{column_type.kind}:".encode()) + pl.col(name)
    else:
        message = pl.lit(f"{column_type.kind}:") + _canonical(name, column_type)
    return plh.CryptographicHashingNameSpace(message).hmac_sha256(key=key.secret).alias(name)


def shown(name: str, column_type: ColumnType, method: MaskMethod) -> pl.Expr:
    """What is stored of clear values that are not stored as their tokens.

    A value of fewer than eight characters is hidden whole: four that are kept would be half of it or more.
    """
    if method is MaskMethod.NULL:
        return pl.lit(None, dtype=column_type.dtype).alias(name)
    text = pl.col(name).cast(pl.String)
    kept = pl.when(text.str.len_chars() >= 2 * _KEPT).then(text.str.tail(_KEPT)).otherwise(pl.lit(""))
    return pl.when(text.is_not_null()).then(pl.lit(_HIDDEN) + kept).alias(name)


def _canonical(name: str, column_type: ColumnType) -> pl.Expr:
    column = pl.col(name)
    match column_type.kind:
        case Kind.DECIMAL if column_type.scale:
            return column.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
        case Kind.FLOAT:
            wide = column.cast(pl.Float64).fill_nan(float("nan"))
            folded = pl.when(wide == 0.0).then(pl.lit(0.0)).otherwise(wide)
            return folded.reinterpret(dtype=pl.UInt64).cast(pl.String)
        case Kind.DATE | Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return column.to_physical().cast(pl.String)
        case _:
            return column.cast(pl.String)
