"""Indexes that users want are created, kept, and there again after a schema change; one that cannot be made stops nothing."""

from __future__ import annotations

import logging

import pytest

from tests.contract.conftest import Records
from tests.contract.pipeline import Pipeline
from tests.contract.rules import set_rule
from tests.contract.test_schema_evolution import TABLE, load

COLUMNS = "ID INTEGER PRIMARY KEY, V INTEGER, W VARCHAR"


def names(pipeline: Pipeline, layer: str) -> set[str]:
    with pipeline.target.engine.connect() as connection:
        return set(pipeline.target.index_names(connection, pipeline.name(layer, TABLE)))


OTHER_NAMES = "lists indexes under names of its own"


def test_wanted_indexes_are_made_and_kept(pipeline: Pipeline, logged: Records, request: pytest.FixtureRequest) -> None:
    pipeline.backend.declare(request, OTHER_NAMES)
    load(pipeline, COLUMNS, (1, 1, "x"))
    assert "of users" not in names(pipeline, "bronze")
    set_rule(pipeline, TABLE, "V", IsIndex=True, IndexName="of users")
    set_rule(pipeline, TABLE, "ID", IsIndex=True, Layer="Stage")
    set_rule(pipeline, TABLE, "W", IsIndex=True, IndexType="UNIQUE")
    load(pipeline, COLUMNS, (1, 2, "x"))
    assert "of users" in names(pipeline, "bronze")
    assert f"ix_{TABLE}_cdc_ID" in names(pipeline, "stage")
    assert [message for message in logged.messages(logging.WARNING) if "is wanted as unique" in message]
    # Altered under it, with updates and a delete in the same run.
    assert load(pipeline, COLUMNS.replace("V INTEGER", "V BIGINT"), (1, 3, "x"), (2, 5_000_000_000, "y")) == (1, 1, 0, 0)
    assert load(pipeline, COLUMNS.replace("V INTEGER", "V BIGINT"), (2, 6, "y")) == (0, 1, 1, 0)
    assert "of users" in names(pipeline, "bronze")
    assert f"ix_{TABLE}_cdc_ID" in names(pipeline, "stage")


def test_the_versions_of_a_key_are_indexed_by_their_instants_on_servers(
    pipeline: Pipeline, request: pytest.FixtureRequest
) -> None:
    pipeline.backend.declare(request, OTHER_NAMES)
    load(pipeline, COLUMNS, (1, 1, "x"))
    expected = set() if pipeline.backend.name == "duckdb" else {f"ix_{TABLE}_scd2_python_versions"}
    assert {name for name in names(pipeline, "bronze") if name.endswith("_versions")} == expected
