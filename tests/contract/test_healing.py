"""What a run left half done, the next plain run of the table finishes first, as it would have been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import data_load.markers
from tests.contract.days import COLUMNS, DAYS, TABLE, play
from tests.contract.pipeline import Pipeline


class Killed(RuntimeError):
    """Stands for the process that ends here."""


def killed(*_: Any, **__: Any) -> None:
    raise Killed


def day(pipeline: Pipeline, number: int) -> None:
    pipeline.source.table(TABLE, COLUMNS, DAYS[number - 1])


def lose_promotion(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, number: int) -> int:
    """A run of this day that ends between Stage and Bronze; its batch."""
    day(pipeline, number)
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.promoting.run_scd2_targeted", killed)
        pipeline.fail(TABLE)
    return pipeline.batch


def after_commit(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step does its work and commits, and the connection is lost before the caller hears of it."""

    def lost(*arguments: Any, **options: Any) -> None:
        step(*arguments, **options)
        raise Killed

    return lost


def published(pipeline: Pipeline) -> list[int]:
    return [batch for (batch,) in pipeline.query('SELECT "BatchId" FROM {ops}."TablePublished" ORDER BY "Instant"')]


def test_a_lost_promotion_is_replayed_with_its_own_batch_and_instant(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    day(pipeline, 1)
    pipeline.load(TABLE)
    lost = lose_promotion(pipeline, monkeypatch, 2)
    [instant] = {row["_cdc_valid_from"] for row in pipeline.dump("stage", TABLE) if row["_cdc_batch_id"] == lost}
    assert not [row for row in pipeline.dump("bronze", TABLE) if row["_batch_id"] == lost]
    pipeline.load(TABLE)
    opened = [row for row in pipeline.dump("bronze", TABLE) if row["_batch_id"] == lost]
    closed = [row for row in pipeline.dump("bronze", TABLE) if row["_end_batch_id"] == lost]
    assert sorted((row["ID"], row["UdmScd2Operation"]) for row in opened) == [(2, "U"), (6, "I")]
    assert sorted((row["ID"], row["UdmScd2Operation"]) for row in closed) == [(2, "I"), (3, "D"), (4, "D"), (5, "D")]
    assert {row["UdmEffectiveDateTime"] for row in opened} | {row["UdmEndDateTime"] for row in closed} == {instant}


def test_a_dry_run_heals_nothing_and_cleans_nothing_up(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = lose_promotion(pipeline, monkeypatch, 1)
    pipeline.load(TABLE, dry_run=True)
    assert pipeline.dump("bronze", TABLE) == []
    assert pipeline.staging_tables() == [f"_staging_{TABLE}_{lost}"]
    assert published(pipeline) == []


def test_healing_comes_before_the_next_days_changes(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    day(pipeline, 1)
    pipeline.load(TABLE)
    lost = lose_promotion(pipeline, monkeypatch, 2)
    day(pipeline, 3)
    pipeline.load(TABLE)
    versions = [row for row in pipeline.dump("bronze", TABLE) if row["ID"] == 2]
    assert sorted(row["_batch_id"] for row in versions) == [1, lost, pipeline.batch]
    assert published(pipeline) == [1, lost, pipeline.batch]


def test_a_bronze_restored_from_an_older_backup_gets_all_later_batches_in_order(pipeline: Pipeline) -> None:
    history = play(pipeline)
    first = history.batches[0]
    for statement in (
        'DELETE FROM {bronze} WHERE "_batch_id" > :first',
        'UPDATE {bronze} SET "UdmEndDateTime" = NULL, "UdmActiveFlag" = {true}, "_end_batch_id" = NULL',
        'UPDATE {bronze} SET "UdmScd2Operation" = \'I\'',
        'DELETE FROM {bronze_ops}."PromotionMarker" WHERE "BatchId" > :first',
    ):
        parameters = {"first": first} if ":first" in statement else {}
        pipeline.query(statement, TABLE, **parameters)
    assert pipeline.load(TABLE).changed == 0
    without = ("_scd2_key",)
    expected = sorted(({k: v for k, v in row.items() if k not in without} for row in history.bronze), key=repr)
    assert pipeline.dump("bronze", TABLE, without) == expected


def test_a_restored_bronze_gets_back_the_columns_that_came_since_with_their_values(pipeline: Pipeline) -> None:
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY", [(1,)])
    pipeline.load(TABLE)
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, SINCE DECIMAL(38,5)", [(1, "0.00001"), (2, None)])
    pipeline.load(TABLE)
    without = ("_scd2_key",)
    expected = pipeline.columns("bronze", TABLE), pipeline.dump("bronze", TABLE, without)
    pipeline.drop_indexes("bronze", TABLE)
    for statement in (
        'DELETE FROM {bronze} WHERE "_batch_id" = 2',
        'UPDATE {bronze} SET "UdmEndDateTime" = NULL, "UdmActiveFlag" = {true}, "_end_batch_id" = NULL',
        'ALTER TABLE {bronze} DROP COLUMN "SINCE"',
        'DELETE FROM {bronze_ops}."PromotionMarker" WHERE "BatchId" = 2',
    ):
        pipeline.query(statement, TABLE)
    assert pipeline.load(TABLE).changed == 0
    assert (pipeline.columns("bronze", TABLE), pipeline.dump("bronze", TABLE, without)) == expected


def test_healing_needs_no_source(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = lose_promotion(pipeline, monkeypatch, 1)
    pipeline.source.execute(f"DROP TABLE {TABLE}")
    pipeline.fail(TABLE)
    assert {row["_batch_id"] for row in pipeline.dump("bronze", TABLE)} == {lost}
    assert published(pipeline) == [lost]


def test_a_lost_promotion_with_a_new_and_a_vanished_column_is_replayed_whole(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, OLD VARCHAR", [(1, "kept"), (2, "kept")])
    pipeline.load(TABLE)
    pipeline.source.table(TABLE, "NEW INTEGER, ID INTEGER PRIMARY KEY", [(7, 1), (8, 3)])
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.promoting.run_scd2_targeted", killed)
        pipeline.fail(TABLE)
    pipeline.load(TABLE)
    rows = [(row["ID"], row["OLD"], row["NEW"], row["UdmScd2Operation"]) for row in pipeline.dump("bronze", TABLE)]
    expected = [(1, "kept", None, "I"), (1, None, 7, "U"), (2, "kept", None, "D"), (3, None, 8, "I")]
    assert sorted(rows, key=repr) == sorted(expected, key=repr)


def test_a_column_that_reached_stage_only_and_was_taken_back_does_not_stop_healing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY", [(1,)])
    pipeline.load(TABLE)
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, TAKEN_BACK INTEGER", [(1, None)])
    real = pipeline.target.add_column
    bronze = pipeline.target.databases.bronze
    with monkeypatch.context() as patch:
        patch.setattr(
            pipeline.target, "add_column", lambda name, column: killed() if name.database == bronze else real(name, column)
        )
        pipeline.fail(TABLE)
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY", [(1,), (2,)])
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.promoting.run_scd2_targeted", killed)
        pipeline.fail(TABLE)
    pipeline.load(TABLE)
    assert [row["ID"] for row in pipeline.dump("bronze", TABLE)] == [1, 2]


@pytest.mark.parametrize("step", ["run_cdc_windowed", "run_scd2_targeted"])
def test_a_retry_after_a_connection_lost_during_commit_does_not_load_twice(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Never again: a retry that loads twice."""
    play(pipeline, "TWIN", DAYS[:2])
    day(pipeline, 1)
    pipeline.load(TABLE)
    day(pipeline, 2)
    with monkeypatch.context() as patch:
        import orchestration.promoting as module  # noqa: PLC0415 - patched here

        patch.setattr(module, step, after_commit(getattr(module, step)))
        pipeline.fail(TABLE)
    assert pipeline.load(TABLE).changed == 0
    without = ("_scd2_key", "_batch_id", "_end_batch_id", "_hash_layout", "UdmEffectiveDateTime", "UdmEndDateTime")
    assert pipeline.dump("bronze", TABLE, without) == pipeline.dump("bronze", "TWIN", without)


def test_a_run_that_ended_before_publishing_is_published_by_the_next_one_once(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    day(pipeline, 1)
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.small_tables.publish", killed)
        pipeline.fail(TABLE)
    lost = pipeline.batch
    assert published(pipeline) == []
    pipeline.load(TABLE)
    assert published(pipeline) == [lost, pipeline.batch]
    [(promoted,)] = pipeline.query('SELECT "Instant" FROM {ops}."TablePublished" WHERE "BatchId" = :batch', batch=lost)
    assert {row["UdmEffectiveDateTime"] for row in pipeline.dump("bronze", TABLE)} == {promoted}


def test_a_table_is_not_healed_with_another_tables_batches(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_promotion(pipeline, monkeypatch, 1)
    play(pipeline, "OTHER", DAYS[:1])
    assert pipeline.dump("bronze", TABLE) == []
    assert data_load.markers.unpromoted(pipeline.target, pipeline.config(TABLE).warehouse_table(pipeline.target, 0))
