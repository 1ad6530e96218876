"""The page of a load: failures first, then the time of each table by step, and its throughput against earlier runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import sqlalchemy as sa

from connections.target import Target
from model.ops import PIPELINE_BATCH, PIPELINE_EVENT_LOG, EventType, Status
from orchestration.report_html import (
    COLOURS,
    Cell,
    Markup,
    coloured,
    facts,
    heading,
    key,
    page,
    paragraph,
    sparkline,
    stacked_bars,
)
from orchestration.report_html import table as drawn_table
from orchestration.results import TableResult

_RUNS = 15
_KINDS = {Status.SUCCESS: "good", Status.FAILED: "bad", Status.SKIPPED: "hold"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEvents:
    """Of one table: seconds by step in this run, and rows a second in earlier successful runs, oldest first."""

    steps: dict[str, float]
    throughput: tuple[float, ...]


def read_events(target: Target, batch: int, results: Sequence[TableResult]) -> dict[str, TableEvents]:
    """From ops, by table. Windows of large tables are batches of their own, and their steps add up."""
    log, batches = target.own(PIPELINE_EVENT_LOG), target.own(PIPELINE_BATCH)
    mine = sa.select(batches.c.BatchId).where(sa.or_(batches.c.BatchId == batch, batches.c.RunBatchId == batch))
    steps = (
        sa.select(log.c.SourceName, log.c.TableName, log.c.EventType, sa.func.sum(log.c.DurationMs))
        .where(log.c.BatchId.in_(mine), log.c.EventType != str(EventType.TABLE_TOTAL))
        .group_by(log.c.SourceName, log.c.TableName, log.c.EventType)
    )
    found: dict[str, TableEvents] = {}
    with target.engine.connect() as connection:
        taken: dict[str, dict[str, float]] = {}
        for source, table, event, milliseconds in connection.execute(steps):
            taken.setdefault(f"{source}.{table}", {})[event] = float(milliseconds) / 1000
        for result in results:
            name = f"{result.source}.{result.table}"
            found[name] = TableEvents(steps=_ordered(taken.get(name, {})), throughput=_earlier(connection, log, batch, result))
    return found


def _ordered(steps: dict[str, float]) -> dict[str, float]:
    return {str(event): steps[str(event)] for event in EventType if str(event) in steps}


def _earlier(connection: sa.Connection, log: sa.Table, batch: int, result: TableResult) -> tuple[float, ...]:
    query = (
        sa.select(log.c.RowsExtracted, log.c.DurationMs)
        .where(
            log.c.SourceName == result.source,
            log.c.TableName == result.table,
            log.c.EventType == str(EventType.TABLE_TOTAL),
            log.c.Status == str(Status.SUCCESS),
            log.c.BatchId < batch,
        )
        .order_by(log.c.BatchId.desc())
        .limit(_RUNS)
    )
    rates = [1000 * (rows or 0) / max(milliseconds, 1) for rows, milliseconds in connection.execute(query)]
    return tuple(reversed(rates))


def load_page(results: Sequence[TableResult], events: dict[str, TableEvents], about: str) -> str:
    """The page, as HTML."""
    return page("Load", about, _parts(results, events))


def _parts(results: Sequence[TableResult], events: dict[str, TableEvents]) -> Iterator[Markup]:
    failed = [result for result in results if result.status is not Status.SUCCESS]
    quarantined = sum(result.quarantined for result in results)
    seconds = max((result.seconds for result in results), default=0)
    yield facts([
        (f"{len(results)}", "tables", ""),
        (f"{len(failed)}", "failed or skipped", "bad" if failed else "good"),
        (f"{sum(result.extracted for result in results):,}", "rows extracted", ""),
        (f"{sum(result.changed for result in results):,}", "rows changed", ""),
        (f"{quarantined:,}", "rows quarantined", "hold" if quarantined else ""),
        (f"{seconds:.1f} s", "the slowest table", ""),
    ])  # fmt: skip
    if failed:
        yield heading("Failures")
        for result in failed:
            yield paragraph(f"{result.source}.{result.table} {result.status}: {result.message}", _KINDS[result.status])
    yield heading("Tables")
    ordered = sorted(results, key=lambda result: (result.status is Status.SUCCESS, -result.seconds))
    yield drawn_table(
        ["table", "status", "extracted", "inserted", "updated", "deleted", "seconds", "rows/s", "times usual", "rows/s so far"],
        [_row(result, events[f"{result.source}.{result.table}"]) for result in ordered],
    )
    yield heading("Where the time went")
    names = list(dict.fromkeys(step for table in events.values() for step in table.steps))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    yield key(colours)
    slowest = sorted(results, key=lambda result: -result.seconds)
    bars = [(f"{r.source}.{r.table}", events[f"{r.source}.{r.table}"].steps, f"{r.seconds:.1f} s") for r in slowest]
    yield stacked_bars(bars, colours, "Seconds of each table by step")


def _row(result: TableResult, events: TableEvents) -> list[Cell]:
    name, rates = f"{result.source}.{result.table}", events.throughput
    usual = median(rates) if rates else 0.0
    compared = f"{result.rows_per_second / usual:.2f}" if usual and result.rows_per_second else ""
    line = [*rates, *([result.rows_per_second] if result.status is Status.SUCCESS else [])]
    return [
        name,
        coloured(str(result.status), _KINDS[result.status]),
        *(f"{count:,}" for count in (result.extracted, result.inserted, result.updated, result.deleted)),
        f"{result.seconds:.1f}",
        f"{result.rows_per_second:,.0f}",
        compared,
        sparkline(line, f"{name}: rows a second in the last runs"),
    ]
