"""Which tables are older than they may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from model.ops import TABLE_PUBLISHED
from orchestration.freshness import read_freshness
from tests.contract.pipeline import Pipeline

NOON = datetime(2026, 3, 2, 12)  # noqa: DTZ001 - instants are naive UTC


def publish(pipeline: Pipeline, table: str, *ages: timedelta) -> None:
    rows = [
        {"SourceName": "DNA", "TableName": table, "BatchId": batch, "Instant": NOON - age, "PublishedAt": NOON}
        for batch, age in enumerate(ages)
    ]
    with pipeline.target.engine.begin() as connection:
        connection.execute(sa.insert(pipeline.target.own(TABLE_PUBLISHED)), rows)


@pytest.mark.parametrize(
    ("ages", "allowed", "shown"),
    [
        ((timedelta(days=3), timedelta(hours=26)), None, "2026-03-01 10:00"),
        ((timedelta(hours=26, microseconds=1),), None, "2026-03-01 09:59, stale"),
        ((timedelta(minutes=30),), 30, "2026-03-02 11:30"),
        ((timedelta(minutes=31),), 30, "2026-03-02 11:29, stale"),
        ((), None, "never loaded"),
    ],
)
def test_a_table_is_stale_when_its_last_publication_is_older_than_allowed(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, ages: tuple[timedelta, ...], allowed: int | None, shown: str
) -> None:
    monkeypatch.setattr(pipeline.target, "now", lambda _: NOON)
    if ages:
        publish(pipeline, "acct", *ages)
    publish(pipeline, "OTHER", timedelta(0))
    config = replace(pipeline.config("ACCT"), allowed_age_minutes=allowed)
    assert str(read_freshness(pipeline.target, [config])[config]) == shown
