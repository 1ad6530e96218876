"""What a large table's windows have in common, found out once a run: its description, its date column, its calendar."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from data_load.index_management import create_window_index
from extract.extractor import Extractor
from model.date_column import DateColumn, date_column
from model.errors import UnusableDateColumn
from model.types import Column
from model.warehouse import WarehouseTable
from orchestration.extraction import Described, describe_table
from orchestration.large_plan import calendar_of, date_named
from orchestration.pipeline_state import Calendar
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig
from schema.altering import apply_evolution
from schema.column_rules import ColumnRules
from schema.column_sync import sync_columns
from schema.wanted_indexes import keep_indexes
from sources.registry import Source

LOG = logging.getLogger("udm.large_tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeTable:
    """A table of which the target holds, in a run that writes, all columns already."""

    config: TableConfig
    described: Described
    date: DateColumn
    calendar: Calendar

    def __str__(self) -> str:
        return str(self.config)

    def of_batch(self, run: RunContext) -> WarehouseTable:
        """Its names in the warehouse, with the staging table of the batch that the run works on."""
        tables = self.described.tables
        return self.config.warehouse_table(run.target, run.batch, tables.columns, tables.keys, tables.stored)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The key's columns as the source has them."""
        by_name = {column.name: column for column in self.described.rules.columns}
        return tuple(by_name[name] for name in self.described.tables.keys)


def prepare(run: RunContext, config: TableConfig, source: Source, reading: SourceReading) -> LargeTable:
    """Describe the table, and unless this is a dry run bring the target's tables to its columns.

    Raises:
        UnusableDateColumn: no window can be read by SourceAggregateColumnName.
        TerminalError: FirstLoadDate is not set.
    """
    described = describe_table(run, config, reading.extractor())
    dates = date_column(str(config), _date_of(config, described.rules), config.aggregate_column_type, source.time_zone)
    _check_keys(config, described)
    _warn_without_index(config, reading.extractor(), dates.column)
    calendar = calendar_of(run.settings, config, source.time_zone, has_time=dates.has_time)
    table = LargeTable(config=config, described=described, date=dates, calendar=calendar)
    if not run.options.dry_run:
        tables = described.tables
        apply_evolution(run.target, tables, described.plans, run.retry.ops)
        sync_columns(run.target, tables.source, tables.table, tables.columns, tables.keys)
        keep_indexes(run.target, tables)
        create_window_index(run.target, tables.stage, dates.column.name)
    return table


def _date_of(config: TableConfig, rules: ColumnRules) -> Column:
    column = date_named(config, rules.columns)
    if column.name in {name for name, _ in rules.masks} or column.name in rules.excluded:
        raise UnusableDateColumn(
            f"{config}: column {column.name!r} is masked or excluded from the hash, and the table is loaded by its dates.",
            remedy="Clear MaskWith and IsExcludedFromHash of that column in UdmTablesColumnsList.",
        )
    return column


def _warn_without_index(config: TableConfig, extractor: Extractor, column: Column) -> None:
    if extractor.is_led_to_by(config.source_table, column) is False:
        LOG.warning(
            "%s: no index at the source leads with %s, so that each read of a day may cost the source a scan of the whole table. "
            "Ask its administrators for one, or name an indexed date column in SourceAggregateColumnName of UdmTablesList",
            config, column.name,
        )  # fmt: skip


def _check_keys(config: TableConfig, described: Described) -> None:
    masked = sorted({name for name, _ in described.rules.masks} & set(described.tables.keys))
    if masked:
        raise UnusableDateColumn(
            f"{config}: the key column {', '.join(masked)} is masked, so that a row which is missing from its day cannot be "
            "looked up at the source.",
            remedy="Load the table as a small one (SourceAggregateColumnName NULL), or leave its key in clear.",
        )
