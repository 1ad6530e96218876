"""The sum that a PostgreSQL source makes of a table's values, by the function that a PostgreSQL warehouse has too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from connections.postgresql_sums import hashable, row_hash
from extract.connectorx_extractor.kinds import SourceKind
from extract.extractor import SourceTable
from extract.selection import Selection
from model.types import Column

# Types whose values travel as they are; char(n) is none, for its equality passes over the blanks that travel.
_AS_IT_IS = re.compile(
    r"smallint|integer|bigint|numeric\(\d+,\d+\)|real|double precision|boolean|date|text|character varying(\(\d+\))?|bytea"
    r"|timestamp(\(\d\))? with(out)? time zone"
)


def is_summed(column: Column) -> bool:
    """Whether the source hashes a column's values as the warehouse hashes what it stores of them."""
    return _AS_IT_IS.fullmatch(column.source_type) is not None


def sum_query(
    kind: SourceKind, table: SourceTable, columns: Sequence[Column], selection: Selection | None = None
) -> sa.Select[Any]:
    """Rows, and the sum of the hashes of their `columns` in this order; of a `selection` those rows only."""
    bare: dict[str, sa.ColumnClause[Any]] = {column.name: sa.column(quoted_name(column.name, quote=True)) for column in columns}
    schema = quoted_name(table.schema, quote=True) if table.schema else None
    source = sa.table(quoted_name(table.table, quote=True), *bare.values(), schema=schema)
    values = hashable((column, source.c[column.name]) for column in columns)
    query = sa.select(sa.func.count(), sa.func.sum(row_hash(values))).select_from(source)
    if selection is None:
        return query
    return query.where(selection.condition(lambda name: sa.column(quoted_name(name, quote=True)), kind.literal))
