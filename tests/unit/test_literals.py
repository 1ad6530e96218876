"""Ends of ranges among the warehouse's rows: one SQL type a kind of value, and no digit lost where they are written out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy.dialects import mssql, postgresql
from sqlalchemy.engine import Dialect

from connections.literals import typed

DIALECTS: list[Dialect] = [postgresql.dialect(), mssql.dialect()]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    ("value", "written"),
    [
        (20260101, "20260101"),
        (Decimal("2.02601E+7"), "20260100"),
        (date(2026, 1, 2), "'2026-01-02'"),
        (datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02 03:04:05.000006"),  # noqa: DTZ001 - as a source's clock shows it
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02 03:00:00+00:00"),
        ("2026-01-02 o'clock", "2026-01-02 o''clock"),
    ],
)
def test_a_value_is_written_as_what_it_is(dialect: Dialect, value: object, written: str) -> None:
    text = str(typed(value).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert written in text.replace("T", " ")


@pytest.mark.parametrize("value", [1.5, True, b"x", None])
def test_what_no_date_column_holds_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no column of dates"):
        typed(value)
