"""The table that is loaded: ``bench.WIDE``, 17 mixed columns or more, and its state one business day later.

Every value is a function of the row's number, so two machines (and two days) get the same rows without a
random seed. The second state is generated as a whole by the same statement rather than by UPDATE and DELETE
on a copy: both files then have the same physical layout, and a day's time differs by what changed, not by
how the file was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

SCHEMA = "bench"
TABLE = "WIDE"

COLUMNS = 17
_FURTHER = ("INTEGER", "DECIMAL(18,2)", "VARCHAR", "DATE")
"""The types of further columns, in turn."""

UPDATED_EVERY = 100
"""One row in a hundred is updated, spread evenly: no row group of the source is left alone."""
MOVED_EVERY = 1_000
"""One row in a thousand is deleted, and as many are inserted at the end."""

# Residues: 7 modulo 1,000 is never 3 modulo 100, so that no row is both updated and deleted.
_UPDATED = f"i % {UPDATED_EVERY} = 3"
_DELETED = f"i % {MOVED_EVERY} = 7"

_COLUMNS = """
    ID BIGINT PRIMARY KEY, ACCTNBR VARCHAR, BRANCH INTEGER, STATUS SMALLINT, BALANCE DECIMAL(18,2),
    RATE DECIMAL(9,4), SCORE DOUBLE, OPENED DATE, UPDATED TIMESTAMP, ACTIVE BOOLEAN, NAME VARCHAR,
    ADDRESS VARCHAR, CODE VARCHAR, OFFICER INTEGER, REF VARCHAR, CLOSED DATE, NOTE VARCHAR{further}
"""

_ROWS = """
    SELECT i::BIGINT, 'ACC-' || lpad(i::VARCHAR, 10, '0'), (hash(i) % 1000)::INTEGER,
      ((hash(i + 1) + {edit}) % 5)::SMALLINT,
      ((hash(i + 2) % 100000000)::BIGINT / 100)::DECIMAL(18,2) + {edit},
      ((hash(i + 3) % 1000000)::BIGINT / 10000)::DECIMAL(9,4),
      (hash(i + 4) % 1000000) / 7.0::DOUBLE,
      DATE '2015-01-01' + (hash(i + 5) % 4000)::INTEGER,
      TIMESTAMP '2020-01-01' + to_seconds((hash(i + 6) % 100000000)::BIGINT) + to_days({edit}),
      hash(i + 7) % 2 = 0,
      CASE WHEN hash(i + 8) % 10 = 0 THEN NULL ELSE 'Name ' || (hash(i + 8) % 50000) END,
      'Street ' || (hash(i + 9) % 9999) || ', City ' || (hash(i + 10) % 500),
      chr((65 + hash(i + 11) % 26)::INTEGER) || chr((65 + hash(i + 12) % 26)::INTEGER),
      CASE WHEN hash(i + 13) % 3 = 0 THEN NULL ELSE (hash(i + 13) % 100000)::INTEGER END,
      md5(i::VARCHAR),
      CASE WHEN hash(i + 14) % 5 = 0 THEN NULL ELSE DATE '2024-01-01' + (hash(i + 14) % 600)::INTEGER END,
      repeat('x', (hash(i + 15) % 20)::INTEGER){further}
    FROM range({end}) AS t(i)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the history must hold after a day, whoever wrote it."""

    active: int
    versions: int


def expected(rows: int, day: str) -> Expected:
    """How many open rows and versions there are after ``first``, ``unchanged`` or ``changed``."""
    if day != "changed":
        return Expected(active=rows, versions=rows)
    updated = _count(rows, UPDATED_EVERY, 3)
    deleted, inserted = _count(rows, MOVED_EVERY, 7), rows // MOVED_EVERY
    return Expected(active=rows - deleted + inserted, versions=rows + updated + inserted)


def _count(rows: int, every: int, residue: int) -> int:
    """How many of the numbers below ``rows`` leave ``residue`` when divided by ``every``."""
    return (rows - residue + every - 1) // every if rows > residue else 0


def rows_query(rows: int, *, changed: bool, columns: int = COLUMNS) -> str:
    """SQL for the rows of one state of the source, in key order."""
    further = "".join(f", {_further_value(number)}" for number in range(COLUMNS, columns))
    if not changed:
        return _ROWS.format(edit="0", end=rows, further=further)
    edit = f"({_UPDATED} AND i < {rows})::INTEGER"
    query = _ROWS.format(edit=edit, end=rows + rows // MOVED_EVERY, further=further)
    return query + f"WHERE NOT ({_DELETED} AND i < {rows})"


def _further_value(number: int) -> str:
    value = f"(hash(i + {number}) % 10000)"
    kind = _FURTHER[number % len(_FURTHER)]
    match kind:
        case "DATE":
            return f"DATE '2000-01-01' + {value}::INTEGER"
        case "VARCHAR":
            return f"'Value ' || {value}"
        case _:
            return f"{value}::{kind}"


def write_source(path: Path, rows: int, *, changed: bool, columns: int = COLUMNS) -> None:
    """Write one state of the source as a DuckDB file; the catalogue knows ID as the primary key."""
    further = "".join(f", C{number + 1:03} {_FURTHER[number % len(_FURTHER)]}" for number in range(COLUMNS, columns))
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET enable_progress_bar = false")  # DuckDB draws one on any standard output.
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        connection.execute(f"CREATE TABLE {SCHEMA}.{TABLE} ({_COLUMNS.format(further=further)})")
        connection.execute(f"INSERT INTO {SCHEMA}.{TABLE} {rows_query(rows, changed=changed, columns=columns)}")
