"""A table day by day: half-open ranges over one column, none of them empty, then the rows without a date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta

from extract.extractor import SourceTable
from extract.oracle_extractor.statement import Range, quoted_column
from model.errors import TerminalError
from model.types import Column

_DAY = timedelta(days=1)


def date_column(table: SourceTable, columns: Sequence[Column]) -> Column:
    """The column that SourceAggregateColumnName names: as spelled, else without regard to case.

    Raises:
        TerminalError: the table has none of that name.
    """
    wanted = table.date_column or ""
    found = [column for column in columns if column.name == wanted] or [
        column for column in columns if column.name.casefold() == wanted.casefold()
    ]
    if not found:
        raise TerminalError(
            f"{table}: there is no column {wanted}, which SourceAggregateColumnName names.", remedy="Correct it in UdmTablesList."
        )
    return found[0]


def from_on(column: str, instant: datetime | None) -> Range:
    """Every row with a value in `column`, or those from an instant on.

    python-oracledb binds a datetime as DATE: a TIMESTAMP would make Oracle convert a DATE column, and so pass its index by.
    """
    named = quoted_column(column)
    return Range(predicate=f"{named} >= :day_from", binds={"day_from": instant}) if instant else Range()


def day_ranges(column: str, first: Callable[[Range], datetime | None], *, nullable: bool) -> Iterator[Range]:
    """Ranges that together hold every row once. `first` gives the least value of the column in a range, or None."""
    named = quoted_column(column)
    begin: datetime | None = None
    while (found := first(from_on(column, begin))) is not None:
        day = datetime(found.year, found.month, found.day)  # noqa: DTZ001 - Oracle's dates have no zone
        if day.date() == date.max:
            yield from_on(column, day)
            break
        begin = day + _DAY
        yield Range(predicate=f"{named} >= :day_from AND {named} < :day_to", binds={"day_from": day, "day_to": begin})
    if nullable:
        yield Range(predicate=f"{named} IS NULL")
