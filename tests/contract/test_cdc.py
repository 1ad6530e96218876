"""Stage: one row a change event, current until the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from model.system_columns import STAGE_SYSTEM
from tests.contract.backends import Backend
from tests.contract.days import TABLE, History, play
from tests.contract.pipeline import Pipeline, opened_pipeline


@pytest.fixture(scope="module")
def history(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with opened_pipeline(backend, tmp_path_factory.mktemp("cdc")) as pipeline:
        yield play(pipeline)


def test_a_new_row_is_an_insert_valid_from_its_runs_instant_and_current(history: History) -> None:
    [row] = history.events(1)
    assert (row["_cdc_operation"], row["_cdc_is_current"], row["_cdc_valid_to"]) == ("I", True, None)
    assert row["_cdc_valid_from"] == row["_extracted_at"] == history.instants[0]
    assert row["_cdc_batch_id"] == history.batches[0]


def test_an_unchanged_row_has_no_further_event(history: History) -> None:
    assert len(history.events(1)) == 1


def test_an_update_closes_the_current_row_at_its_own_instant(history: History) -> None:
    before, after, latest = history.events(2)
    assert [row["_cdc_operation"] for row in (before, after, latest)] == ["I", "U", "U"]
    assert before["_cdc_valid_to"] == after["_cdc_valid_from"] == history.instants[1]
    assert after["_cdc_valid_to"] == latest["_cdc_valid_from"] == history.instants[2]
    assert [row["_cdc_is_current"] for row in (before, after, latest)] == [False, False, True]


def test_a_closed_row_keeps_its_own_values_and_batch(history: History) -> None:
    before, after, _ = history.events(2)
    assert (before["NAME"], after["NAME"]) == ("before", "after")
    assert before["_cdc_batch_id"] == history.batches[0]


def test_a_delete_closes_the_current_row_and_adds_an_event_that_was_never_current(history: History) -> None:
    row, event = history.events(3)
    assert (row["_cdc_operation"], row["_cdc_is_current"], row["_cdc_valid_to"]) == ("I", False, history.instants[1])
    assert (event["_cdc_operation"], event["_cdc_is_current"]) == ("D", False)
    assert event["_cdc_valid_from"] == event["_cdc_valid_to"] == history.instants[1]
    assert event["_cdc_batch_id"] == history.batches[1]


def test_a_delete_event_holds_the_last_values_with_their_hashes(history: History) -> None:
    row, event = history.events(3)
    same = ("ID", "NAME", "BALANCE", "_key_hash", "_row_hash", "_hash_layout")
    assert [event[name] for name in same] == [row[name] for name in same]


def test_a_key_that_comes_back_is_an_insert_in_stage(history: History) -> None:
    assert [row["_cdc_operation"] for row in history.events(4)] == ["I", "D", "I"]
    assert [row["_cdc_operation"] for row in history.events(5)] == ["I", "D", "I"]
    assert history.events(4)[-1]["_cdc_valid_from"] == history.instants[3]


def test_a_live_key_has_one_current_row_and_a_deleted_one_none(history: History) -> None:
    current = sorted(row["ID"] for row in history.stage if row["_cdc_is_current"])
    assert current == [1, 2, 4, 5]


def test_a_run_without_changes_leaves_no_event(history: History) -> None:
    assert not [row for row in history.stage if row["_cdc_batch_id"] == history.batches[4]]


def test_stage_holds_the_sources_columns_and_then_ours(history: History) -> None:
    assert tuple(history.pipeline.columns("stage", TABLE)) == ("ID", "NAME", "BALANCE", *STAGE_SYSTEM)


def test_hashes_are_16_bytes_and_a_keys_hash_never_changes(history: History) -> None:
    assert {len(row[name]) for row in history.stage for name in ("_key_hash", "_row_hash")} == {16}
    assert all(len({row["_key_hash"] for row in history.events(key)}) == 1 for key in range(1, 7))
    assert len({row["_key_hash"] for row in history.stage}) == 6


def test_every_row_carries_a_layout_that_ops_knows(history: History) -> None:
    known = {layout for (layout,) in history.pipeline.query('SELECT "LayoutId" FROM {ops}."HashLayout"')}
    assert {row["_hash_layout"] for row in history.stage} == known
    assert len(known) == 1


def test_a_table_whose_columns_are_all_key_has_inserts_and_deletes(pipeline: Pipeline) -> None:
    pipeline.source.table("LINK", "A INTEGER, B INTEGER, PRIMARY KEY (A, B)", [(1, 1), (1, 2)])
    pipeline.load("LINK")
    pipeline.source.table("LINK", "A INTEGER, B INTEGER, PRIMARY KEY (A, B)", [(1, 1), (2, 1)])
    result = pipeline.load("LINK")
    assert (result.inserted, result.updated, result.deleted, result.unchanged) == (1, 0, 1, 1)


def test_composite_keys_that_read_alike_when_joined_are_two_keys(pipeline: Pipeline) -> None:
    rows = [("ab", "c", 1), ("a", "bc", 2), ("", "abc", 3), ("abc", "", 4)]
    pipeline.source.table("PAIR", "A VARCHAR, B VARCHAR, V INTEGER, PRIMARY KEY (A, B)", rows)
    pipeline.load("PAIR")
    stored = [(row["A"], row["B"], row["V"]) for row in pipeline.dump("stage", "PAIR")]
    assert sorted(stored) == sorted(rows)


def test_keys_compare_by_value_not_by_a_collation(pipeline: Pipeline) -> None:
    keys = ["a", "A", "a ", " a", "á", "ä", "ß", "ss"]
    pipeline.source.table("CODES", "CODE VARCHAR PRIMARY KEY, V INTEGER", [(key, 1) for key in keys])
    pipeline.load("CODES")
    assert sorted(row["CODE"] for row in pipeline.dump("bronze", "CODES")) == sorted(keys)


def test_null_and_the_empty_string_are_different_values(pipeline: Pipeline) -> None:
    pipeline.source.table("NOTES", "ID INTEGER PRIMARY KEY, NOTE VARCHAR", [(1, None), (2, ""), (3, None)])
    pipeline.load("NOTES")
    pipeline.source.table("NOTES", "ID INTEGER PRIMARY KEY, NOTE VARCHAR", [(1, ""), (2, None), (3, None)])
    assert pipeline.load("NOTES").updated == 2


def test_an_empty_table_is_created_in_both_layers_and_grows_later(pipeline: Pipeline) -> None:
    pipeline.source.table("EMPTY", "ID INTEGER PRIMARY KEY, V INTEGER")
    pipeline.load("EMPTY")
    assert pipeline.columns("stage", "EMPTY")
    assert pipeline.columns("bronze", "EMPTY")
    pipeline.source.table("EMPTY", "ID INTEGER PRIMARY KEY, V INTEGER", [(1, 1)])
    assert pipeline.load("EMPTY").inserted == 1
