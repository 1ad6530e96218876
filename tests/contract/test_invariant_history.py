"""Invariants 1, 2, 4 and 5 over random days: inserts, updates, deletes, come-backs, duplicates and NULL keys."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from tests.contract.pipeline import Pipeline, Row
from tests.contract.random_days import COLUMNS, KEY, RandomTable

DAYS = 5
TABLE = "ACCT"
MICROSECOND = timedelta(microseconds=1)


def as_of(pipeline: Pipeline, instant: datetime) -> list[Row]:
    """Bronze at an instant, as a consumer reads it."""
    return pipeline.query(
        'SELECT "A", "B", "N", "T", "D", "F" FROM {bronze} WHERE "UdmEffectiveDateTime" <= :instant '
        'AND ("UdmEndDateTime" IS NULL OR "UdmEndDateTime" > :instant)',
        TABLE,
        instant=instant,
    )


def rows_of(truth: dict[Row, Row]) -> list[Row]:
    return sorted(((*key, *values) for key, values in truth.items()), key=repr)


def active_versions(pipeline: Pipeline) -> list[Row]:
    # Counted here and not by GROUP BY, for which some targets take '' and ' ' for one.
    keys = pipeline.query('SELECT "A", "B" FROM {bronze} WHERE "UdmActiveFlag" = {true}', TABLE)
    return [(*key, count) for key, count in Counter(keys).items()]


def closed_versions(pipeline: Pipeline) -> dict[int, dict[str, Any]]:
    return {row["_scd2_key"]: row for row in pipeline.dump("bronze", TABLE) if not row["UdmActiveFlag"]}


def check_day(pipeline: Pipeline, table: RandomTable, closed_before: dict[int, dict[str, Any]]) -> None:
    # 2: a live key has exactly one active version, a dead one none.
    live = sorted(((*key, 1) for key in table.truth), key=repr)
    assert sorted(active_versions(pipeline), key=repr) == live
    # 4: what was closed is there yet, and is what it was.
    closed = closed_versions(pipeline)
    assert {key: closed.get(key) for key in closed_before} == closed_before


@pytest.mark.parametrize("seed", range(3))
def test_5_bronze_at_every_past_instant_is_the_extract_of_that_instant(pipeline: Pipeline, seed: int) -> None:
    """Days with a spool on disk and in memory, with frames of one row's size and of the whole table's."""
    table = RandomTable(Random(seed), pipeline.backend.holds_nul, pipeline.backend.holds_infinity)
    pipeline.set_key(TABLE, *KEY)
    settings: dict[str, Any] = {"batch_rows": 7, "spool_bytes": 0} if seed % 2 else {}
    truths: list[tuple[datetime, list[Row]]] = []
    closed: dict[int, dict[str, Any]] = {}
    for _ in range(DAYS):
        extract = table.next_day()
        pipeline.source.table(TABLE, COLUMNS, extract)
        result = pipeline.load(TABLE, **settings)
        counted = result.inserted + result.updated + result.unchanged + result.duplicates + result.quarantined
        assert result.extracted == len(extract) == counted
        [(instant,)] = pipeline.query('SELECT max("Instant") FROM {ops}."TablePublished"')
        truths.append((instant, rows_of(table.truth)))
        check_day(pipeline, table, closed)
        closed = closed_versions(pipeline)
    # 1: the same source once more writes nothing.
    before = pipeline.dumps(TABLE)
    assert pipeline.load(TABLE, **settings).changed == 0
    assert pipeline.dumps(TABLE) == before
    assert as_of(pipeline, truths[0][0] - MICROSECOND) == []
    for position, (instant, rows) in enumerate(truths):
        assert sorted(as_of(pipeline, instant), key=repr) == rows, f"day {position + 1}"
        if position:
            just_before = sorted(as_of(pipeline, instant - MICROSECOND), key=repr)
            assert just_before == truths[position - 1][1], f"just before day {position + 1}"
