"""Invariant 7: the second run on a table touches nothing, and a clean-up removes only what a dead batch of that table left."""

from __future__ import annotations

from orchestration.reporting import QuietReporter
from orchestration.results import TableResult
from orchestration.table_config import TableConfig
from orchestration.table_lock import hold_table
from tests.contract.command import released
from tests.contract.days import COLUMNS, DAYS, TABLE, play
from tests.contract.pipeline import Pipeline, schema_of

BATCH_COLUMNS = (("stage", "_cdc_batch_id"), ("bronze", "_batch_id"))


class SecondRun(QuietReporter):
    """Starts another run of the same table while the first one works on it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.results: list[TableResult] = []

    def step_started(self, name: str, step: str) -> None:
        super().step_started(name, step)
        if step == "CDC_PROMOTION":
            self.results.append(self._pipeline.run_table(TABLE))


def test_7_the_second_of_two_runs_on_one_table_is_skipped_and_touches_nothing(pipeline: Pipeline) -> None:
    second = SecondRun(pipeline)
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    pipeline.load(TABLE, reporter=second)
    [result] = second.results
    assert result.status == "SKIPPED"
    assert "another" in result.message
    query = 'SELECT "EventType", "Status" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch'
    assert pipeline.query(query, batch=pipeline.batch) == [("TABLE_TOTAL", "SKIPPED")]
    [first], [also] = ({row[name] for row in pipeline.dump(layer, TABLE)} for layer, name in BATCH_COLUMNS)
    assert first == also == pipeline.batch - 1


def test_7_a_held_table_is_skipped_under_any_spelling_with_its_staging_left_alone(pipeline: Pipeline) -> None:
    history = play(pipeline, days=DAYS[1:2])
    make_staging(pipeline, "_staging_ACCT_1")
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    with hold_table(pipeline.target, TableConfig(source="dna", table="acct")):
        assert pipeline.run_table(TABLE).status == "SKIPPED"
    assert pipeline.staging_tables() == ["_staging_ACCT_1"]
    assert pipeline.dumps(TABLE) == (history.stage, history.bronze)
    assert pipeline.load(TABLE).changed


def make_staging(pipeline: Pipeline, *names: str) -> None:
    pipeline.target.create_schema(pipeline.target.databases.stage, pipeline.source.name)
    schema = schema_of(pipeline.target, pipeline.target.databases.stage, pipeline.source.name)
    for name in names:
        pipeline.query(f'CREATE TABLE {schema}."{name}" (V INTEGER)')


def test_7_a_cleanup_removes_the_dead_batches_of_exactly_its_own_table(pipeline: Pipeline) -> None:
    """Never again: a cleanup glob `DNA_ACCT_*` deleting `DNA_ACCT_TYPE_*`; cleanup dropping another run's staging tables."""
    others = ("_staging_ACCT_TYPE_7", "_staging_ACCT_7_8", "_staging_ACC_9", "_staging_XACCT_7", "_staging_ACCT_")
    make_staging(pipeline, "_staging_ACCT_999999", "_staging_ACCT_0", *others)
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    pipeline.load(TABLE)
    assert pipeline.staging_tables() == sorted(others)


def test_7_opening_the_target_drops_no_staging_table(pipeline: Pipeline) -> None:
    make_staging(pipeline, "_staging_ACCT_5")
    with released(pipeline):
        pass
    assert pipeline.staging_tables() == ["_staging_ACCT_5"]
