"""The character file that BCP loads: lossless, or refused. A field is its text as it is, NULL is an empty field, '' one NUL.

There is no quoting and no escaping, for BCP knows none: fields and rows end with characters that the data is proven not to hold,
chosen for each file. Microsoft's utility reads UTF-16, FreeTDS's UTF-8.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl

from model.errors import ValueNotExact
from model.types import Column, Kind

# Control characters that text hardly holds, then Unicode's private use area. NUL, tab, newlines and blanks are left to the data.
_CANDIDATES = tuple(map(chr, chain(range(0x1F, 0x0D, -1), range(0x01, 0x09), range(0xE000, 0xF8FF))))
_FEW = 4  # most text holds none of the first; the others are looked for only where it does
# The least floats that are not subnormal: strtod reports those below as out of range. The others' shortest digits give them back.
_LEAST: dict[pl.DataType, float] = {pl.Float64(): 2.0**-1022, pl.Float32(): 2.0**-126}
_TIMESTAMP = "%Y-%m-%d %H:%M:%S%.6f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminators:
    """What ends a field and what ends a row: two characters each, the first of which the file's text does not hold."""

    field: str
    row: str


class NotInCharacters(ValueNotExact):
    """A value that a character file cannot say: it would be read as another one. Another way of loading may hold it."""


def write_characters(frame: pl.DataFrame, columns: Sequence[Column], path: Path, *, freetds: bool) -> Terminators:
    """Write a frame's `columns` to a new private file (0600); returns what ends its fields and rows.

    Raises:
        NotInCharacters: naming the column.
    """
    _refuse(frame, columns)
    if freetds:
        _refuse_for_freetds(frame, columns)
    terminators = choose_terminators(frame.select(c.name for c in columns if c.type.kind is Kind.TEXT))
    fields = [_field(column) for column in columns]
    line = pl.concat_str(fields, separator=terminators.field) + terminators.row
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for part in frame.iter_slices(_slice_rows(frame)):
            text: str = part.select(line.str.join("")).item()
            file.write(text.encode("utf-8" if freetds else "utf-16-le"))
    return terminators


def choose_terminators(text: pl.DataFrame) -> Terminators:
    """Two different characters that no text column holds, each doubled.

    Raises:
        NotInCharacters: the text holds every candidate.
    """
    absent = [character for character in _CANDIDATES[:_FEW] if not _holds(text, character)]
    if len(absent) < 2:  # noqa: PLR2004 - one for fields and one for rows
        absent += [character for character in _CANDIDATES[_FEW:] if not _holds(text, character)][:2]
    if len(absent) < 2:  # noqa: PLR2004
        raise NotInCharacters("The text holds every character that could end a field.", remedy=_REMEDY)
    return Terminators(field=absent[0] * 2, row=absent[1] * 2)


def _holds(text: pl.DataFrame, character: str) -> bool:
    return text.width > 0 and any(
        held for held in text.select(pl.all().str.contains(character, literal=True).any()).row(0)
    )


def _field(column: Column) -> pl.Expr:
    held = pl.col(column.name)
    match column.type.kind:
        case Kind.TEXT:
            shown = pl.when(held == "").then(pl.lit("\0")).otherwise(held)
        case Kind.BINARY:
            shown = held.bin.encode("hex")
        case Kind.BOOLEAN:
            shown = held.cast(pl.Int8).cast(pl.String)
        case Kind.TIMESTAMP:
            shown = held.dt.to_string(_TIMESTAMP)
        case Kind.TIMESTAMPTZ:
            shown = held.dt.to_string(f"{_TIMESTAMP} +00:00")
        case _:
            shown = held.cast(pl.String)
    return shown.fill_null("")


def _refuse(frame: pl.DataFrame, columns: Sequence[Column]) -> None:
    for column in columns:
        values = frame.get_column(column.name)
        match column.type.kind:
            case Kind.TEXT if values.str.contains("\0", literal=True).any():
                raise _refusal(column, "text with a NUL character in it, which stands for ''")
            case Kind.BINARY if (values.bin.size() == 0).any():
                raise _refusal(column, "zero bytes, which an empty field makes NULL")
            case Kind.FLOAT if ((values != 0) & (values.abs() < _LEAST[values.dtype])).any():
                raise _refusal(column, "a float so small that its digits are read as an overflow")
            case _:
                pass


def _refuse_for_freetds(frame: pl.DataFrame, columns: Sequence[Column]) -> None:
    """What freebcp (1.3) alters in silence."""
    for column in columns:
        values = frame.get_column(column.name)
        match column.type.kind:
            case Kind.TEXT if values.str.ends_with(" ").any():
                raise _refusal(column, "text with blanks at its end, which freebcp cuts off,")
            case Kind.DATE | Kind.TIMESTAMP if (values.dt.year() < 1000).any():  # noqa: PLR2004
                raise _refusal(column, "a date before the year 1000, whose century freebcp guesses,")
            case _:
                pass


def _refusal(column: Column, what: str) -> NotInCharacters:
    return NotInCharacters(f"Column {column.name!r} holds {what} in BCP's character file.", remedy=_REMEDY)


def _slice_rows(frame: pl.DataFrame) -> int:
    """Rows whose text is about 32 MiB: they are put together in memory."""
    return max(1, 32 * 1024 * 1024 * frame.height // max(1, int(frame.estimated_size())))


_REMEDY = "Set BCP_ENGINE=auto, which sends such rows in another way, or load a view without them."
