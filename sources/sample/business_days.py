"""The samples' calendar: business days are Monday to Friday; number 0 is that of the initial content."""

from __future__ import annotations

from datetime import date, timedelta

FIRST_BUSINESS_DAY = date(2026, 7, 31)

_FRIDAY = 4


def business_day_on_or_before(day: date) -> date:
    """`day` itself, or the Friday before it."""
    return day - timedelta(days=max(0, day.weekday() - _FRIDAY))


def business_date(first_day: date, number: int) -> date:
    """The date of business day `number`, counted from the business day `first_day`, which is number 0."""
    return first_day + timedelta(days=number + 2 * ((first_day.weekday() + number) // 5))


def business_date_sql(first_day: date, number_sql: str) -> str:
    """The same in SQL, as an expression of type DATE over the integer expression `number_sql`."""
    weekends = f"2 * (({first_day.weekday()} + {number_sql}) // 5)"
    return f"(DATE '{first_day.isoformat()}' + ({number_sql} + {weekends})::INTEGER)"
