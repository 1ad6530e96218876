"""A region as SQL, for targets that read less by it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from connections.target import Target
from model.region import Region, Value

_TYPES: dict[type, TypeEngine[Any]] = {int: sa.BigInteger(), Decimal: sa.Numeric(), str: sa.Unicode()}


def enclosed(target: Target, table: sa.TableClause, region: Region | None) -> list[sa.ColumnElement[bool]]:
    """The conditions that a table's rows lie in a region; none where it is not known, or the target finds rows by index."""
    if region is None or not target.reads_by_region:
        return []
    column = table.c[region.column]
    ends = [column >= _literal(region.start)] if region.start is not None else []
    return [*ends, *([column < _literal(region.end)] if region.end is not None else [])]


def _literal(value: Value) -> sa.ColumnElement[object]:
    if isinstance(value, datetime):
        return sa.literal(value, sa.DateTime(timezone=value.tzinfo is not None))
    return sa.literal(value, sa.Date() if isinstance(value, date) else _TYPES[type(value)])
