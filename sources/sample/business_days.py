"""The samples' calendar: business days are Monday to Friday; number 0 is that of the initial content."""

from __future__ import annotations

from datetime import date, timedelta

# A Friday, so that the first step already crosses a weekend.
FIRST_BUSINESS_DAY = date(2026, 7, 31)


def business_date(first_day: date, number: int) -> date:
    """The date of business day `number`, counted from the business day `first_day`, which is number 0."""
    return first_day + timedelta(days=number + 2 * ((first_day.weekday() + number) // 5))


def business_date_sql(first_day: date, number_sql: str) -> str:
    """The same in SQL, as an expression of type DATE over the integer expression `number_sql`."""
    weekends = f"2 * (({first_day.weekday()} + {number_sql}) // 5)"
    return f"(DATE '{first_day.isoformat()}' + ({number_sql} + {weekends})::INTEGER)"
