"""MAX_TX_ROWS: a promotion in chunks of whole keys ends as one transaction would, and is published when all of it is in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.days import COLUMNS, DAYS, TABLE, play
from tests.contract.pipeline import Pipeline, Row
from tests.contract.test_healing import Killed, day, published
from tests.contract.test_invariant_kill import state

KEYS = 40


def many(step: int) -> list[Row]:
    """A table whose keys come, change, go and come back from one step to the next."""
    return [(key, f"name {key % 7 + (key % 3) * step}", key) for key in range(KEYS) if (key + step) % 5]


def chunks(pipeline: Pipeline, database: str, table: str = TABLE) -> list[tuple[Any, ...]]:
    query = f'SELECT "Chunks", "ChunksDone" FROM {{{database}_ops}}."PromotionMarker" WHERE "TableName" = :name'
    return pipeline.query(f'{query} ORDER BY "Instant"', name=table)


def stop_after(monkeypatch: pytest.MonkeyPatch, engine: str, chunk: int) -> None:
    """The run ends in the transaction of the chunk after this one."""
    import importlib  # noqa: PLC0415 - the engine is named by the test

    module = importlib.import_module(engine)
    write = module.write_marker

    def write_marker(*arguments: Any) -> None:
        if arguments[-1].number > chunk:
            raise Killed
        write(*arguments)

    monkeypatch.setattr(module, "write_marker", write_marker)


@pytest.mark.parametrize("rows", [3, 15])
def test_a_promotion_in_chunks_ends_as_one_in_one_transaction(pipeline: Pipeline, rows: int) -> None:
    for step in range(4):
        for table, limit in (("WHOLE", 0), ("PARTS", rows)):
            pipeline.source.table(table, COLUMNS, many(step))
            pipeline.load(table, max_tx_rows=limit)
    assert state(pipeline, "PARTS") == state(pipeline, "WHOLE")
    for database in ("stage", "bronze"):
        assert chunks(pipeline, database, "WHOLE") == [(1, 1)] * 4
        parts = chunks(pipeline, database, "PARTS")
        assert all(planned == done for planned, done in parts)
        assert parts[0] == (-(-32 // rows),) * 2
    surrogates = [row["_scd2_key"] for row in pipeline.dump("bronze", "PARTS")]
    assert len(set(surrogates)) == len(surrogates)
    assert len(published(pipeline)) == 8


def test_a_batch_in_chunks_has_one_id_and_one_instant(pipeline: Pipeline) -> None:
    pipeline.source.table(TABLE, COLUMNS, many(0))
    pipeline.load(TABLE, max_tx_rows=10)
    stage, bronze = pipeline.dumps(TABLE)
    assert len({(row["_cdc_batch_id"], row["_cdc_valid_from"]) for row in stage}) == 1
    assert len({(row["_batch_id"], row["UdmEffectiveDateTime"]) for row in bronze}) == 1


@pytest.mark.parametrize(("chunk", "again"), [(1, 1), (2, 0)], ids=["same setting", "setting changed since"])
@pytest.mark.parametrize("engine", ["cdc.engine", "scd2.engine"])
def test_a_promotion_that_ended_between_two_chunks_is_resumed_there(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, engine: str, chunk: int, again: int
) -> None:
    play(pipeline, "WHOLE", DAYS[:2])
    day(pipeline, 1)
    pipeline.load(TABLE)
    day(pipeline, 2)
    with monkeypatch.context() as patch:
        stop_after(patch, engine, chunk)
        pipeline.fail(TABLE, max_tx_rows=1)
    database, lost = engine.split(".", maxsplit=1)[0], pipeline.batch
    assert chunks(pipeline, "stage" if database == "cdc" else "bronze")[-1] == (5, chunk)
    assert lost not in published(pipeline)
    assert pipeline.load(TABLE, max_tx_rows=again).changed == 0
    assert state(pipeline, TABLE) == state(pipeline, "WHOLE")
    assert pipeline.staging_tables() == []
    assert lost in published(pipeline)
    assert chunks(pipeline, "stage")[-1] == (5, 5)
    events = [row for row in pipeline.dump("stage", TABLE) if row["_cdc_batch_id"] == lost]
    assert len(events) == 5
    announced = pipeline.query('SELECT "Instant" FROM {ops}."TablePublished" WHERE "BatchId" = :lost', lost=lost)
    assert [(instant,) for instant in {row["_cdc_valid_from"] for row in events}] == announced


def test_the_staging_table_of_a_batch_that_stage_holds_in_part_outlives_a_run_that_cannot_heal_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    day(pipeline, 1)
    for chunk in (1, 2):
        with monkeypatch.context() as patch:
            stop_after(patch, "cdc.engine", chunk)
            pipeline.fail(TABLE, max_tx_rows=1)
        assert len(pipeline.staging_tables()) == 1
        assert chunks(pipeline, "stage") == [(5, chunk)]
    assert pipeline.load(TABLE).changed == 0
    assert len(pipeline.dump("bronze", TABLE)) == 5
    assert pipeline.staging_tables() == []


def test_a_half_promoted_batch_whose_staging_table_is_gone_fails_with_a_remedy_that_works(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(pipeline, "WHOLE", DAYS[:2])
    day(pipeline, 1)
    pipeline.load(TABLE)
    day(pipeline, 2)
    with monkeypatch.context() as patch:
        stop_after(patch, "cdc.engine", 2)
        pipeline.fail(TABLE, max_tx_rows=1)
    lost, [staging] = pipeline.batch, pipeline.staging_tables()
    pipeline.query(f"DROP TABLE {pipeline.target.quoted(pipeline.name('staging', TABLE))}")
    before = pipeline.dumps(TABLE)
    message = pipeline.fail(TABLE)
    assert staging in message
    assert f"batch {lost}" in message
    assert "2 of 5 chunks" in message
    assert pipeline.dumps(TABLE) == before
    held = [row["_cdc_operation"] for row in before[0] if row["_cdc_batch_id"] == lost]
    pipeline.query(
        'UPDATE {stage_ops}."PromotionMarker" SET "Chunks" = "ChunksDone", "RowsInserted" = :i, "RowsUpdated" = :u, '
        '"RowsDeleted" = :d WHERE "TableName" = :name AND "BatchId" = :lost',
        name=TABLE, lost=lost, i=held.count("I"), u=held.count("U"), d=held.count("D"),
    )  # fmt: skip
    assert 0 < len(held) < 5
    assert pipeline.load(TABLE).changed == 5 - len(held)
    without = ("_scd2_key", "_batch_id", "_end_batch_id", "_hash_layout", "UdmEffectiveDateTime", "UdmEndDateTime")
    assert pipeline.dump("bronze", TABLE, without) == pipeline.dump("bronze", "WHOLE", without)


def test_a_marker_from_before_there_were_chunks_is_complete(pipeline: Pipeline) -> None:
    day(pipeline, 1)
    pipeline.load(TABLE)
    for database in ("stage", "bronze"):
        pipeline.query(f'UPDATE {{{database}_ops}}."PromotionMarker" SET "Chunks" = NULL, "ChunksDone" = NULL')
    pipeline.query('DELETE FROM {ops}."TablePublished"')
    before = pipeline.dumps(TABLE)
    assert pipeline.load(TABLE).changed == 0
    assert pipeline.dumps(TABLE) == before
    assert published(pipeline) == [pipeline.batch - 1, pipeline.batch]


def test_a_part_of_a_batch_that_stage_does_not_know_of_is_not_announced(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    day(pipeline, 1)
    with monkeypatch.context() as patch:
        stop_after(patch, "scd2.engine", 1)
        pipeline.fail(TABLE, max_tx_rows=1)
    pipeline.query('DELETE FROM {stage_ops}."PromotionMarker"')
    lost = pipeline.batch
    pipeline.run_table(TABLE)
    assert lost not in published(pipeline)


def test_a_chunk_whose_counts_do_not_come_out_is_rolled_back_and_those_before_it_stay(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    day(pipeline, 1)
    pipeline.load(TABLE)
    day(pipeline, 2)
    with monkeypatch.context() as patch:
        stop_after(patch, "scd2.engine", 1)
        pipeline.fail(TABLE, max_tx_rows=1)
    lost = pipeline.batch
    done = {row["_key_hash"] for row in pipeline.dump("bronze", TABLE) if lost in {row["_batch_id"], row["_end_batch_id"]}}
    changed = [row for row in pipeline.dump("stage", TABLE) if row["_cdc_batch_id"] == lost]
    gone = min({row["ID"] for row in changed if row["_key_hash"] not in done} - {6})
    pipeline.query('DELETE FROM {bronze} WHERE "ID" = :gone', TABLE, gone=gone)
    message = pipeline.fail(TABLE)
    assert f"batch {lost}, chunk " in message
    assert "reconciliation" in message
    assert lost not in published(pipeline)
    planned, chunk = chunks(pipeline, "bronze")[-1]
    assert 1 <= chunk < planned


def test_the_whole_batch_is_proven_with_its_last_chunk(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    day(pipeline, 1)
    with monkeypatch.context() as patch:
        stop_after(patch, "scd2.engine", 1)
        pipeline.fail(TABLE, max_tx_rows=1)
    # Somebody removes a version that an earlier chunk had opened: each chunk comes out, the batch does not.
    pipeline.query("DELETE FROM {bronze}", TABLE)
    pipeline.query('UPDATE {bronze_ops}."PromotionMarker" SET "ChunksDone" = 2')
    message = pipeline.fail(TABLE)
    assert "should open 5 and close 0" in message
