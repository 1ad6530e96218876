"""The page of a reconciliation: what was compared, what differs, and how that has gone in the last runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connections.target import Target
from model.ops import RECONCILIATION_LOG, Status
from orchestration.reconciliation_results import Check, Reconciled
from orchestration.report_html import (
    Cell,
    Markup,
    coloured,
    columns_chart,
    facts,
    heading,
    page,
    paragraph,
    sparkline,
    statements,
)
from orchestration.report_html import table as drawn_table
from orchestration.results import TableResult

_RUNS = 12
_ADVICE = 20
_KINDS_APART = ("quarantined", "in flight", "duplicates at the source")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One table in one earlier reconciliation."""

    batch: int
    at: datetime
    name: str
    different: int
    milliseconds: int


def read_past(target: Target, batch: int) -> list[PastRun]:
    """The last reconciliations up to this one, oldest first: those of the same kind, counts or values."""
    log = target.own(RECONCILIATION_LOG)
    counts = log.c.CheckName.like("COUNTS%")
    with target.engine.connect() as connection:
        mine = connection.execute(sa.select(log.c.CheckName).where(log.c.BatchId == batch)).scalars().all()
        kind = counts if any(name.startswith("COUNTS") for name in mine) else ~counts
        newest = sa.select(log.c.BatchId).where(log.c.BatchId <= batch, kind).distinct()
        batches = list(connection.execute(newest.order_by(log.c.BatchId.desc()).limit(_RUNS)).scalars())
        query = (
            sa.select(
                log.c.BatchId, sa.func.max(log.c.LoggedAt), log.c.SourceName, log.c.TableName,
                sa.func.sum(log.c.RowsDifferent), sa.func.max(log.c.DurationMs),
            )
            .where(log.c.BatchId.in_(batches))
            .group_by(log.c.BatchId, log.c.SourceName, log.c.TableName)
            .order_by(log.c.BatchId)
        )  # fmt: skip
        rows = connection.execute(query).all()
    return [
        PastRun(batch=b, at=at, name=f"{source}.{table}", different=int(different or 0), milliseconds=int(took or 0))
        for b, at, source, table, different, took in rows
    ]


def reconciliation_page(
    reconciled: Sequence[Reconciled], results: Sequence[TableResult], past: Sequence[PastRun], about: str
) -> str:
    """The page, as HTML."""
    return page("Reconciliation", about, _parts(reconciled, results, past))


def _parts(reconciled: Sequence[Reconciled], results: Sequence[TableResult], past: Sequence[PastRun]) -> Iterator[Markup]:
    differing = [found for found in reconciled if found.different]
    broken = [result for result in results if result.status is not Status.SUCCESS]
    total = sum(found.different for found in reconciled)
    rows = sum(found.rows for found in reconciled)
    yield facts([
        (f"{len(reconciled)}", "tables compared", ""),
        (f"{rows:,}", "rows a side", ""),
        (f"{total:,}", "differences", "bad" if total else "good"),
        (f"{len(differing)}", "tables that differ", "bad" if differing else "good"),
        (f"{len(broken)}", "tables not compared", "bad" if broken else "good"),
    ])  # fmt: skip
    for result in broken:
        yield paragraph(f"{result.source}.{result.table} {result.status}: {result.message}", "bad")
    yield heading("Tables")
    ordered = sorted(reconciled, key=lambda found: (-found.different, found.source, found.table))
    yield _overview(ordered, past)
    for found in (found for found in ordered if found.different):
        yield from _details(found)
    yield heading("The last runs")
    yield _trend(past)
    yield heading("Counted apart")
    yield _apart(ordered)


def _overview(ordered: Sequence[Reconciled], past: Sequence[PastRun]) -> Markup:
    names = list(dict.fromkeys(check.name for found in ordered for check in found.checks))
    headers = ["table", "outcome", "rows", *(name.lower().replace("_", " ") for name in names), "seconds", "last runs"]
    rows: list[list[Cell]] = []
    for found in ordered:
        counts = {check.name: check for check in found.checks}
        name = f"{found.source}.{found.table}"
        history = [run.different for run in past if run.name == name]
        rows.append([
            name,
            _outcome(found),
            f"{found.rows:,}",
            *(_count(counts.get(check)) for check in names),
            f"{max((check.seconds for check in found.checks), default=0):.1f}",
            sparkline(history, f"{name}: differences in the last runs: {history}", bad=bool(found.different)),
        ])  # fmt: skip
    return drawn_table(headers, rows)


def _outcome(found: Reconciled) -> Markup:
    if found.repaired:
        return coloured("repaired", "hold")
    return coloured("differs", "bad") if found.different else coloured("equal", "good")


def _count(check: Check | None) -> Cell:
    if check is None:
        return ""
    return coloured(f"{check.different:,}", "bad") if check.different else "0"


def _details(found: Reconciled) -> Iterator[Markup]:
    yield heading(f"{found.source}.{found.table}")
    rows: list[list[Cell]] = []
    for check in (check for check in found.checks if check.different):
        columns = ", ".join(f"{name} ({count:,})" for name, count in check.columns.items())
        apart = (*_KINDS_APART, "not compared")
        counted = "; ".join(f"{name} {value}" for name, value in check.details.items() if value and name not in apart)
        rows.append([check.name, f"{check.compared:,}", f"{check.different:,}", counted, columns])
    yield drawn_table(["check", "compared", "different", "what", "columns that differ"], rows, text=(3, 4))
    if found.plan is not None:
        state = f"not carried out: {found.refused}" if found.refused else "carried out" if found.repaired else "not carried out"
        yield paragraph(f"Repair: {found.plan}; {state}.")
    advice = [line for check in found.checks for line in check.advice]
    if advice:
        yield paragraph("For a person to decide; nothing of this was executed:")
        yield statements(advice[:_ADVICE])
        if len(advice) > _ADVICE:
            yield paragraph(f"And {len(advice) - _ADVICE:,} more, in ops.ReconciliationLog.", "soft")


def _trend(past: Sequence[PastRun]) -> Markup:
    runs: dict[int, list[PastRun]] = {}
    for run in past:
        runs.setdefault(run.batch, []).append(run)
    points = []
    for tables in runs.values():
        different = sum(run.different for run in tables)
        points.append((f"{tables[0].at:%m-%d}", float(different), f"{different:,}", different > 0))
    return columns_chart(points, "Differences in each of the last runs")


def _apart(ordered: Sequence[Reconciled]) -> Markup:
    rows: list[list[Cell]] = []
    for found in ordered:
        details = next((check.details for check in found.checks if check.name.startswith("SOURCE")), {})
        shown = {name: value for name, value in details.items() if value and (name in _KINDS_APART or "excluded" in name)}
        unshown = str(details.get("not compared") or "")
        if shown or unshown:
            words = ", ".join(f"{name} {count}" for name, count in shown.items())
            rows.append([f"{found.source}.{found.table}", words, unshown])
    if not rows:
        return paragraph("Nothing: every row and every column could be compared.", "soft")
    return drawn_table(["table", "rows that do not count", "columns not compared, and why"], rows, text=(1, 2))
