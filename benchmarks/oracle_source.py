"""A server that speaks Oracle's protocol and answers with as many rows as one asks for, by one batch that it repeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from sqlalchemy.engine import URL, make_url

from tests.contract.test_oracle_extractor import Database
from tests.oracle_stand_in import (
    BINARY_DOUBLE,
    DATE,
    NUMBER,
    TIMESTAMP,
    VARCHAR,
    Rows,
    StandIn,
    oracle_date,
    oracle_double,
    oracle_number,
    oracle_timestamp,
)

SCHEMA, TABLE = "OSIBANK", "WIDE"
_NUMBER, _TEXT = ("NUMBER", None, 22), ("VARCHAR2", None, 100, None, None, 100)
# Name, type on the wire, the catalogue's row without name and nullability.
_COLUMNS = (
    ("ID", NUMBER, (*_NUMBER, 18, 0, 0)),
    ("ACCTNBR", VARCHAR, _TEXT),
    ("BRANCH", NUMBER, (*_NUMBER, 9, 0, 0)),
    ("STATUS", NUMBER, (*_NUMBER, 4, 0, 0)),
    ("BALANCE", NUMBER, (*_NUMBER, 18, 2, 0)),
    ("RATE", NUMBER, (*_NUMBER, 9, 4, 0)),
    ("SCORE", BINARY_DOUBLE, ("BINARY_DOUBLE", None, 8, None, None, 0)),
    ("OPENED", DATE, ("DATE", None, 7, None, None, 0)),
    ("UPDATED", TIMESTAMP, ("TIMESTAMP(6)", None, 11, None, 6, 0)),
    ("ACTIVE", NUMBER, (*_NUMBER, 1, 0, 0)),
    *((name, VARCHAR, _TEXT) for name in ("NAME", "ADDRESS", "CODE")),
    ("OFFICER", NUMBER, (*_NUMBER, 9, 0, 0)),
    ("REF", VARCHAR, _TEXT),
    ("CLOSED", DATE, ("DATE", None, 7, None, None, 0)),
    ("NOTE", VARCHAR, _TEXT),
)


def _row(i: int) -> list[bytes | None]:
    moment = datetime(2020, 1 + i % 12, 1 + i % 28, i % 24, i % 60, i % 60)  # noqa: DTZ001 - Oracle's dates have no zone
    return [
        oracle_number(i), f"ACC-{i:010}".encode(), oracle_number(i % 1000), oracle_number(i % 5),
        oracle_number(Decimal(i * 7919 % 100_000_000) / 100), oracle_number(Decimal(i * 6101 % 1_000_000) / 10_000),
        oracle_double(i / 7), oracle_date(moment), oracle_timestamp(moment, i * 1_000), oracle_number(i % 2),
        None if i % 10 == 0 else f"Name {i * 31 % 50_000}".encode(), f"Street {i % 9999}, City {i % 500}".encode(), b"QX",
        oracle_number(i * 17 % 100_000), f"{i * 2654435761 % 2**128:032x}".encode(), oracle_date(moment), b"x" * (i % 20) or None,
    ]  # fmt: skip


@contextmanager
def oracle_source(rows: int, batch_rows: int) -> Iterator[tuple[URL, str, str]]:
    """Its URL, and the schema and name of its table, while the block runs."""
    full, rest = divmod(rows, batch_rows)
    batch = [_row(i) for i in range(min(batch_rows, rows))]
    batches = [batch] * full + ([batch[:rest]] if rest else [])
    catalogue = [(name, *declared, "N" if name == "ID" else "Y") for name, _, declared in _COLUMNS]
    answer = Rows(columns=[(f"C{place}", kind) for place, (_, kind, _) in enumerate(_COLUMNS)], batches=batches)
    with StandIn(answer=Database(catalogue, answer)) as server:
        yield make_url(server.url), SCHEMA, TABLE
