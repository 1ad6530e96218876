"""Values that SQL Server cannot hold: refused by column before anything is sent, never cut, rounded or replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from connections.calendar_years import outside_of_years
from connections.mssql_types import LONGEST_VARBINARY, code_units
from model.errors import ValueNotExact
from model.names import TableName
from model.types import TIME_TEXT, UUID_TEXT, Column, Kind

_UUID = f"^{UUID_TEXT}$"
_TIME = f"^{TIME_TEXT}$"


def checked(name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The frames, each one looked through before it is passed on.

    Raises:
        ValueNotExact: naming the column and what of it cannot be held.
    """
    tests = [(column.name, reason, test) for column in columns for reason, test in _refused(column)]
    for frame in frames:
        if tests:
            found = frame.select(test.any().alias(str(number)) for number, (_, _, test) in enumerate(tests)).row(0)
            for (column, reason, _), refused in zip(tests, found, strict=True):
                if refused:
                    raise ValueNotExact(
                        f"{name}: column {column!r} holds {reason}.",
                        remedy="Load a view that casts the column to text, or leaves such rows out.",
                    )
        yield frame


def _refused(column: Column) -> Iterator[tuple[str, pl.Expr]]:
    held = pl.col(column.name)
    match column.type.kind:
        case Kind.FLOAT:
            yield "a float that is not finite (SQL Server has no such)", ~held.is_finite()
        case Kind.TIME:
            what = "a time that TIME cannot hold (24:00:00, an offset, over six digits of a second, zeros at its end)"
            yield what, ~held.str.contains(_TIME)
        case Kind.UUID:
            yield "a UUID that is not in canonical, lower-case form: its spelling would be lost", ~held.str.contains(_UUID)
        case Kind.TEXT if (room := code_units(column.type)) is not None:
            yield f"text longer than NVARCHAR({room})", _units(held) > room
        case Kind.BINARY if column.type.length and column.type.length <= LONGEST_VARBINARY:
            yield f"more than {column.type.length} bytes", held.bin.size() > column.type.length
        case Kind.DATE | Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            yield "a date outside of the years 1 to 9999", outside_of_years(column)
        case _:
            return


def _units(text: pl.Expr) -> pl.Expr:
    # A character beyond the BMP is four bytes of UTF-8 and two code units; counting them costs, so only where it can matter.
    characters = text.str.len_chars()
    return characters + text.str.count_matches(r"[\x{10000}-\x{10FFFF}]")
