"""One instant for several sessions: the SCN that they read as of, and the ranges that are planned with what it holds.

It wants two grants, EXECUTE on DBMS_FLASHBACK and FLASHBACK on the table; without them a table is read in one stream.
https://docs.oracle.com/en/database/oracle/oracle-database/19/adfns/flashback.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import oracledb

from extract.extractor import SourceTable
from extract.oracle_extractor.errors import code_of, may_pass, shown_code
from extract.oracle_extractor.selection import part
from extract.oracle_extractor.session import OracleSession
from extract.oracle_extractor.statement import CURRENT_SCN, OracleTable, Range, select_bounds
from extract.partitions import Bounds, plan_ranges
from model.types import Column, Kind

_GRANTS = "docs/oracle_grants.sql"
# Who lacks a right is told that there is no such thing: ORA-00904 of a package in SQL, ORA-06550 around PLS-00201 in PL/SQL.
_NO_PACKAGE = frozenset({904, 942, 1031, 6550})
_NO_RIGHT = frozenset({942, 1031, 41900})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flashback:
    """`ranges` hold each of the `rows` that the table had at `scn` once."""

    scn: int
    rows: int
    ranges: tuple[Range, ...]


def plan_flashback(
    session: OracleSession, table: SourceTable, placed: OracleTable, column: Column, most: int, least_rows: int
) -> Flashback | str:
    """A table as of now in at most `most` ranges of `column`; or why it cannot be read so.

    Raises:
        oracledb.Error: what may pass; an interrupt too.
    """
    try:
        [(found,)] = session.rows(CURRENT_SCN)
    except oracledb.DatabaseError as error:
        return _why(session, table, error, _NO_PACKAGE, "EXECUTE on SYS.DBMS_FLASHBACK")
    scn = int(str(found))
    try:
        [ends] = session.rows(select_bounds(table, placed, column), {"scn": scn})
    except oracledb.DatabaseError as error:
        return _why(session, table, error, _NO_RIGHT, f"FLASHBACK on {placed.quoted}")
    except (ValueError, OverflowError):  # years BC, which Python cannot hold
        return f"{column.name} holds what is no day of the years 1 to 9999"
    bounds = _bounds(column, *ends)
    ranges = plan_ranges(column.type, bounds, most, least_rows)
    if len(ranges) == 1:
        return f"{bounds.rows:,} rows with the values of {column.name} are not worth several"
    return Flashback(scn=scn, rows=bounds.rows, ranges=tuple(part(table, column, one) for one in ranges))


def _bounds(column: Column, least: Any, greatest: Any, rows: object, nulls: object) -> Bounds:
    if column.type.kind is Kind.TIMESTAMPTZ:
        least, greatest = (end.replace(tzinfo=UTC) if isinstance(end, datetime) else end for end in (least, greatest))
    return Bounds(least=least, greatest=greatest, rows=int(str(rows)), nulls=int(str(nulls)))


def _why(session: OracleSession, table: SourceTable, error: oracledb.DatabaseError, rights: frozenset[int], grant: str) -> str:
    """Why there is no flashback; an interrupt and what may pass are raised."""
    session.check_interrupt(table)
    if code_of(error) in rights:
        return f"the login has no {grant} ({shown_code(error)}; {_GRANTS} has the grants)"
    if may_pass(error):
        raise error
    return f"it cannot be read as of an SCN ({shown_code(error)})"
