"""What a run of a large table would read now: its calendar from the configuration, its days' states from ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from config import Settings
from connections.target import Target
from model.errors import PipelineError, TerminalError, UnusableDateColumn
from model.types import Column
from model.warehouse import WarehouseTable
from model.windows import Window
from orchestration.checkpoints import Checkpoints
from orchestration.pipeline_state import Asked, Calendar, DayState, described, plan_windows
from orchestration.table_config import TableConfig
from sources.registry import UTC


def calendar_of(settings: Settings, config: TableConfig, zone: ZoneInfo, *, has_time: bool = True) -> Calendar:
    """The table's days; `has_time`: its dates have minutes, so that a tail can be read.

    Raises:
        TerminalError: FirstLoadDate is not set, or LookbackDays is below 0.
    """
    if config.first_load_date is None:
        raise TerminalError(
            f"{config}: FirstLoadDate is not set, so that it is not known where its days begin.",
            remedy="Set it in UdmTablesList to the first day that is to be loaded.",
        )
    lookback = settings.lookback_days if config.lookback_days is None else config.lookback_days
    if lookback < 0:
        raise TerminalError(f"{config}: LookbackDays is {lookback}.", remedy="Set it in UdmTablesList to 0 or more days.")
    overlap = settings.overlap_minutes if has_time else 0
    return Calendar(zone=zone, first=config.first_load_date, lookback=lookback, overlap_minutes=overlap)


def date_named(config: TableConfig, columns: Sequence[Column]) -> Column:
    """The source's column that SourceAggregateColumnName names.

    Raises:
        UnusableDateColumn: the source has no such column.
    """
    wanted = (config.aggregate_column or "").casefold()
    for column in columns:
        if column.name.casefold() == wanted:
            return column
    raise UnusableDateColumn(
        f"{config}: the source has no column {config.aggregate_column!r}, which SourceAggregateColumnName names.",
        remedy=f"Correct it in UdmTablesList: its columns are {', '.join(column.name for column in columns)}.",
    )


def planned_windows(
    target: Target, calendar: Calendar, tables: WarehouseTable, asked: Asked
) -> tuple[tuple[Window, ...], Mapping[date, DayState]]:
    """The windows that a run of this moment reads, and what is known of its days."""
    checkpoints = Checkpoints(target=target, tables=tables)
    states = checkpoints.day_states()
    return plan_windows(calendar, states, checkpoints.now(), asked), states


def plan_in_words(target: Target, settings: Settings, config: TableConfig, asked: Asked) -> str:
    """The same for people, without a look at the source; or why there is no plan."""
    zone = settings.sources.get(config.source).time_zone if config.source in settings.sources else UTC
    try:
        windows, _ = planned_windows(target, calendar_of(settings, config, zone), config.warehouse_table(target, 0), asked)
    except PipelineError as error:
        return str(error).removeprefix(f"{config}: ")
    return described(windows)
