"""The samples' calendar: business days are Monday to Friday; number 0 is that of the initial content."""

from __future__ import annotations

from datetime import date, timedelta

FRIDAY = 4


def first_business_day(today: date) -> date:
    """The day of the initial content: the last Friday before `today`, so that the first step already crosses a weekend."""
    return today - timedelta(days=(today.weekday() - FRIDAY - 1) % 7 + 1)


def business_date(first_day: date, number: int) -> date:
    """The date of business day `number`, counted from the business day `first_day`, which is number 0."""
    return first_day + timedelta(days=number + 2 * ((first_day.weekday() + number) // 5))


def business_date_sql(first_day: date, number_sql: str) -> str:
    """The same in SQL, as an expression of type DATE over the integer expression `number_sql`."""
    weekends = f"2 * (({first_day.weekday()} + {number_sql}) // 5)"
    return f"(DATE '{first_day.isoformat()}' + ({number_sql} + {weekends})::INTEGER)"
