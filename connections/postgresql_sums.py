"""Sums of hashes that PostgreSQL makes of rows' values: what is equal at a source and in the warehouse need not travel.

`hash_record_extended` hashes a value as its type's equality has it, alike in all types of a family: 1.10 as 1.1, an integer as
the bigint of that number. Text is hashed by its bytes, whatever the column's collation takes for equal. A hash holds for one
major version and encoding: where two servers differ in these, so do their sums, which then prove nothing.
Source: https://www.postgresql.org/docs/14/functions-comparisons.html#ROW-WISE-COMPARISON
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from model.types import Column, Kind

Expression = sa.ColumnElement[Any]
SINCE = 14
"""The first major version that has the function."""
_TEXTS = frozenset({Kind.TEXT, Kind.TIME, Kind.UUID})


def row_hash(values: Sequence[Expression]) -> Expression:
    """The hash of these values of a row, 64 bits with a sign."""
    return sa.func.hash_record_extended(sa.func.row(*values), sa.literal_column("0"), type_=sa.BigInteger())


def hashable(values: Iterable[tuple[Column, Expression]]) -> list[Expression]:
    """Values as they travel, as they are hashed."""
    return [
        sa.collate(sa.type_coerce(value, sa.Text()), "C") if column.type.kind in _TEXTS else value for column, value in values
    ]


def value_sums(
    rows: sa.FromClause,
    conditions: Sequence[sa.ColumnElement[bool]],
    key_hash: Expression,
    values: Sequence[Expression],
    hashes: Sequence[Expression],
) -> sa.Select[Any]:
    """By segment of the stored key hash: rows, the sum of their values with their stored hashes, and that of the values alone."""
    high, low = (sa.func.get_byte(key_hash, place) for place in (0, 1))
    segment = high * sa.literal_column("16") + low.op(">>")(sa.literal_column("4"))
    named = [value.label(f"h{number}") for number, value in enumerate(hashes)]
    inner = sa.select(segment.label("segment"), row_hash(values).label("valued"), *named).select_from(rows).where(*conditions)
    # Without OFFSET the two levels would become one, and the values be hashed twice.
    once = inner.offset(sa.literal_column("0")).subquery("once")
    whole = row_hash([once.c.valued, *(once.c[f"h{number}"] for number in range(len(hashes)))])
    sums = (sa.func.count(), sa.func.sum(whole), sa.func.sum(once.c.valued))
    return sa.select(once.c.segment, *sums).select_from(once).group_by(once.c.segment)
