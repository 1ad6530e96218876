"""Guards: is the extract's size believable, and are the deletes? Pure, but for reading the baseline."""

from __future__ import annotations

from statistics import median

import sqlalchemy as sa

from config import Settings
from connections.target import Target
from model.errors import GuardBlocked
from model.ops import PIPELINE_EVENT_LOG, EventType, Status

_RUNS = 14


def read_baseline(target: Target, source: str, table: str) -> int | None:
    """The median of the rows extracted by the last 14 good runs, None before the first.

    A forced run restarts the baseline: only it and what came after it count. Whole runs count, not their EXTRACT steps, for a
    run whose deletes were blocked has extracted well and must teach nothing.
    """
    log = target.own(PIPELINE_EVENT_LOG).c
    query = (
        sa.select(log.RowsExtracted, log.IsForced)
        .where(
            log.SourceName == source,
            log.TableName == table,
            log.EventType == str(EventType.TABLE_TOTAL),
            log.Status == str(Status.SUCCESS),
            log.RowsExtracted.is_not(None),
        )
        .order_by(log.BatchId.desc(), log.EventNumber.desc())
        .limit(_RUNS)
    )
    with target.engine.connect() as connection:
        rows = connection.execute(query).all()
    counts = []
    for extracted, forced in rows:
        counts.append(extracted)
        if forced:
            break
    return int(median(counts)) if counts else None


def check_size(table: str, extracted: int, baseline: int | None, settings: Settings) -> None:
    """Refuse an extract that is far from its baseline.

    Raises:
        GuardBlocked: under `guard_low` or over `guard_high` times the baseline, or empty where the baseline is not.
    """
    if not baseline:
        return
    if extracted and baseline * settings.guard_low <= extracted <= baseline * settings.guard_high:
        return
    raise GuardBlocked(
        f"{table}: the extract has {extracted:,} rows, the last good runs had {baseline:,} (median). Nothing was changed.",
        remedy="If that is right, run the table once with --force: it loads this extract and restarts the baseline.",
    )


def deletes_blocked(deleted: int, active: int, settings: Settings) -> bool:
    """Whether so many deletes need a person: over `delete_guard_ratio` of the active keys and over `delete_guard_rows`."""
    return deleted > settings.delete_guard_rows and deleted > active * settings.delete_guard_ratio
