"""A value beside a column of the warehouse, in the one SQL type that a value of its kind has there, whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine


class PlainNumeric(sa.types.TypeDecorator[Decimal]):
    """Decimals that are written without an exponent, which would make floats of them."""

    impl = sa.Numeric
    cache_ok = True

    def process_literal_param(self, value: Decimal | None, dialect: object) -> str:
        """All digits."""
        del dialect
        assert value is not None  # noqa: S101 - an end of a range
        return format(value, "f")


def typed(value: object) -> sa.ColumnElement[Any]:
    """An end of a range of dates, as a warehouse's table holds it: a whole number, a decimal, text, a day or a moment.

    Raises:
        TypeError: it is of none of these kinds.
    """
    for kind, type_of in _TYPES.items():
        if isinstance(value, kind) and not isinstance(value, bool):
            return sa.literal(value, type_of(value))
    raise TypeError(f"no column of dates is compared with a {type(value).__name__}")


def _moment(value: datetime) -> TypeEngine[Any]:
    return sa.DateTime(timezone=value.tzinfo is not None)


# The first that fits: a datetime is a date.
_TYPES: dict[type, Callable[[Any], TypeEngine[Any]]] = {
    datetime: _moment,
    date: lambda _: sa.Date(),
    int: lambda _: sa.BigInteger(),
    Decimal: lambda _: PlainNumeric(),
    str: lambda _: sa.Unicode(),
}
