"""Retention: what is old enough goes, in small batches and a bounded time a run. Never Bronze, never what is not yet promoted.

Of Stage rows that are not current and ended long ago; of ops the log and the events. Markers, layouts, the state of large tables,
TablePublished and Quarantine stay: runs and people read on from them.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from config import Settings
from connections.target import Target
from data_load.markers import marker_table, rows_of, unpromoted
from data_load.purging import Purged, purge
from model import ops
from model import system_columns as sc
from model.errors import TableHeld
from model.ops import EventType, Status
from model.warehouse import WarehouseTable
from observability.context import table_context
from observability.event_tracker import describe
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table

LOG = logging.getLogger("udm.retention")
SECONDS = 60.0
_AGAIN = timedelta(hours=20)
_WHOLE, _IN_PART = "retention", "retention, in part: more is left for the next run"


def purge_stage(run: RunContext, config: TableConfig) -> None:
    """Purge a table's Stage, about once a day, under the table's lock; where another run has taken that, it will do it.

    A failure is recorded, and is none of the table's: all of it was loaded before.
    """
    tables = config.warehouse_table(run.target, run.batch)
    if run.options.dry_run or not run.settings.retention_stage_days:
        return
    try:
        if not _is_due(run, tables):
            return
        with hold_table(run.target, config), run.tracker.track(EventType.CLEANUP) as event:
            purged = run.retry.ops("purging Stage", partial(_purge_stage, run, tables))
            event.RowsDeleted, event.Message = purged.rows, _WHOLE if purged.is_whole else _IN_PART
    except TableHeld:
        return
    except Exception as error:  # noqa: BLE001 - recorded as an event and here
        LOG.error("%s: %s was not purged: %s", tables, tables.stage, describe(error))
        return
    if purged.rows:
        LOG.info("%s: %d rows of %s were purged", tables, purged.rows, tables.stage)


def _is_due(run: RunContext, tables: WarehouseTable) -> bool:
    """Whether a batch of the table is old enough, and none has purged it whole since yesterday."""
    target = run.target
    marker, events = marker_table(target, target.databases.stage), target.own(ops.PIPELINE_EVENT_LOG)
    oldest = sa.select(sa.func.min(marker.c.Instant)).where(*rows_of(marker, tables))
    last = sa.select(sa.func.max(events.c.StartedAt)).where(
        *rows_of(events, tables),
        events.c.EventType == str(EventType.CLEANUP),
        events.c.Status == str(Status.SUCCESS),
        events.c.Message == _WHOLE,
    )
    with target.engine.connect() as connection:
        now = target.now(connection)
        first = connection.execute(oldest).scalar_one()
        if first is None or first >= now - timedelta(days=run.settings.retention_stage_days):
            return False
        purged = connection.execute(last).scalar_one()
    return purged is None or purged < now - _AGAIN


def _purge_stage(run: RunContext, tables: WarehouseTable) -> Purged:
    target = run.target
    if unpromoted(target, tables):
        return Purged(is_whole=False)
    with target.engine.connect() as connection:
        before = target.now(connection) - timedelta(days=run.settings.retention_stage_days)
    stage = target.table(tables.stage, (sc.CDC_IS_CURRENT, sc.CDC_VALID_TO))
    ended = stage.c[sc.CDC_VALID_TO] < sa.literal(before, ops.INSTANT)
    conditions = (stage.c[sc.CDC_IS_CURRENT] == sa.false(), ended)
    return purge(target, target.engine, stage, conditions, time.monotonic() + SECONDS, run.cancellation.check)


def purge_ops(run: RunContext) -> None:
    """Purge the log and the events, once a run; what went is an event of General's own."""
    if run.options.dry_run or run.cancellation.requested:
        return
    with table_context(run.target.databases.general, ops.SCHEMA):
        try:
            purged = run.retry.ops("purging ops", partial(_purge_ops, run.target, run.settings))
            if purged.rows:
                with run.tracker.track(EventType.CLEANUP) as event:
                    event.RowsDeleted, event.Message = purged.rows, _WHOLE if purged.is_whole else _IN_PART
        except Exception as error:  # noqa: BLE001 - the next run tries again
            LOG.error("ops was not purged: %s", describe(error))


def _purge_ops(target: Target, settings: Settings) -> Purged:
    log, events = target.own(ops.PIPELINE_LOG), target.own(ops.PIPELINE_EVENT_LOG)
    told = log.c.LogLevel.in_(("DEBUG", "INFO"))
    kinds = (
        (log, log.c.LoggedAt, (told,), settings.retention_info_log_days),
        (log, log.c.LoggedAt, (), settings.retention_event_days),
        (events, events.c.StartedAt, (), settings.retention_event_days),
    )
    with target.recorder.connect() as connection:
        now = target.now(connection)
    until, purged = time.monotonic() + SECONDS, Purged()
    for table, at, conditions, days in kinds:
        if days:
            old = at < now - timedelta(days=days)
            purged += purge(target, target.recorder, table, (old, *conditions), until)
    return purged
