"""The SELECTs that read an Oracle table: explicit columns, names quoted by SQLAlchemy's dialect, values only as binds.

All of a read is one read-only transaction, whose statements see one instant without a grant and without a lock. Several sessions
that share a read see one instant by `AS OF SCN`, which wants FLASHBACK on the table.
https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/SET-TRANSACTION.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import oracledb
import pyarrow as pa
from sqlalchemy.dialects.oracle import dialect as oracle_dialect

from extract.extractor import SourceTable
from extract.oracle_extractor.routes import LARGE, OracleRoute, oracle_route, type_name
from model.errors import TerminalError, UnsupportedType
from model.types import Column, Kind

SNAPSHOT = "SET TRANSACTION READ ONLY"
# For what several sessions read at once; wants EXECUTE on DBMS_FLASHBACK.
CURRENT_SCN = "SELECT DBMS_FLASHBACK.GET_SYSTEM_CHANGE_NUMBER FROM dual"
_QUOTE = oracle_dialect().identifier_preparer.quote_identifier  # type: ignore[no-untyped-call]
_LARGE_ROWS = 5_000
# An index by its plain or its quoted name; no other character, so that nothing ends the comment that a hint is.
_INDEX = re.compile(r'[A-Za-z][A-Za-z0-9_$#]{0,127}|"[A-Za-z0-9_$# ]{1,128}"', re.ASCII)
_INDEX_LIST = re.compile(rf"\s*(?:{_INDEX.pattern})(?:[\s,]+(?:{_INDEX.pattern}))*\s*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleTable:
    """A table or view by its owner and its name, as the catalogue spells them."""

    owner: str
    name: str

    @property
    def quoted(self) -> str:
        """For SQL."""
        return f"{_QUOTE(self.owner)}.{_QUOTE(self.name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A value with the type that it is bound as, where the driver would choose another."""

    type: oracledb.DbType
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Some of a table's rows: a predicate over the alias `t` with named binds; the ranges of one read share no row.

    Not `hinted`: the index that SourceIndexHint names is not theirs.
    """

    predicate: str = ""
    hinted: bool = True
    binds: Mapping[str, datetime | int | Bound] = field(default_factory=dict)


WHOLE = Range()


def quoted_column(name: str) -> str:
    """A column of the table that is read, for SQL."""
    return f"t.{_QUOTE(name)}"


def route_of(table: SourceTable, name: str, declared: str) -> OracleRoute:
    """How a column of a declared type travels.

    Raises:
        UnsupportedType: by no exact route.
    """
    route = oracle_route(declared)
    if route is None:
        raise UnsupportedType(
            f"{table}: column {name!r} has the type {declared}, which no exact route carries.",
            remedy="Load a view that casts the column to text, or leaves it out.",
        )
    return route


def index_hint(table: SourceTable) -> str:
    """The INDEX hint for what SourceIndexHint names, with a blank behind it; nothing where it names nothing.

    Raises:
        TerminalError: SourceIndexHint is not a list of index names.
    """
    if not table.index_hint:
        return ""
    if not _INDEX_LIST.fullmatch(table.index_hint):
        raise TerminalError(
            f"{table}: SourceIndexHint is not the name of an index, or several with commas between them.",
            remedy="Correct it in UdmTablesList: IX_NAME, or IX_ONE, IX_TWO; the pipeline writes the hint itself.",
        )
    return f"/*+ INDEX(t {' '.join(_INDEX.findall(table.index_hint))}) */ "


def select_rows(
    table: SourceTable, placed: OracleTable, columns: Sequence[Column], rows: Range = WHOLE, *, flashback: bool = False
) -> str:
    """The rows of a range: the columns in their order, then for each LOB a 1 where it is empty and not NULL.

    `flashback`: as of the SCN that `:scn` is bound to.
    """
    routes = [route_of(table, column.name, column.source_type) for column in columns]
    values = [route.expression(quoted_column(column.name)) for route, column in zip(routes, columns, strict=True)]
    lobs = [quoted_column(column.name) for route, column in zip(routes, columns, strict=True) if route.lob]
    # An empty LOB arrives as NULL where it is fetched as LONG, which python-oracledb does for data frames.
    values += [f"CASE WHEN DBMS_LOB.GETLENGTH({lob}) = 0 THEN 1 END" for lob in lobs]
    named = [f"{value} AS C{place}" for place, value in enumerate(values)]
    return f"SELECT {index_hint(table) if rows.hinted else ''}{', '.join(named)} {_from(placed, rows, flashback=flashback)}"


def select_count(table: SourceTable, placed: OracleTable, rows: Range = WHOLE) -> str:
    """How many rows a range has; those of a part of the table are found as they are read, by the index that the hint names."""
    return f"SELECT {index_hint(table) if rows.predicate and rows.hinted else ''}COUNT(*) {_from(placed, rows)}"


def select_bounds(table: SourceTable, placed: OracleTable, column: Column) -> str:
    """The ends of a column's values, the rows and how many are NULL there, as of the SCN that `:scn` is bound to."""
    named = quoted_column(column.name)
    route = route_of(table, column.name, column.source_type)
    ends = [route.expression(f"{which}({named})") for which in ("MIN", "MAX")]
    return f"SELECT {', '.join(ends)}, COUNT(*), COUNT(*) - COUNT({named}) {_from(placed, WHOLE, flashback=True)}"


def select_first(table: SourceTable, placed: OracleTable, column: str, rows: Range) -> str:
    """The least value of a column in a range: one step in the index that the hint names."""
    return f"SELECT {index_hint(table)}MIN({quoted_column(column)}) {_from(placed, rows)}"


def _from(placed: OracleTable, rows: Range, *, flashback: bool = False) -> str:
    as_of = " AS OF SCN :scn" if flashback else ""
    where = f" WHERE {rows.predicate}" if rows.predicate else ""
    return f"FROM {placed.quoted}{as_of} t{where}"


def requested_schema(table: SourceTable, columns: Sequence[Column]) -> pa.Schema:
    """The Arrow types in which the values of `select_rows` are asked for: those of the canonical types, not a driver's choice."""
    fields = [pa.field(f"C{place}", _arrow_type(column)) for place, column in enumerate(columns)]
    lobs = sum(route_of(table, column.name, column.source_type).lob for column in columns)
    return pa.schema(fields + [pa.field(f"C{len(columns) + place}", pa.int8()) for place in range(lobs)])


def _arrow_type(column: Column) -> pa.DataType:
    match column.type.kind:
        case Kind.DECIMAL:
            return pa.decimal128(column.type.precision, column.type.scale)
        case Kind.FLOAT:
            return pa.float32() if column.type.bits == 32 else pa.float64()  # noqa: PLR2004
        case Kind.BOOLEAN:
            return pa.bool_()
        case Kind.BINARY:
            return pa.large_binary()
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return pa.timestamp("us")
        case _:
            return pa.large_string()


def rows_at_a_time(columns: Sequence[Column], batch_rows: int) -> int:
    """Fewer where a column may hold megabytes, for a batch is held as a whole."""
    return min(batch_rows, _LARGE_ROWS) if any(type_name(column.source_type) in LARGE for column in columns) else batch_rows
