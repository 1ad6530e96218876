"""Several tables at a time: they really run side by side, and one that fails leaves the others alone."""

from __future__ import annotations

import threading

import pytest

from model.errors import ConfigurationError
from orchestration.reporting import QuietReporter
from orchestration.results import exit_status
from orchestration.table_config import TableConfig, TableConfigLoader
from tests.contract.command import list_tables
from tests.contract.days import COLUMNS, DAYS
from tests.contract.pipeline import Pipeline

TABLES = tuple(f"T{number}" for number in range(4))


def fill(pipeline: Pipeline, day: int) -> None:
    for table in TABLES:
        pipeline.source.table(table, COLUMNS, DAYS[day - 1])


class Meeting(QuietReporter):
    """Lets a table start only when so many others have started too."""

    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties, timeout=20)

    def table_started(self, name: str) -> None:
        super().table_started(name)
        self._barrier.wait()


def test_tables_are_loaded_side_by_side_and_each_comes_out_right(pipeline: Pipeline) -> None:
    for day in (1, 2):
        fill(pipeline, day)
        results = pipeline.run_tables(*TABLES, workers=2, reporter=Meeting(2))
        assert {result.status for result in results} == {"SUCCESS"}, [result.message for result in results]
    assert [result.table for result in results] == list(TABLES)
    without = ("UdmEffectiveDateTime", "UdmEndDateTime", "_hash_layout", "_scd2_key")
    histories = [pipeline.dump("bronze", table, without) for table in TABLES]
    assert len(histories[0]) == 7
    assert all(history == histories[0] for history in histories)


def test_a_failing_table_leaves_the_others_alone_and_shows_in_the_exit_status(pipeline: Pipeline) -> None:
    fill(pipeline, 1)
    pipeline.source.execute("DROP TABLE T1", "ALTER TABLE T3 ADD COLUMN _key_hash INTEGER")
    results = pipeline.run_tables(*TABLES, workers=3)
    assert [result.table for result in results if result.status == "FAILED"] == ["T1", "T3"]
    assert exit_status(results) == 1
    for table in TABLES:
        assert len(pipeline.dump("bronze", table)) == (0 if table in {"T1", "T3"} else len(DAYS[0]))


class Panic(BaseException):
    """What a driver's panic in Rust arrives as."""


class Panicking(QuietReporter):
    def step_started(self, name: str, step: str) -> None:
        if name == "DNA.T1" and step == "CDC_PROMOTION":
            raise Panic


def test_a_drivers_panic_fails_its_table_only(pipeline: Pipeline) -> None:
    fill(pipeline, 1)
    results = pipeline.run_tables(*TABLES, workers=2, reporter=Panicking())
    assert [result.table for result in results if result.status == "FAILED"] == ["T1"]


def test_a_source_that_is_not_configured_fails_its_tables_only(pipeline: Pipeline) -> None:
    fill(pipeline, 1)
    pipeline.configs["ELSEWHERE"] = TableConfig(source="CCM", table="ELSEWHERE")
    failed, loaded = pipeline.run_tables("ELSEWHERE", "T0")
    assert (failed.status, loaded.status) == ("FAILED", "SUCCESS")
    assert "UDM_SOURCE_CCM" in failed.message


def test_a_skipped_table_is_exit_status_3_unless_another_failed(pipeline: Pipeline) -> None:
    fill(pipeline, 1)
    pipeline.source.execute("DROP TABLE T2")
    with pipeline.target.lock_table("dna", "t0"):
        assert exit_status(pipeline.run_tables("T0", "T1")) == 3
        assert exit_status(pipeline.run_tables("T0", "T2")) == 1


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ({}, {}, "source table"),
        ({"StageTableName": "SAME"}, {"SourceObjectName": "B", "StageTableName": "same"}, "Stage table"),
        ({"BronzeTableName": "SAME"}, {"SourceObjectName": "B", "BronzeTableName": "Same"}, "Bronze table"),
        ({}, {"SourceObjectName": "B", "BronzeTableName": "a"}, "Bronze table"),
    ],
    ids=["one source table", "one Stage table", "one Bronze table", "a Bronze table named like another's default"],
)
def test_two_rows_for_one_table_are_refused_before_anything_is_loaded(
    pipeline: Pipeline, one: dict[str, str], other: dict[str, str], what: str
) -> None:
    for row in (one, other):
        columns = {"SourceObjectName": "A", **row}
        list_tables(pipeline, columns.pop("SourceObjectName"), **columns)
    with pytest.raises(ConfigurationError, match=what):
        TableConfigLoader(pipeline.target).load()


def test_two_sources_may_have_tables_of_one_name(pipeline: Pipeline) -> None:
    list_tables(pipeline, "ACCT")
    list_tables(pipeline, "ACCT", SourceName="CCM")
    assert [str(config) for config in TableConfigLoader(pipeline.target).load()] == ["CCM.ACCT", "DNA.ACCT"]
