"""Each promotion writes a marker into the database it changes, in the transaction that changes it, and counts what it did."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.days import DAYS, TABLE, play
from tests.contract.pipeline import Pipeline
from tests.contract.test_healing import day, killed, lose_promotion


def markers(pipeline: Pipeline, database: str) -> list[tuple[Any, ...]]:
    columns = '"BatchId", "Instant", "RowsInserted", "RowsUpdated", "RowsDeleted"'
    return pipeline.query(f'SELECT {columns} FROM {{{database}_ops}}."PromotionMarker" ORDER BY 1')


def test_each_promotion_leaves_a_marker_with_its_counts_in_the_database_it_changed(pipeline: Pipeline) -> None:
    history = play(pipeline, days=DAYS[:4])
    counts = [(5, 0, 0), (1, 1, 3), (0, 1, 0), (2, 0, 1)]
    expected = [(*about, *rows) for *about, rows in zip(history.batches, history.instants, counts, strict=True)]
    assert markers(pipeline, "stage") == markers(pipeline, "bronze") == expected


@pytest.mark.parametrize(("database", "engine"), [("stage", "cdc.engine"), ("bronze", "scd2.engine")])
def test_a_promotion_that_cannot_write_its_marker_changes_nothing_in_that_database(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, database: str, engine: str
) -> None:
    day(pipeline, 1)
    pipeline.load(TABLE)
    before = pipeline.dump(database, TABLE), markers(pipeline, database)
    day(pipeline, 2)
    with monkeypatch.context() as patch:
        patch.setattr(f"{engine}.write_marker", killed)
        pipeline.fail(TABLE)
    assert (pipeline.dump(database, TABLE), markers(pipeline, database)) == before


def test_a_promotion_whose_counts_do_not_come_out_is_rolled_back(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    day(pipeline, 1)
    pipeline.load(TABLE)
    lose_promotion(pipeline, monkeypatch, 2)
    pipeline.query('DELETE FROM {bronze} WHERE "ID" = 3', TABLE)
    before = pipeline.dump("bronze", TABLE)
    message = pipeline.fail(TABLE)
    assert "should open 2 and close 4" in message
    assert pipeline.dump("bronze", TABLE) == before
