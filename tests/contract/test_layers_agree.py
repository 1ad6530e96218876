"""One layer without the other: never begun anew in silence."""

from __future__ import annotations

import pytest

from data_load.schema_utils import drop_table
from tests.contract.pipeline import Pipeline


@pytest.mark.parametrize("layer", ["stage", "bronze"])
def test_a_missing_layer_beside_one_that_holds_rows_is_refused_and_nothing_is_created(pipeline: Pipeline, layer: str) -> None:
    pipeline.source.table("ACCT", "ID BIGINT PRIMARY KEY, NAME VARCHAR", [(1, "a"), (2, "b")])
    pipeline.load("ACCT")
    tables = pipeline.config("ACCT").warehouse_table(pipeline.target, 0)
    missing = getattr(tables, layer)
    with pipeline.target.engine.begin() as connection:
        drop_table(pipeline.target, connection, missing)
    message = pipeline.fail("ACCT")
    assert f"{missing} does not exist" in message
    with pipeline.target.engine.connect() as connection:
        assert pipeline.target.columns_of(connection, missing) == ()


def test_an_empty_layer_beside_a_missing_one_is_what_a_crash_may_leave_and_is_completed(pipeline: Pipeline) -> None:
    pipeline.source.table("ACCT", "ID BIGINT PRIMARY KEY, NAME VARCHAR")
    pipeline.load("ACCT")
    tables = pipeline.config("ACCT").warehouse_table(pipeline.target, 0)
    with pipeline.target.engine.begin() as connection:
        drop_table(pipeline.target, connection, tables.bronze)
    pipeline.source.table("ACCT", "ID BIGINT PRIMARY KEY, NAME VARCHAR", [(1, "a")])
    assert pipeline.load("ACCT").inserted == 1
