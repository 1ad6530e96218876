"""Dates that no server target holds: those outside of the years 1 to 9999, infinity among them."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from model.types import Column, Kind


def outside_of_years(column: Column) -> pl.Expr:
    """Whether a date, timestamp or instant lies outside.

    Compared as the number that it is: polars answers NULL for the year of a date that it does not know, and panics when it
    spells it.
    """
    unit = pl.Date if column.type.kind is Kind.DATE else pl.Datetime("us")
    ends = (date.min, date.max) if column.type.kind is Kind.DATE else (datetime.min, datetime.max)  # noqa: DTZ901 - in UTC
    least, most = (pl.lit(end).cast(unit).to_physical() for end in ends)
    return ~pl.col(column.name).to_physical().is_between(least, most)
