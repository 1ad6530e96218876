"""Columns that become wider at the source: altered in both layers without a single update, or refused before anything is done."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from connections.target import Target
from model.types import decimal, integer
from tests.contract.conftest import Records
from tests.contract.pipeline import Pipeline, Row
from tests.contract.test_schema_evolution import TABLE, error_type, load

NARROW = "ID INTEGER PRIMARY KEY, V INTEGER, AMOUNT DECIMAL(9,2), R FLOAT"
WIDE = "ID BIGINT PRIMARY KEY, V BIGINT, AMOUNT DECIMAL(12,4), R DOUBLE"
ROWS: list[Row] = [(1, 1, "1.10", 0.1), (2, None, None, None), (3, 2**31 - 1, "-9999999.99", 1.5)]


def types(pipeline: Pipeline, column: str) -> set[str]:
    return {pipeline.columns(layer, TABLE)[column] for layer in ("stage", "bronze")}


def widen(pipeline: Pipeline, **options: object) -> tuple[int, int, int, int]:
    """The source as it is after its columns became wider: row 2 has a value that did not fit before."""
    pipeline.source.execute(
        f"ALTER TABLE {TABLE} RENAME TO BEFORE",
        f"CREATE OR REPLACE TABLE {TABLE} ({WIDE})",
        f"INSERT INTO {TABLE} FROM BEFORE",
        "DROP TABLE BEFORE",
        f"UPDATE {TABLE} SET V = 5000000000, AMOUNT = 10000000.0001 WHERE ID = 2",
    )
    result = pipeline.load(TABLE, **options)
    return result.inserted, result.updated, result.deleted, result.unchanged


def test_wider_columns_are_altered_in_both_layers_and_only_values_that_differ_are_updates(pipeline: Pipeline) -> None:
    load(pipeline, NARROW, *ROWS)
    assert widen(pipeline) == (0, 1, 0, 2)
    assert types(pipeline, "V") == types(pipeline, "ID") == {pipeline.type_text(integer(64))}
    assert types(pipeline, "AMOUNT") == {pipeline.type_text(decimal(12, 4))}
    active = pipeline.query('SELECT "ID", "V", "AMOUNT" FROM {bronze} WHERE "UdmActiveFlag" = {true} ORDER BY "ID"', TABLE)
    assert [(key, value, str(amount)) for key, value, amount in active] == [
        (1, 1, "1.1000"),
        (2, 5000000000, "10000000.0001"),
        (3, 2**31 - 1, "-9999999.9900"),
    ]
    assert pipeline.load(TABLE).changed == 0


def test_a_dry_run_tells_the_plan_and_alters_nothing(pipeline: Pipeline, logged: Records) -> None:
    load(pipeline, NARROW, *ROWS)
    before = pipeline.columns("stage", TABLE), pipeline.dumps(TABLE)
    widen(pipeline, dry_run=True)
    assert (pipeline.columns("stage", TABLE), pipeline.dumps(TABLE)) == before
    told = [message for message in logged.messages(logging.INFO) if "schema, not applied: alter column 'V'" in message]
    assert [str(pipeline.name(layer, TABLE)) in message for layer, message in zip(("stage", "bronze"), told, strict=True)]


def test_a_table_too_large_to_rewrite_fails_with_the_script_that_then_lets_it_load(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", *[(key, key) for key in range(5)])
    before = pipeline.dumps(TABLE)
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, V BIGINT", [(key, key) for key in range(5)])
    message = pipeline.fail(TABLE, alter_max_rows=4)
    assert error_type(pipeline) == "SchemaEvolutionError"
    assert "ALTER_MAX_ROWS (4)" in message
    assert pipeline.dumps(TABLE) == before
    script = message[message.index("ALTER TABLE") :].rstrip(";").split("; ")
    assert len(script) == 2
    for statement, layer in zip(script, ("stage", "bronze"), strict=True):
        database = pipeline.name(layer, TABLE).database
        with pipeline.target.engine.begin() as connection:
            connection.execute(pipeline.target.ddl(database, statement))
    assert pipeline.load(TABLE, alter_max_rows=4).changed == 0


def test_an_alter_that_fails_between_the_layers_is_finished_by_the_next_run(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1), (2, 2))
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, V BIGINT", [(1, 1), (2, 5_000_000_000)])
    alter, bronze = type(pipeline.target).alter_type, pipeline.name("bronze", TABLE)

    def failing(target: Target, name: object, *about: object) -> str:
        if name == bronze:
            return "ALTER TABLE nowhere ADD nothing INTEGER"
        return alter(target, name, *about)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(type(pipeline.target), "alter_type", failing)
        pipeline.fail(TABLE)
    kinds = [pipeline.columns(layer, TABLE)["V"] for layer in ("stage", "bronze")]
    assert kinds == [pipeline.type_text(integer(64)), pipeline.type_text(integer(32))]
    result = pipeline.load(TABLE)
    assert (result.updated, result.unchanged) == (1, 1)
    assert types(pipeline, "V") == {pipeline.type_text(integer(64))}


def test_a_bronze_restored_from_before_a_column_was_wider_is_healed(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1))
    load(pipeline, "ID INTEGER PRIMARY KEY, V BIGINT", (1, 1), (2, 5_000_000_000))
    expected = pipeline.dump("bronze", TABLE, ("_scd2_key",))
    for statement in (
        'DELETE FROM {bronze} WHERE "_batch_id" = 2',
        'ALTER TABLE {bronze} DROP COLUMN "V"',
        f'ALTER TABLE {{bronze}} {pipeline.target.add_column_keyword} "V" INTEGER',
        'UPDATE {bronze} SET "V" = 1',
        'DELETE FROM {bronze_ops}."PromotionMarker" WHERE "BatchId" = 2',
    ):
        pipeline.query(statement, TABLE)
    assert pipeline.load(TABLE).changed == 0
    assert pipeline.dump("bronze", TABLE, ("_scd2_key",)) == expected


def test_indexes_that_people_made_outlast_a_wider_column(pipeline: Pipeline, request: pytest.FixtureRequest) -> None:
    pipeline.backend.declare(request, "lists an index under a name that it does not drop it by")
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1), (2, 2))
    for layer in ("stage", "bronze"):
        pipeline.query(f'CREATE INDEX "of people" ON {{{layer}}} ("V", "ID")', TABLE)
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, V BIGINT", [(1, 1), (2, 2)])
    assert pipeline.load(TABLE).changed == 0
    # A name is taken once a table (SQL Server) or a schema: creating it again fails where it is there.
    for layer in ("stage", "bronze"):
        with pytest.raises(sa.exc.DBAPIError):
            pipeline.query(f'CREATE INDEX "of people" ON {{{layer}}} ("V", "ID")', TABLE)


def test_a_lock_on_the_table_is_waited_for_briefly_and_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    if pipeline.backend.name != "postgresql":
        pytest.skip("DuckDB has no lock to wait for; SQL Server's setting is in the golden file")
    load(pipeline, "ID INTEGER PRIMARY KEY, V DECIMAL(9,2)", (1, 1))
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, V DECIMAL(12,2)", [(1, 1)])
    monkeypatch.setattr(type(pipeline.target), "alter_patience", 1)
    with pipeline.target.recorder.connect() as reader, reader.begin():
        reader.execute(sa.text(f"SELECT 1 FROM {pipeline.target.quoted(pipeline.name('stage', TABLE))}"))
        message = pipeline.fail(TABLE, retry_attempts=2, retry_seconds=0.01)
    assert "altering column 'V' of UDM_Stage.DNA.ACCT_cdc failed 2 times" in message
    assert pipeline.load(TABLE).changed == 0


def _storage(pipeline: Pipeline) -> list[Row]:
    query = "SELECT pg_relation_filenode('{stage}'), pg_relation_filenode('{bronze}')"
    return pipeline.query(query, TABLE)


def test_postgresql_rewrites_what_it_is_said_to_rewrite(pipeline: Pipeline) -> None:
    if pipeline.backend.name != "postgresql":
        pytest.skip("its file node tells")
    columns = "ID INTEGER PRIMARY KEY, D DECIMAL(9,2), I {}, S DECIMAL({},2)"
    load(pipeline, columns.format("INTEGER", 9), (1, 1, 1, 1))
    files = _storage(pipeline)
    load(pipeline, columns.format("INTEGER", 12), (1, 1, 1, 1))
    assert _storage(pipeline) == files
    pipeline.source.table(TABLE, columns.format("BIGINT", 12), [(1, 1, 1, 1)])
    pipeline.fail(TABLE, alter_max_rows=0)
    assert pipeline.load(TABLE).changed == 0
    assert all(one != other for one, other in zip(_storage(pipeline)[0], files[0], strict=True))


def test_a_likely_rename_is_warned_of(pipeline: Pipeline, logged: Records) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, OLD VARCHAR, GONE INTEGER", (1, "a", 1))
    load(pipeline, "ID INTEGER PRIMARY KEY, OLD VARCHAR", (1, "a"))
    load(pipeline, "ID INTEGER PRIMARY KEY, NEW VARCHAR, COUNTED INTEGER", (1, "a", 1))
    warned = [message for message in logged.messages(logging.WARNING) if "of the same type" in message]
    assert ["column OLD has vanished and NEW of the same type is new" in message for message in warned] == [True]


def test_a_kind_that_changes_under_one_stored_type_makes_no_updates(pipeline: Pipeline) -> None:
    """Converted by hand, or stored alike: an integer hashes otherwise than a decimal of the same value."""
    load(pipeline, "ID INTEGER PRIMARY KEY, V INTEGER", (1, 1), (2, 2))
    pipeline.source.table(TABLE, "ID INTEGER PRIMARY KEY, V DECIMAL(20,0)", [(1, 1), (2, 3)])
    pipeline.fail(TABLE)
    convert: Callable[[str], str] = lambda layer: pipeline.target.alter_type(pipeline.name(layer, TABLE), "V", decimal(20, 0))  # noqa: E731
    for layer in ("stage", "bronze"):
        with pipeline.target.engine.begin() as connection:
            connection.execute(pipeline.target.ddl(pipeline.name(layer, TABLE).database, convert(layer)))
    result = pipeline.load(TABLE)
    assert (result.updated, result.unchanged) == (1, 1)
    assert pipeline.load(TABLE).changed == 0
