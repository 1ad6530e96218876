"""Which tables to load: rows of General.dbo.UdmTablesList with StageLoadTool = 'Python'."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from connections.target import Target
from extract.extractor import SourceTable
from model.control import TABLES_LIST
from model.errors import ConfigurationError
from model.names import bronze_name, stage_name, staging_name
from model.types import Column
from model.warehouse import WarehouseTable

LOAD_TOOL = "Python"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableConfig:
    """A row of UdmTablesList."""

    source: str
    table: str
    source_server: str | None = None
    source_database: str | None = None
    source_schema: str | None = None
    stage_table: str | None = None
    bronze_table: str | None = None
    aggregate_column: str | None = None
    aggregate_column_type: str | None = None
    index_hint: str | None = None
    partition_on: str | None = None
    first_load_date: date | None = None
    lookback_days: int | None = None
    allowed_age_minutes: int | None = None

    @property
    def is_large(self) -> bool:
        """Whether the table is loaded day by day."""
        return self.aggregate_column is not None

    @property
    def source_table(self) -> SourceTable:
        """Where the table lies at its source, and how it is to be read there."""
        return SourceTable(
            source=self.source,
            table=self.table,
            schema=self.source_schema,
            database=self.source_database,
            index_hint=self.index_hint,
            date_column=self.aggregate_column,
            partition_on=self.partition_on,
        )

    def warehouse_table(
        self,
        target: Target,
        batch: int,
        columns: tuple[Column, ...] = (),
        keys: tuple[str, ...] = (),
        stored: tuple[str, ...] = (),
    ) -> WarehouseTable:
        """The table's names in the warehouse, for one batch."""
        databases = target.databases
        stage = self.stage_table or self.table
        return WarehouseTable(
            source=self.source,
            table=self.table,
            stage=stage_name(databases.stage, self.source, stage),
            bronze=bronze_name(databases.bronze, self.source, self.bronze_table or self.table),
            staging=staging_name(databases.stage, self.source, stage, batch),
            columns=columns,
            keys=keys,
            stored=stored,
        )

    def __str__(self) -> str:
        return f"{self.source}.{self.table}"


class TableConfigLoader:
    """Reads and selects table configurations."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def load(self) -> list[TableConfig]:
        """Every table to load, small and large, by source and name.

        Raises:
            ConfigurationError: two rows name one source table, or two source tables one target table.
        """
        listed = self._target.own(TABLES_LIST)
        columns = listed.c
        query = sa.select(listed).where(columns.StageLoadTool == LOAD_TOOL)
        with self._target.engine.connect() as connection:
            rows = connection.execute(query.order_by(columns.SourceName, columns.SourceObjectName)).all()
        configs = [_config(row) for row in rows]
        self._check_distinct(configs)
        return configs

    def _check_distinct(self, configs: Sequence[TableConfig]) -> None:
        for what, names in (
            ("source table", [(str(c), str(c)) for c in configs]),
            ("Stage table", [(str(c), str(c.warehouse_table(self._target, 0).stage)) for c in configs]),
            ("Bronze table", [(str(c), str(c.warehouse_table(self._target, 0).bronze)) for c in configs]),
        ):
            first: dict[str, str] = {}
            for config, name in names:
                other = first.setdefault(name.casefold(), config)
                if other is not config:
                    raise ConfigurationError(
                        f"UdmTablesList: {other} and {config} have the same {what} {name}.",
                        remedy="Correct or remove one of the two rows; nothing was loaded.",
                    )


def _config(row: sa.Row[tuple[object, ...]]) -> TableConfig:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's documented way to a row by name
    return TableConfig(
        source=values["SourceName"],
        table=values["SourceObjectName"],
        source_server=values["SourceServer"],
        source_database=values["SourceDatabase"],
        source_schema=values["SourceSchemaName"],
        stage_table=values["StageTableName"],
        bronze_table=values["BronzeTableName"],
        aggregate_column=values["SourceAggregateColumnName"],
        aggregate_column_type=values["SourceAggregateColumnType"],
        index_hint=values["SourceIndexHint"],
        partition_on=values["PartitionOn"],
        first_load_date=values["FirstLoadDate"],
        lookback_days=values["LookbackDays"],
        allowed_age_minutes=values["AllowedAgeMinutes"],
    )


def select_tables(
    configs: Sequence[TableConfig], *, large: bool, table: str | None, source: str | None
) -> list[TableConfig]:
    """The small or the large tables that `--table` and `--source` name, without regard to case.

    Raises:
        ConfigurationError: nothing is named so, or it is for the other command; the nearest known names are given.
    """
    chosen = [config for config in configs if _is(config.source, source)]
    if source is not None and not chosen:
        raise _unknown("source", source, {config.source for config in configs})
    named = [config for config in chosen if _is(config.table, table)]
    if table is not None and not named:
        raise _unknown("table", table, {config.table for config in chosen})
    fitting = [config for config in named if config.is_large == large]
    if table is not None and not fitting:
        kind, command = ("large", "main_large_tables.py") if not large else ("small", "main_small_tables.py")
        raise ConfigurationError(
            f"{named[0]} is a {kind} table (SourceAggregateColumnName is {'' if named[0].is_large else 'not '}set).",
            remedy=f"Load it with python {command}.",
        )
    return fitting


def table_named(configs: Sequence[TableConfig], name: str) -> TableConfig:
    """The table, small or large, that `SOURCE.TABLE` names, without regard to case.

    Raises:
        ConfigurationError: nothing is named so; the nearest known names are given.
    """
    found = next((config for config in configs if _is(str(config), name)), None)
    if found is None:
        raise _unknown("table", name, {str(config) for config in configs})
    return found


def _is(name: str, wanted: str | None) -> bool:
    return wanted is None or name.casefold() == wanted.casefold()


def _unknown(what: str, name: str, known: Iterable[str]) -> ConfigurationError:
    by_fold = {other.casefold(): other for other in sorted(known)}
    near = [by_fold[fold] for fold in difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.4)]
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(by_fold.values()) or 'none'}."
    return ConfigurationError(f"Unknown {what} {name!r} in UdmTablesList.", remedy=hint)
