"""The comparison by example: one case a test, counted and applied."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from cdc.current import current_of
from cdc.diff import Comparison
from model.errors import IntegrityError
from model.row_hash import HashLayout
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH
from tests.unit.comparing import NEW, Compared, compare, current, key_hashes
from tests.unit.frames import hashed, layout, stored

SCHEMA = {"k": pl.Int64, "v": pl.String}
Row = tuple[int | None, str | None]


def rows(*values: Row) -> pl.DataFrame:
    return pl.DataFrame(values, schema=SCHEMA, orient="row")


LAYOUT = layout(rows(), ["k"])


def diff(before: list[Row], *after: list[Row]) -> Compared:
    """`after` are the frames of one extract."""
    return compare(current((rows(*before), LAYOUT, NEW)), [rows(*frame) for frame in after], LAYOUT)


def test_a_new_key_is_an_insert() -> None:
    found = diff([(1, "a")], [(1, "a"), (2, "b")])
    assert found.counts == {"extracted": 2, "unchanged": 1, "inserted": 1}
    assert found.operations("k", "v") == [("I", 2, "b")]


def test_other_values_are_an_update() -> None:
    found = diff([(1, "a"), (2, "b")], [(1, "A"), (2, "b")])
    assert found.counts == {"extracted": 2, "unchanged": 1, "updated": 1}
    assert found.operations("k", "v") == [("U", 1, "A")]


@pytest.mark.parametrize(("before", "after"), [(None, ""), ("", None), (None, "NULL"), ("a", "a "), ("a", "A")])
def test_values_that_look_alike_are_an_update(before: str | None, after: str | None) -> None:
    assert diff([(1, before)], [(1, after)]).counts == {"extracted": 1, "updated": 1}


def test_a_missing_key_is_a_delete_by_its_key_hash() -> None:
    found = diff([(1, "a"), (2, "b"), (3, "c")], [(2, "b")])
    assert found.counts == {"extracted": 1, "unchanged": 1, "deleted": 2}
    assert sorted(found.changes.deleted_keys.to_list()) == sorted(key_hashes(rows((1, None), (3, None)), LAYOUT))
    assert found.loaded.is_empty()


def test_the_same_rows_change_nothing_whether_null_or_not() -> None:
    table: list[Row] = [(1, "a"), (2, None), (3, "")]
    found = diff(table, table[::-1])
    assert found.counts == {"extracted": 3, "unchanged": 3}
    assert found.changes.is_empty


@pytest.mark.parametrize("change", [[(1, "a")], [(1, "x"), (2, "b")], [(1, "a"), (2, "b"), (3, "c")]])
def test_any_change_is_not_empty(change: list[Row]) -> None:
    assert not diff([(1, "a"), (2, "b")], change).changes.is_empty


def test_a_first_load_inserts_everything() -> None:
    found = diff([], [(1, "a"), (2, "b")], [(3, None)])
    assert found.counts == {"extracted": 3, "inserted": 3}
    assert found.operations("k", "v") == [("I", 1, "a"), ("I", 2, "b"), ("I", 3, None)]


def test_an_empty_extract_deletes_everything() -> None:
    assert diff([(1, "a"), (2, "b")], []).counts == {"deleted": 2}
    assert diff([], []).counts == {}


def test_an_extract_without_any_frame_is_an_empty_one() -> None:
    changes = Comparison().finish(current((rows((1, "a")), LAYOUT, NEW)))
    assert (changes.extracted, changes.deleted) == (0, 1)


@pytest.mark.parametrize("before", [[], [(1, "a")], [(1, "old")]], ids=["new", "unchanged", "changed"])
@pytest.mark.parametrize("split", [False, True], ids=["one frame", "two frames"])
def test_exact_duplicates_collapse_into_one_row(before: list[Row], *, split: bool) -> None:
    found = diff(before, [(1, "a")], [(1, "a"), (1, "a")]) if split else diff(before, [(1, "a"), (1, "a"), (1, "a")])
    kind = {"": "inserted", "a": "unchanged", "old": "updated"}[(before[0][1] or "") if before else ""]
    assert found.counts == {"extracted": 3, kind: 1, "duplicates": 2}
    assert found.loaded.height == (kind != "unchanged")
    assert found.held_back.is_empty()


@pytest.mark.parametrize("split", [False, True], ids=["one frame", "two frames"])
def test_a_new_key_with_different_rows_is_quarantined_whole(*, split: bool) -> None:
    found = diff([], [(1, "a"), (2, "b")], [(1, "c")]) if split else diff([], [(1, "a"), (1, "c"), (2, "b")])
    assert found.counts == {"extracted": 3, "inserted": 1, "quarantined": 2}
    assert found.operations("k", "v") == [("I", 2, "b")]
    assert sorted(found.held_back.get_column("v")) == ["a", "c"]


def test_a_known_key_with_different_rows_is_quarantined_counts_as_seen_and_is_not_deleted() -> None:
    found = diff([(1, "old"), (2, "b")], [(1, "a"), (1, "c"), (2, "b")])
    assert found.counts == {"extracted": 3, "unchanged": 1, "quarantined": 2}
    assert found.loaded.is_empty()


@pytest.mark.parametrize("split", [False, True], ids=["one frame", "two frames"])
def test_an_unchanged_row_beside_another_of_its_key_is_quarantined_too(*, split: bool) -> None:
    after: list[list[Row]] = [[(1, "a"), (2, "b")], [(1, "x")]] if split else [[(1, "x"), (1, "a"), (2, "b")]]
    found = diff([(1, "a"), (2, "b")], *after)
    assert found.counts == {"extracted": 3, "unchanged": 1, "quarantined": 2}
    assert found.loaded.is_empty()
    assert found.held_back.get_column("v").to_list() == ["x"]


def test_duplicates_inside_a_conflict_are_quarantined_not_collapsed() -> None:
    found = diff([(1, "a")], [(1, "a"), (1, "a"), (1, "x"), (1, "x"), (2, "b"), (2, "b")])
    assert found.counts == {"extracted": 6, "quarantined": 4, "inserted": 1, "duplicates": 1}


def test_a_null_key_is_quarantined_and_deletes_nothing() -> None:
    found = diff([(1, "a")], [(1, "a"), (None, "b"), (None, "b")])
    assert found.counts == {"extracted": 3, "unchanged": 1, "quarantined": 2}
    assert found.null_keys.get_column("v").to_list() == ["b", "b"]
    assert found.loaded.is_empty()


def test_one_null_in_a_composite_key_is_enough() -> None:
    frame = pl.DataFrame({"k1": [1, None, 1, None], "k2": ["x", "x", None, None], "v": [1, 2, 3, 4]})
    under = layout(frame, ["k1", "k2"])
    found = compare(current_of([]), [frame], under)
    assert found.counts == {"extracted": 4, "inserted": 1, "quarantined": 3}
    assert found.null_keys.get_column("v").to_list() == [2, 3, 4]


def test_a_frame_of_null_keys_alone_leaves_the_others_their_place() -> None:
    found = diff([(1, "a")], [(None, "x")], [(2, "b"), (1, "A")])
    assert found.counts == {"extracted": 3, "inserted": 1, "updated": 1, "quarantined": 1}
    assert found.operations("k", "v") == [("I", 2, "b"), ("U", 1, "A")]


@pytest.mark.parametrize("cut", range(7))
def test_frames_may_be_split_anywhere(cut: int) -> None:
    before: list[Row] = [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    after: list[Row] = [(1, "a"), (2, "B"), (5, "e"), (5, "e"), (3, "c"), (3, "x")]
    found = diff(before, after[:cut], after[cut:])
    assert found.counts == {
        "extracted": 6,
        "unchanged": 1,
        "updated": 1,
        "inserted": 1,
        "duplicates": 1,
        "quarantined": 2,
        "deleted": 1,
    }
    assert found.operations("k", "v") == [("I", 5, "e"), ("U", 2, "B")]


def test_rows_to_load_carry_their_hashes_and_the_layout_they_were_made_under() -> None:
    loaded = diff([(1, "a")], [(1, "A"), (2, "b")]).loaded
    assert loaded.select("k", KEY_HASH, ROW_HASH).equals(
        rows((1, "A"), (2, "b")).select("k").hstack(hashed(rows((1, "A"), (2, "b")), ["k"]))
    )
    assert loaded.get_column(HASH_LAYOUT).to_list() == [NEW, NEW]


def test_a_table_whose_columns_are_all_key_has_inserts_and_deletes_only() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    under: HashLayout = layout(frame, ["a", "b"])
    found = compare(current((frame, under, NEW)), [pl.DataFrame({"a": [1, 2], "b": ["x", "z"]})], under)
    assert found.counts == {"extracted": 2, "unchanged": 1, "inserted": 1, "deleted": 1}


def test_a_key_that_is_current_twice_stops_the_comparison() -> None:
    with pytest.raises(IntegrityError, match="two current rows of one key"):
        current_of([stored(rows((1, "a"), (2, "b")), LAYOUT, NEW), stored(rows((1, "c")), LAYOUT, 1)])


@pytest.mark.parametrize("values", [range(8), range(7, -1, -1), [0] * 8, [1] * 8, [0, 0, 1, 1, 2, 2, 3, 3]])
def test_rows_that_hold_the_values_of_keys_are_no_less_told_apart(values: Sequence[int]) -> None:
    """Then a row hash equals a key hash, its own or another's: nothing that is made of the two may cancel out."""
    table = pl.DataFrame({"k": range(8), "v": list(values)})
    under = layout(table, ["k"])
    for present in range(8):
        found = compare(current((table.filter(pl.col("k") == present), under, NEW)), [table], under)
        assert found.counts == {"extracted": 8, "unchanged": 1, "inserted": 7}
    moved = table.with_columns(v=pl.col("v").reverse())
    same = (table.get_column("v") == moved.get_column("v")).sum()
    found = compare(current((table, under, NEW)), [moved], under)
    assert found.counts.get("unchanged", 0) == same
    assert found.counts.get("updated", 0) == 8 - same
