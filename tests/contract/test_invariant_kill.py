"""Invariant 3: break a run at any statement; a plain re-run ends in the state of an uninterrupted run.

The process really is killed in tests/acceptance; here every statement of a run fails once, on every backend.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tests.contract.pipeline import Pipeline, Row

Day = tuple[str, list[Row]]
FIRST: Day = ("ID INTEGER PRIMARY KEY, NAME VARCHAR", [(1, "stays"), (2, "before"), (3, "goes")])
SECOND: Day = (
    "ID INTEGER PRIMARY KEY, ADDED DATE, NAME VARCHAR",
    [(1, None, "stays"), (2, "2026-01-01", "after"), (4, None, "new")],
)
STRIDE = 1 if os.environ.get("KILL_AT_EVERY_POINT") else 4
"""Every point takes minutes; which ones are looked at moves with every statement that is added or taken away."""
STRIDE_IN_CHUNKS = 1 if STRIDE == 1 else 7
"""Chunks repeat their statements: at 7 each kind is met in one chunk or another."""
INSTANTS = ("_extracted_at", "_cdc_valid_from", "_cdc_valid_to", "UdmEffectiveDateTime", "UdmEndDateTime")
BATCHES = ("_cdc_batch_id", "_batch_id", "_end_batch_id")
IGNORED = ("_hash_layout", "_scd2_key")


class Broken(RuntimeError):
    """The run ends at this statement."""


class Breaker:
    """Counts the statements and commits on the target's engine and breaks at one of them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.at = 0
        self.seen = 0

    def _pass(self, *_: Any) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise Broken

    @contextmanager
    def breaking(self, at: int) -> Iterator[None]:
        """Break at the statement or commit number `at` of the block."""
        self.at, self.seen = at, 0
        events = ("before_cursor_execute", "commit")
        for name in events:
            sa.event.listen(self._engine, name, self._pass)
        try:
            yield
        finally:
            for name in events:
                sa.event.remove(self._engine, name, self._pass)


def state(pipeline: Pipeline, table: str) -> list[list[str]]:
    """Stage and Bronze with instants and batches by their rank, and what else must be there at the end."""
    layers = []
    for layer in ("stage", "bronze"):
        rows = pipeline.dump(layer, table, IGNORED)
        for names in (INSTANTS, BATCHES):
            values = sorted({row[name] for row in rows for name in names if row.get(name) is not None})
            rank = {value: position for position, value in enumerate(values)}
            rows = [{key: rank.get(value, value) if key in names else value for key, value in row.items()} for row in rows]
        layers.append(sorted(repr(sorted(row.items(), key=lambda item: item[0])) for row in rows))
    layers.append([str(len(pipeline.backend.indexes(pipeline.target, pipeline.name("bronze", table))))])
    return layers


def promoted(pipeline: Pipeline, table: str) -> int:
    query = 'SELECT count(*) FROM {stage_ops}."PromotionMarker" WHERE "TableName" = :name'
    [(markers,)] = pipeline.query(query, name=table)
    return int(markers)


@pytest.mark.parametrize("rows", [0, 1], ids=["one transaction", "chunks"])
@pytest.mark.parametrize("day", [1, 2])
def test_3_break_at_any_statement_and_a_plain_rerun_ends_as_if_nothing_had_happened(
    pipeline: Pipeline, day: int, rows: int
) -> None:
    days = [FIRST, SECOND][:day]
    for content in days:
        pipeline.source.table("WHOLE", *content)
        pipeline.load("WHOLE")
    expected = state(pipeline, "WHOLE")
    breaker = Breaker(pipeline.target.engine)
    at = tables = 0
    finished = False
    while not finished:
        tables += 1
        table = f"ACCT{tables}"
        for content in days:
            pipeline.source.table(table, *content)
            if content != days[-1]:
                pipeline.load(table)
        before = pipeline.dumps(table)
        # As long as a break comes before anything is promoted, the same day can be broken again, one statement later.
        while not finished and promoted(pipeline, table) < day:
            at += STRIDE_IN_CHUNKS if rows else STRIDE
            with breaker.breaking(at):
                # What is purged afterwards fails by itself, and the table has not.
                result = pipeline.run_table(table, max_tx_rows=rows, retention_stage_days=0)
            finished = breaker.seen < at
            assert result.status == ("SUCCESS" if finished else "FAILED"), f"statement {at}: {result.message}"
            if promoted(pipeline, table) < day:
                assert values(pipeline.dumps(table)) == values(before), f"statement {at}"
        rerun = pipeline.load(table)
        assert rerun.changed == 0, f"statement {at}"
        assert state(pipeline, table) == expected, f"statement {at}"
        assert pipeline.staging_tables() == [], f"statement {at}"
    assert at > 30


def values(dumps: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Without what is NULL: a new column, all NULL, may have been added before the break."""
    return [[{key: value for key, value in row.items() if value is not None} for row in rows] for rows in dumps]


def test_3_break_a_healing_run_at_any_statement_and_the_next_one_heals_all_the_same(pipeline: Pipeline) -> None:
    for columns, rows in (FIRST, SECOND):
        pipeline.source.table("WHOLE", columns, rows)
        pipeline.load("WHOLE")
    pipeline.source.table("ACCT", *FIRST)
    pipeline.load("ACCT")
    pipeline.source.table("ACCT", *SECOND)
    breaker = Breaker(pipeline.target.engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scd2.engine.write_marker", breaker.breaking)
        pipeline.fail("ACCT")
    at, result = 0, None
    while result is None or result.status != "SUCCESS":
        at += 1
        with breaker.breaking(at):
            result = pipeline.run_table("ACCT", retention_stage_days=0)
        assert promoted(pipeline, "ACCT") == 2
    assert at > 10
    assert pipeline.load("ACCT").changed == 0
    assert state(pipeline, "ACCT") == state(pipeline, "WHOLE")
