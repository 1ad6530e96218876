"""When a type holds every value of another one of its kind, and what altering a stored column to it costs. Pure."""

from __future__ import annotations

from enum import StrEnum

from model.types import ColumnType, Kind


class Widening(StrEnum):
    """What a target does to give a stored column a wider type."""

    METADATA = "a change of metadata"
    REWRITE = "rewrites its rows"


def widens(before: ColumnType, after: ColumnType) -> bool:
    """Whether `after` holds every value of `before` as the same value, in the same kind: no hash changes then.

    Equal types widen each other.
    """
    if before.kind is not after.kind:
        return False
    match before.kind:
        case Kind.INTEGER:
            (least, most), (lower, upper) = _range(before), _range(after)
            return lower <= least and most <= upper
        case Kind.DECIMAL:
            return after.scale >= before.scale and after.precision - after.scale >= before.precision - before.scale
        case Kind.FLOAT:
            return after.bits >= before.bits
        case Kind.TEXT | Kind.BINARY:
            return not after.length or bool(before.length and after.length >= before.length)
        case _:
            return True


def _range(integer: ColumnType) -> tuple[int, int]:
    if integer.unsigned:
        return 0, 2**integer.bits - 1
    return -(2 ** (integer.bits - 1)), 2 ** (integer.bits - 1) - 1
