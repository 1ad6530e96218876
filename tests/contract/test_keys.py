"""A key that changes at the source: noticed, explained, and given to the history without losing a version."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import schema.rekey
from model.errors import SchemaEvolutionError
from orchestration.rekeying import run_rekey
from tests.contract.pipeline import Pipeline, Row
from tests.contract.test_schema_evolution import TABLE, error_type, load

BY_A = "A INTEGER PRIMARY KEY, B INTEGER NOT NULL, V VARCHAR"
BY_B = "A INTEGER NOT NULL, B INTEGER PRIMARY KEY, V VARCHAR"
# The new key of one row is the old one of another.
SWAPPED: list[Row] = [(1, 2, "x"), (2, 1, "y"), (3, 3, "z")]
OURS = ("_key_hash", "_row_hash", "UdmHash", "_hash_layout")


def rekey(pipeline: Pipeline, *, yes: bool = True) -> tuple[str, list[str]]:
    """What the command does, its result's status and what it says."""
    said: list[str] = []
    [result] = pipeline.run_tables(TABLE, dry_run=not yes, run_all=partial(run_rekey, say=said.append))
    return str(result.status), [*said, result.message]


def history(pipeline: Pipeline) -> tuple[list[dict[str, Any]], ...]:
    return tuple(pipeline.dump(layer, TABLE, OURS) for layer in ("stage", "bronze"))


def key_hashes(pipeline: Pipeline, layer: str, key: str) -> dict[Any, set[bytes]]:
    """The key hashes of each value of a column."""
    found: dict[Any, set[bytes]] = {}
    for row in pipeline.dump(layer, TABLE):
        found.setdefault(row[key], set()).add(bytes(row["_key_hash"]))
    return found


def grown(pipeline: Pipeline) -> None:
    """A history with updates, a delete and a row that came back."""
    load(pipeline, BY_A, *SWAPPED, (4, 4, "gone"), (5, 5, "back"))
    load(pipeline, BY_A, (1, 2, "x2"), *SWAPPED[1:])
    load(pipeline, BY_A, (1, 2, "x3"), *SWAPPED[1:], (5, 5, "back"))


def test_a_catalogues_key_that_changes_is_noticed_and_the_way_on_is_told(pipeline: Pipeline) -> None:
    load(pipeline, BY_A, *SWAPPED)
    before = pipeline.dumps(TABLE)
    pipeline.source.table(TABLE, BY_B, SWAPPED)
    message = pipeline.fail(TABLE)
    assert error_type(pipeline) == SchemaEvolutionError.__name__
    assert "the source's key is now B, but the history was loaded with A" in message
    assert f"--rekey DNA.{TABLE}" in message
    assert pipeline.dumps(TABLE) == before
    # The other way on: the old key becomes the users' own.
    pipeline.query('UPDATE {dbo}."UdmTablesColumnsList" SET "Layer" = NULL WHERE "IsPrimaryKey" = {true}')
    assert pipeline.load(TABLE).changed == 0


def test_a_key_that_people_set_does_not_follow_the_catalogue(pipeline: Pipeline) -> None:
    pipeline.set_key(TABLE, "A")
    load(pipeline, "A INTEGER NOT NULL, B INTEGER NOT NULL, V VARCHAR", *SWAPPED)
    assert load(pipeline, BY_B, *SWAPPED) == (0, 0, 0, 3)
    assert load(pipeline, "A INTEGER, B INTEGER, V VARCHAR", *SWAPPED) == (0, 0, 0, 3)


def test_a_history_gets_the_new_key_and_goes_on_under_it(pipeline: Pipeline) -> None:
    grown(pipeline)
    pipeline.source.table(TABLE, BY_B, [(1, 2, "x3"), *SWAPPED[1:], (5, 5, "back")])
    before, dumps = history(pipeline), pipeline.dumps(TABLE)
    status, said = rekey(pipeline, yes=False)
    assert status == "SUCCESS"
    assert "the key becomes B; the history has A" in said[0]
    assert pipeline.dumps(TABLE) == dumps
    assert rekey(pipeline)[0] == "SUCCESS"
    assert history(pipeline) == before
    for layer in ("stage", "bronze"):
        hashes = key_hashes(pipeline, layer, "B")
        assert all(len(found) == 1 for found in hashes.values())
        assert len(set.union(*hashes.values())) == len(hashes) == 5
    result = pipeline.load(TABLE)
    assert (result.changed, result.unchanged) == (0, 4)
    assert load(pipeline, BY_B, (9, 2, "x3"), (2, 1, "y"), (3, 4, "gone"), (5, 5, "back")) == (1, 1, 1, 2)
    came_back = sorted(row["UdmScd2Operation"] for row in pipeline.dump("bronze", TABLE) if row["B"] == 4)
    assert came_back == ["D", "R"]
    assert "nothing is to be done" in rekey(pipeline)[1][0]
    listed = pipeline.query('SELECT "ColumnName" FROM {dbo}."UdmTablesColumnsList" WHERE "IsPrimaryKey" = {true}')
    assert listed == [("B",)]


def test_a_rekey_that_ends_anywhere_is_taken_up_and_no_run_loads_the_table_meanwhile(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(pipeline)
    pipeline.source.table(TABLE, BY_B, [(1, 2, "x3"), *SWAPPED[1:], (5, 5, "back")])
    before = history(pipeline)
    write, writes = schema.rekey.write_hashes, 0

    def breaking(*arguments: Any, **options: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            raise RuntimeError
        write(*arguments, **options)

    monkeypatch.setattr("orchestration.rekeying.write_hashes", breaking)
    runs = 0
    while rekey(pipeline)[0] == "FAILED":
        writes, runs = 0, runs + 1
        assert "has not come to its end" in pipeline.fail(TABLE)
    assert runs > 5
    assert history(pipeline) == before
    assert pipeline.load(TABLE).changed == 0


def test_a_key_that_would_merge_rows_is_refused_before_anything_is_done(pipeline: Pipeline) -> None:
    load(pipeline, BY_A, (1, 1, "x"), (2, 1, "y"))
    pipeline.source.table(TABLE, BY_B, [(1, 1, "x"), (2, 2, "y")])
    before = pipeline.dumps(TABLE)
    status, said = rekey(pipeline)
    assert status == "FAILED"
    assert "B is no key of the 2 current rows" in said[-1]
    assert pipeline.dumps(TABLE) == before
    assert load(pipeline, BY_A, (1, 1, "x"), (2, 2, "y")) == (0, 1, 0, 1)


def test_a_key_of_another_type_is_converted_with_its_history(pipeline: Pipeline) -> None:
    load(pipeline, "ID INTEGER PRIMARY KEY, V VARCHAR", (1, "x"), (2, "y"), (3, "gone"))
    load(pipeline, "ID INTEGER PRIMARY KEY, V VARCHAR", (1, "x2"), (2, "y"))
    pipeline.source.table(TABLE, "ID VARCHAR PRIMARY KEY, V VARCHAR", [("1", "x2"), ("2", "y"), ("n3", "new")])
    assert f"--rekey DNA.{TABLE}" in pipeline.fail(TABLE)
    status, said = rekey(pipeline)
    assert (status, "alter column 'ID'" in said[1]) == ("SUCCESS", True)
    result = pipeline.load(TABLE)
    assert (result.inserted, result.updated, result.unchanged) == (1, 0, 2)
    assert {row["ID"] for row in pipeline.dump("bronze", TABLE)} == {"1", "2", "3", "n3"}
