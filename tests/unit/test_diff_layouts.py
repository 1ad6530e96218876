"""Rows are compared under the layout they were hashed with: a new column makes no row an update unless its values differ."""

from __future__ import annotations

import polars as pl
import pytest

from cdc.hashing import hashed_as
from model.row_hash import layout_of
from model.types import TEXT, Column, integer
from tests.unit.comparing import NEW, compare, current
from tests.unit.frames import layout

OLD, OLDER = 4, 2
K, A, B, C = (Column(name=name, type=integer(64) if name == "k" else TEXT) for name in "kabc")
WITH_A, WITH_AB, WITH_ABC = (layout_of(columns, ["k"]) for columns in ((K, A), (K, A, B), (K, A, B, C)))


def rows(*values: tuple[object, ...]) -> pl.DataFrame:
    """Rows of k, a and as many further columns as there are values."""
    names = "kabc"[: len(values[0])]
    return pl.DataFrame(values, schema={name: pl.Int64 if name == "k" else pl.String for name in names}, orient="row")


BEFORE = (rows((1, "a"), (2, "b"), (3, None)), WITH_A, OLD)


def test_a_new_column_that_is_null_everywhere_makes_no_update() -> None:
    found = compare(current(BEFORE), [rows((1, "a", None), (2, "b", None), (3, None, None))], WITH_AB, {OLD: WITH_A})
    assert found.counts == {"extracted": 3, "unchanged": 3}


@pytest.mark.parametrize("value", ["x", ""])
def test_a_new_column_with_a_value_makes_an_update_of_that_row_alone(value: str) -> None:
    found = compare(current(BEFORE), [rows((1, "a", None), (2, "b", value), (3, None, None))], WITH_AB, {OLD: WITH_A})
    assert found.counts == {"extracted": 3, "unchanged": 2, "updated": 1}
    assert found.operations("k", "b") == [("U", 2, value)]


def test_an_old_column_that_changed_is_an_update_beside_a_null_new_one() -> None:
    found = compare(current(BEFORE), [rows((1, "A", None), (2, "b", None))], WITH_AB, {OLD: WITH_A})
    assert found.counts == {"extracted": 2, "unchanged": 1, "updated": 1, "deleted": 1}


def test_a_reordered_source_table_keeps_its_layout_and_changes_nothing() -> None:
    reordered = rows((1, "a"), (2, "b"), (3, None)).select("a", "k")
    assert layout(reordered, ["k"]) == WITH_A
    assert compare(current((*BEFORE[:2], NEW)), [reordered], WITH_A).counts == {"extracted": 3, "unchanged": 3}


def test_each_row_is_compared_under_its_own_of_several_layouts() -> None:
    before = current(
        (rows((1, "a"), (2, "b")), WITH_A, OLDER),
        (rows((3, "c", "x"), (4, "d", None)), WITH_AB, OLD),
        (rows((5, "e", "y", "z"), (6, "f", None, None)), WITH_ABC, NEW),
    )
    after = rows(
        (1, "a", None, None),
        (2, "b", "new", None),
        (3, "c", "x", None),
        (4, "d", None, "new"),
        (5, "e", "y", "z"),
        (6, "f", "new", None),
        (7, "g", None, None),
    )
    found = compare(before, [after[:3], after[3:]], WITH_ABC, {OLDER: WITH_A, OLD: WITH_AB})
    assert found.counts == {"extracted": 7, "unchanged": 3, "updated": 3, "inserted": 1}
    assert found.operations("k") == [("I", 7), ("U", 2), ("U", 4), ("U", 6)]


def test_a_hash_is_never_compared_with_one_of_another_layout() -> None:
    # With b = NULL the two layouts' hashes of one row differ: a row stored under the one is not found under the other.
    before = current((rows((1, "a")), WITH_A, OLD), (rows((2, "b", None)), WITH_AB, NEW))
    found = compare(before, [rows((1, "a", None), (2, "b", None))], WITH_AB, {OLD: WITH_A})
    assert found.counts == {"extracted": 2, "unchanged": 2}


def test_a_value_that_moves_into_a_new_column_is_an_update() -> None:
    before = current((rows((1, "x")), WITH_A, OLD))
    found = compare(before, [rows((1, None, "x"))], WITH_AB, {OLD: WITH_A})
    assert found.counts == {"extracted": 1, "updated": 1}


def test_layouts_of_different_columns_are_not_mixed_up() -> None:
    # Column b took the place of a, and a came back: hashes over a alone and over b alone are both in use.
    with_b = layout_of((K, B), ["k"])
    before = current(
        (rows((1, "a")), WITH_A, OLDER), (pl.DataFrame({"k": [2], "b": ["x"]}), with_b, OLD), (rows((3, "c", "d")), WITH_AB, NEW)
    )
    after = rows((1, "a", None), (2, "x", None), (3, "c", "d"))
    found = compare(before, [after], WITH_AB, {OLDER: WITH_A, OLD: with_b})
    assert found.operations("k", "a", "b") == [("U", 2, "x", None)]


def test_a_row_with_values_outside_an_old_layout_has_no_hash_under_it() -> None:
    frame = rows((1, "a", None), (2, "a", "x"), (3, "a", ""))
    assert hashed_as(frame, WITH_AB, WITH_A).is_null().to_list() == [False, True, True]
    assert hashed_as(frame, WITH_AB, WITH_AB).null_count() == 0


def test_duplicates_that_differ_in_the_new_column_alone_are_a_conflict() -> None:
    after = rows((1, "a", None), (1, "a", "x"), (2, "b", None), (3, None, None))
    found = compare(current(BEFORE), [after], WITH_AB, {OLD: WITH_A})
    assert found.counts == {"extracted": 4, "unchanged": 2, "quarantined": 2}


def test_loaded_rows_carry_the_new_layout() -> None:
    found = compare(current(BEFORE), [rows((1, "A", None), (9, "n", None))], WITH_AB, {OLD: WITH_A})
    assert found.loaded.get_column("_hash_layout").to_list() == [NEW, NEW]


def test_layouts_in_use_are_those_of_current_rows() -> None:
    assert current(BEFORE, (rows((9, "x", "y")), WITH_AB, NEW)).layouts_in_use == [OLD, NEW]
    assert current(BEFORE).layouts_in_use == [OLD]
    assert current().layouts_in_use == []
