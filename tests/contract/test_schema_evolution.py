"""Schema changes at the source: nothing is lost, nothing becomes an update that is none, what needs a decision is an error."""

from __future__ import annotations

import logging

import pytest

from model.system_columns import BRONZE_SYSTEM, STAGE_SYSTEM
from model.types import decimal
from tests.contract.conftest import Records
from tests.contract.pipeline import Pipeline, Row

TABLE = "ACCT"


def load(pipeline: Pipeline, columns: str, *rows: Row) -> tuple[int, int, int, int]:
    """Load the table as it is now; rows inserted, updated, deleted, unchanged."""
    pipeline.source.table(TABLE, columns, rows)
    result = pipeline.load(TABLE)
    return result.inserted, result.updated, result.deleted, result.unchanged


def versions(pipeline: Pipeline, *names: str) -> list[Row]:
    columns = ", ".join(f'"{name}"' for name in ("ID", *names, "UdmActiveFlag"))
    return sorted(pipeline.query(f"SELECT {columns} FROM {{bronze}}", TABLE), key=repr)


def error_type(pipeline: Pipeline) -> str:
    of_run = 'WHERE "BatchId" = :batch AND "TableName" = :name ORDER BY "EventNumber"'
    query = f'SELECT "ErrorType" FROM {{ops}}."PipelineEventLog" {of_run}'
    *_, (error,) = pipeline.query(query, batch=pipeline.batch, name=TABLE)
    return str(error)


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ("NEW VARCHAR, ID INTEGER PRIMARY KEY, V INTEGER", [(None, 1, 1), ("x", 2, 2)]),
        ("ID INTEGER PRIMARY KEY, NEW VARCHAR, V INTEGER", [(1, None, 1), (2, "x", 2)]),
        ("V INTEGER, ID INTEGER PRIMARY KEY, NEW VARCHAR", [(1, 1, None), (2, 2, "x")]),
    ],
    ids=["first", "middle", "last, with the others reordered"],
)
def test_a_new_column_makes_a_version_only_of_rows_that_have_a_value_in_it(
    pipeline: Pipeline, columns: str, rows: list[Row]
) -> None:
    """Never again: a new column re-hashing the whole table into updates."""
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1), (2, 2))
    assert load(pipeline, columns, *rows) == (0, 1, 0, 1)
    assert versions(pipeline, "V", "NEW") == [(1, 1, None, True), (2, 2, "x", True), (2, 2, None, False)]
    assert load(pipeline, columns, *rows) == (0, 0, 0, 2)


def test_a_new_column_is_added_to_both_layers_with_its_type_and_to_the_columns_list(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY", (1,))
    load(pipeline, "ID INTEGER PRIMARY KEY, AMOUNT DECIMAL(38,10)", (1, None))
    for layer in ("stage", "bronze"):
        assert pipeline.columns(layer, TABLE)["AMOUNT"] == pipeline.type_text(decimal(38, 10))
    query = 'SELECT "ColumnName", "IsPrimaryKey" FROM {dbo}."UdmTablesColumnsList" ORDER BY "OrdinalPosition"'
    assert pipeline.query(query) == [("ID", True), ("AMOUNT", False)]


def test_a_value_that_goes_back_to_null_in_a_new_column_is_an_update(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY", (1,))
    load(pipeline, "ID INTEGER PRIMARY KEY, NEW INTEGER", (1, 7))
    assert load(pipeline, "ID INTEGER PRIMARY KEY, NEW INTEGER", (1, None)) == (0, 1, 0, 0)
    assert load(pipeline, "ID INTEGER PRIMARY KEY, NEW INTEGER", (1, None)) == (0, 0, 0, 1)


def test_columns_in_another_order_change_nothing(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, A INTEGER, B INTEGER", (1, 2, 3))
    before = pipeline.dumps(TABLE)
    assert load(pipeline, "B INTEGER, A INTEGER, ID INTEGER PRIMARY KEY", (3, 2, 1)) == (0, 0, 0, 1)
    assert pipeline.dumps(TABLE) == before


def test_values_that_swap_their_columns_are_an_update(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, A INTEGER, B INTEGER", (1, 2, 3))
    assert load(pipeline, "ID INTEGER PRIMARY KEY, B INTEGER, A INTEGER", (1, 2, 3)) == (0, 1, 0, 0)


def test_a_vanished_column_is_kept_with_its_last_values_and_warned_of(pipeline: Pipeline, logged: Records) -> None:
    """Never again: a vanished column failing the table for ever."""
    load(pipeline, "ID INTEGER PRIMARY KEY, OLD VARCHAR, V INTEGER", (1, "kept", 1), (2, "was", 2), (3, "last", 3))
    rows = [(1, 1), (2, 20), (4, 4)]
    assert load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", *rows) == (1, 1, 1, 1)
    expected = [(1, "kept", True), (2, "was", False), (2, None, True), (3, "last", False), (4, None, True)]
    assert versions(pipeline, "OLD") == sorted(expected, key=repr)
    assert [message for message in logged.messages(logging.WARNING) if "OLD" in message]
    [event] = [row for row in pipeline.dump("stage", TABLE) if row["_cdc_operation"] == "D"]
    assert (event["ID"], event["OLD"]) == (3, "last")
    assert load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", *rows) == (0, 0, 0, 3)


def test_rows_that_were_inserted_without_the_column_are_compared_too(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, OLD INTEGER, V INTEGER", (1, 1, 1))
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1), (2, 2))
    assert load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 10), (2, 20)) == (0, 2, 0, 0)


def test_a_column_that_comes_back_makes_updates_only_of_rows_that_have_another_value(pipeline: Pipeline) -> None:
    with_column = "ID INTEGER PRIMARY KEY, COMES VARCHAR, V INTEGER"
    load(pipeline, with_column, (1, "same", 1), (2, "before", 2), (3, "gone", 3), (4, "x", 4))
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1), (2, 2), (3, 3), (4, 40), (5, 5))
    back = [(1, "same", 1), (2, "after", 2), (3, None, 3), (4, None, 40), (5, "new", 5)]
    assert load(pipeline, with_column, *back) == (0, 3, 0, 2)
    active = [row[:-1] for row in versions(pipeline, "COMES", "V") if row[-1]]
    assert active == sorted(back, key=repr)
    assert load(pipeline, with_column, *back) == (0, 0, 0, 5)


def test_one_column_may_vanish_on_the_day_another_is_new(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, OLD INTEGER, V INTEGER", (1, 1, 1), (2, 2, 2))
    assert load(pipeline, "NEW INTEGER, V INTEGER, ID INTEGER PRIMARY KEY", (None, 1, 1), (5, 2, 2)) == (0, 1, 0, 1)
    assert versions(pipeline, "OLD", "NEW") == [(1, 1, None, True), (2, 2, None, False), (2, None, 5, True)]


def test_old_and_new_layouts_live_side_by_side(pipeline: Pipeline) -> None:
    """Current rows hashed under three layouts, compared in one run."""
    load(pipeline, "ID INTEGER PRIMARY KEY, A INTEGER", (1, 1), (2, 2), (3, 3))
    load(pipeline, "ID INTEGER PRIMARY KEY, A INTEGER, B INTEGER", (1, 1, None), (2, 2, 2), (3, 3, None))
    columns = "ID INTEGER PRIMARY KEY, A INTEGER, B INTEGER, C INTEGER"
    load(pipeline, columns, (1, 1, None, None), (2, 2, 2, None), (3, 3, None, 3))
    assert pipeline.query('SELECT count(DISTINCT "_hash_layout") FROM {stage} WHERE "_cdc_is_current" = {true}', TABLE) == [(3,)]
    assert load(pipeline, columns, (1, 1, None, None), (2, 2, 2, None), (3, 3, None, 3)) == (0, 0, 0, 3)
    assert load(pipeline, columns, (1, 1, 1, None), (2, 2, None, None), (3, None, None, 3)) == (0, 3, 0, 0)


@pytest.mark.parametrize("kind", ["SMALLINT", "VARCHAR"])
def test_a_type_that_changes_is_an_error_of_that_table_only(pipeline: Pipeline, kind: str) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1))
    before = pipeline.dumps(TABLE)
    pipeline.source.table(TABLE, f"ID INTEGER PRIMARY KEY, V {kind}", [(1, None)])
    pipeline.source.table("OTHER", "ID INTEGER PRIMARY KEY", [(1,)])
    failed, other = pipeline.run_tables(TABLE, "OTHER")
    assert (failed.status, other.status) == ("FAILED", "SUCCESS")
    assert error_type(pipeline) == "SchemaEvolutionError"
    assert "'V'" in failed.message
    assert kind in failed.message
    assert pipeline.dumps(TABLE) == before


@pytest.mark.parametrize("layer", ["stage", "bronze"])
def test_a_foreign_table_in_the_way_is_refused_and_left_alone(pipeline: Pipeline, layer: str) -> None:
    name = pipeline.name(layer, TABLE)
    pipeline.target.create_schema(name.database, name.schema)
    pipeline.query(f'CREATE TABLE {{{layer}}} ("ID" INTEGER, "THEIRS" VARCHAR(10))', TABLE)
    pipeline.query(f"INSERT INTO {{{layer}}} VALUES (1, 'theirs')", TABLE)
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY", [(1,)])
    message = pipeline.fail(TABLE)
    assert error_type(pipeline) == "SchemaEvolutionError"
    assert str(name) in message
    assert pipeline.dump(layer, TABLE) == [{"ID": 1, "THEIRS": "theirs"}]
    assert not pipeline.columns({"stage": "bronze", "bronze": "stage"}[layer], TABLE)


@pytest.mark.parametrize(
    "columns",
    ["ID INTEGER, CODE VARCHAR PRIMARY KEY", "ID INTEGER, CODE VARCHAR, PRIMARY KEY (ID, CODE)"],
    ids=["another column", "one more column"],
)
def test_a_key_of_other_columns_is_refused(pipeline: Pipeline, columns: str) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, CODE VARCHAR", (1, "a"))
    before = pipeline.dumps(TABLE)
    pipeline.query('DELETE FROM {dbo}."UdmTablesColumnsList"')
    pipeline.source.table(TABLE, columns, [(1, "a")])
    message = pipeline.fail(TABLE)
    assert "CODE" in message
    assert error_type(pipeline) == "SchemaEvolutionError"
    assert pipeline.dumps(TABLE) == before


def test_no_schema_change_ever_drops_a_column(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, A INTEGER, B INTEGER", (1, 1, 1))
    load(pipeline, "ID INTEGER PRIMARY KEY, C INTEGER", (1, 1))
    load(pipeline, "ID INTEGER PRIMARY KEY", (1,))
    for layer, ours in (("stage", STAGE_SYSTEM), ("bronze", BRONZE_SYSTEM)):
        assert set(pipeline.columns(layer, TABLE)) == {"ID", "A", "B", "C", *ours}
