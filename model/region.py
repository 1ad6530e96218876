"""Where rows lie in a stored table: a range of one column that encloses them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

Value = int | Decimal | date | datetime | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Rows whose `column` is from `start` to below `end`, None being no end on that side; none of them is NULL there.

    It changes no result: a target that keeps rows in the order of their dates reads that part alone.
    """

    column: str
    start: Value | None
    end: Value | None
