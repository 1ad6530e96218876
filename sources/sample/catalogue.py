"""The sample sources and what the control table has to say of each of their tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sources.sample.ccm import CCM
from sources.sample.dna import DNA
from sources.sample.epicor import EPICOR
from sources.sample.recipe import SourceRecipe, TableRecipe

SAMPLE_SOURCES: tuple[SourceRecipe, ...] = (DNA, CCM, EPICOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTable:
    """A row for UdmTablesList. A large table has a date column to read it by, and a first date with rows."""

    source_name: str
    schema_name: str
    object_name: str
    aggregate_column: str | None
    aggregate_column_type: str | None
    first_load_date: date | None


def sample_tables(first_day: date) -> tuple[SampleTable, ...]:
    """Every sample table, for samples whose first business day is `first_day`."""
    return tuple(_sample_table(source, table, first_day) for source in SAMPLE_SOURCES for table in source.tables)


def _sample_table(source: SourceRecipe, table: TableRecipe, first_day: date) -> SampleTable:
    large = table.date_column is not None
    return SampleTable(
        source_name=source.name,
        schema_name=source.schema_name,
        object_name=table.name,
        aggregate_column=table.date_column,
        aggregate_column_type="DATE" if large else None,
        first_load_date=first_day - timedelta(days=table.initial_days - 1) if large else None,
    )
