"""`IsExcludedFromHash`: the column is carried, not compared."""

from __future__ import annotations

from typing import Any

import pytest

from model.masking import MaskKey
from tests.contract.pipeline import Pipeline, Row
from tests.contract.rules import exclude, mask

TABLE = "ACCT"
COLUMNS = "ID INTEGER PRIMARY KEY, LASTLOGIN VARCHAR, V INTEGER"


def load(pipeline: Pipeline, *rows: Row, columns: str = COLUMNS, **options: Any) -> tuple[int, int, int, int]:
    """Load the table as it is now; rows inserted, updated, deleted, unchanged."""
    pipeline.source.table(TABLE, columns, rows)
    result = pipeline.load(TABLE, **options)
    return result.inserted, result.updated, result.deleted, result.unchanged


def versions(pipeline: Pipeline) -> list[Row]:
    return sorted(pipeline.query('SELECT "ID", "V", "LASTLOGIN", "UdmActiveFlag" FROM {bronze}', TABLE))


def test_a_change_of_an_excluded_column_alone_is_none_and_other_changes_carry_it(pipeline: Pipeline) -> None:
    exclude(pipeline, TABLE, "LASTLOGIN")
    load(pipeline, (1, "mon", 1), (2, "mon", 2))
    before = pipeline.dumps(TABLE)
    assert load(pipeline, (1, "tue", 1), (2, None, 2)) == (0, 0, 0, 2)
    assert pipeline.dumps(TABLE) == before
    assert load(pipeline, (1, "wed", 10), (2, "wed", 2)) == (0, 1, 0, 1)
    assert versions(pipeline) == [(1, 1, "mon", False), (1, 10, "wed", True), (2, 2, "mon", True)]


def test_excluding_a_column_makes_no_row_an_update_also_where_it_changes_that_day(pipeline: Pipeline) -> None:
    load(pipeline, (1, "mon", 1), (2, "mon", 2), (3, "mon", 3))
    before = pipeline.dumps(TABLE)
    exclude(pipeline, TABLE, "LASTLOGIN")
    for day in ("mon", "tue", "wed"):
        assert load(pipeline, (1, day, 1), (2, day, 2), (3, "mon", 3)) == (0, 0, 0, 3)
    assert pipeline.dumps(TABLE) == before
    assert load(pipeline, (1, "thu", 10), (2, "thu", 2), (3, "mon", 3)) == (0, 1, 0, 2)


def test_including_it_again_makes_updates_only_of_rows_whose_stored_value_is_outdated(pipeline: Pipeline) -> None:
    exclude(pipeline, TABLE, "LASTLOGIN")
    load(pipeline, (1, "mon", 1), (2, "mon", 2), (3, None, 3))
    load(pipeline, (1, "mon", 1), (2, "tue", 2), (3, None, 3))
    exclude(pipeline, TABLE, "LASTLOGIN", excluded=False)
    assert load(pipeline, (1, "mon", 1), (2, "tue", 2), (3, None, 3)) == (0, 1, 0, 2)
    assert load(pipeline, (1, "wed", 1), (2, "tue", 2), (3, None, 3)) == (0, 1, 0, 2)


def test_excluded_for_a_while_leaves_no_trace(pipeline: Pipeline) -> None:
    load(pipeline, (1, "mon", 1), (2, "mon", 2))
    before = pipeline.dumps(TABLE)
    for excluded in (True, False, True, False):
        exclude(pipeline, TABLE, "LASTLOGIN", excluded=excluded)
        assert load(pipeline, (1, "mon", 1), (2, "mon", 2)) == (0, 0, 0, 2)
    assert pipeline.dumps(TABLE) == before


def test_a_key_column_cannot_be_excluded(pipeline: Pipeline) -> None:
    exclude(pipeline, TABLE, "id")
    pipeline.source.table(TABLE, COLUMNS, [(1, "mon", 1)])
    message = pipeline.fail(TABLE)
    assert "'ID'" in message
    assert "IsExcludedFromHash" in message
    assert not pipeline.columns("stage", TABLE)


def test_an_excluded_column_that_the_source_never_had_is_an_error_and_one_that_vanished_is_not(pipeline: Pipeline) -> None:
    exclude(pipeline, TABLE, "LASTLOGIN")
    load(pipeline, (1, "mon", 1))
    assert load(pipeline, (1, 1), columns="ID INTEGER PRIMARY KEY, V INTEGER") == (0, 0, 0, 1)
    exclude(pipeline, TABLE, "LASTLOGN")
    assert "LASTLOGN" in pipeline.fail(TABLE)


def test_a_new_column_that_is_excluded_changes_nothing(pipeline: Pipeline) -> None:
    load(pipeline, (1, "mon", 1))
    exclude(pipeline, TABLE, "SEEN")
    assert load(pipeline, (1, "mon", 1, "x"), columns=f"{COLUMNS}, SEEN VARCHAR") == (0, 0, 0, 1)


def test_duplicates_that_differ_in_an_excluded_column_alone_are_exact(pipeline: Pipeline) -> None:
    exclude(pipeline, TABLE, "LASTLOGIN")
    pipeline.set_key(TABLE, "ID")
    pipeline.source.table(TABLE, "ID INTEGER, LASTLOGIN VARCHAR, V INTEGER", [(1, "mon", 1), (1, "tue", 1)])
    result = pipeline.load(TABLE)
    assert (result.inserted, result.duplicates, result.quarantined) == (1, 1, 0)


@pytest.mark.parametrize(("method", "updates"), [("hmac-sha256", 0), ("null", 1), ("keep-last-4", 1)])
def test_beside_a_mask_that_keeps_too_little_the_old_hashes_decide(pipeline: Pipeline, method: str, updates: int) -> None:
    """Stored rows cannot be hashed anew: a row is compared with the excluded column until it has a new version."""
    key = MaskKey(secret="a key for the tests")
    mask(pipeline, TABLE, "SSN", method)
    columns = f"{COLUMNS}, SSN VARCHAR"
    load(pipeline, (1, "mon", 1, "a"), (2, "mon", 2, "b"), columns=columns, mask_key=key)
    exclude(pipeline, TABLE, "LASTLOGIN")
    assert load(pipeline, (1, "mon", 1, "a"), (2, "mon", 2, "b"), columns=columns, mask_key=key) == (0, 0, 0, 2)
    for number in (updates, 0):
        rows = [(1, f"day {number}", 1, "a"), (2, "mon", 2, "b")]
        assert load(pipeline, *rows, columns=columns, mask_key=key) == (0, number, 0, 2 - number)
