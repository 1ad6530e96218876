"""Key hashes that are almost alike: whatever part of a hash keys are looked up by, all of it decides."""

from __future__ import annotations

import polars as pl
import pytest

from cdc.current import Current, current_of
from model.errors import IntegrityError
from model.row_hash import hash_expressions
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH
from tests.unit.comparing import NEW, compare, current, key_hashes
from tests.unit.frames import layout

OLD = 4
ROWS = pl.DataFrame({"k": [1, 2, 3], "v": ["a", "b", "c"], "later": [None] * 3}, schema_overrides={"later": pl.String})
LAYOUT, OLD_LAYOUT = layout(ROWS, ["k"]), layout(ROWS.drop("later"), ["k"])
KEYS = key_hashes(ROWS, LAYOUT)
BY_LAYOUT = {
    layout_id: ROWS.select(hash_expressions(under)[1]).get_column(ROW_HASH).to_list()
    for layout_id, under in ((NEW, LAYOUT), (OLD, OLD_LAYOUT))
}
VALUES = BY_LAYOUT[NEW]
# Parts of a hash that another key may share: its beginning, its end, all but one bit.
ALIKE = {
    "first 8 bytes": lambda key: key[:8] + bytes(byte ^ 0xFF for byte in key[8:]),
    "last 8 bytes": lambda key: bytes(byte ^ 0xFF for byte in key[:8]) + key[8:],
    "all but the last bit": lambda key: key[:15] + bytes([key[15] ^ 1]),
    "all but the first bit": lambda key: bytes([key[0] ^ 0x80]) + key[1:],
}
alike = pytest.mark.parametrize("shared", ALIKE)


def stored(*rows: tuple[bytes, bytes, int]) -> Current:
    """Current rows as Stage holds them: key hash, row hash, layout."""
    schema = {KEY_HASH: pl.Binary, ROW_HASH: pl.Binary, HASH_LAYOUT: pl.Int64}
    return current_of([pl.DataFrame([row], schema=schema, orient="row") for row in rows])


@alike
def test_a_key_that_is_almost_a_current_one_is_another_key(shared: str) -> None:
    other = ALIKE[shared](KEYS[0])
    found = compare(stored((other, VALUES[0], NEW)), [ROWS[:1]], LAYOUT)
    assert found.counts == {"extracted": 1, "inserted": 1, "deleted": 1}
    assert found.changes.deleted_keys.to_list() == [other]


@alike
@pytest.mark.parametrize("layouts", [(NEW, NEW), (OLD, NEW), (NEW, OLD), (OLD, OLD)])
@pytest.mark.parametrize("order", [1, -1])
def test_two_current_keys_that_are_almost_alike_keep_apart(shared: str, layouts: tuple[int, int], order: int) -> None:
    other = ALIKE[shared](KEYS[0])
    mine, theirs = (BY_LAYOUT[layout_id] for layout_id in layouts)
    for row, changed in ((0, []), (1, [("U", 1, "a")])):
        pair = [(KEYS[0], mine[row], layouts[0]), (other, theirs[0], layouts[1])]
        held = stored(*pair[::order], (KEYS[1], VALUES[1], NEW))
        found = compare(held, [ROWS[:2]], LAYOUT, {OLD: OLD_LAYOUT})
        assert found.operations("k", "v") == changed
        assert found.changes.unchanged == 2 - len(changed)
        assert found.changes.deleted_keys.to_list() == [other]


@alike
def test_row_hashes_that_are_almost_alike_are_an_update(shared: str) -> None:
    found = compare(stored((KEYS[0], ALIKE[shared](VALUES[0]), NEW)), [ROWS[:1]], LAYOUT)
    assert found.counts == {"extracted": 1, "updated": 1}


@pytest.mark.parametrize("key", [bytes(16), b"\xff" * 16, b"\x80" + bytes(15), bytes(8) + b"\xff" * 8])
def test_the_least_and_the_greatest_hash_have_their_place(key: bytes) -> None:
    held = stored((key, VALUES[0], NEW), *((known, values, NEW) for known, values in zip(KEYS, VALUES, strict=True)))
    found = compare(held, [ROWS], LAYOUT)
    assert found.counts == {"extracted": 3, "unchanged": 3, "deleted": 1}
    assert found.changes.deleted_keys.to_list() == [key]


def test_a_key_that_is_current_twice_is_told_also_beside_one_that_is_almost_alike() -> None:
    almost = ALIKE["first 8 bytes"](KEYS[0])
    assert len(stored((KEYS[0], VALUES[0], NEW), (almost, VALUES[0], NEW)).keys) == 2
    with pytest.raises(IntegrityError, match="two current rows of one key"):
        stored((KEYS[0], VALUES[0], NEW), (almost, VALUES[0], NEW), (KEYS[0], VALUES[1], OLD))


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 1_000])
def test_every_row_of_a_frame_is_looked_up_whatever_its_size(count: int) -> None:
    frame = pl.DataFrame({"k": range(count), "v": ["x"] * count})
    held = current((frame, OLD_LAYOUT, NEW))
    assert compare(held, [frame], OLD_LAYOUT).counts == {"extracted": count, "unchanged": count}
    changed = frame.with_columns(v=pl.when(pl.col("k") == count - 1).then(pl.lit("y")).otherwise("v"))
    assert compare(held, [changed], OLD_LAYOUT).operations("k") == [("U", count - 1)]


def test_any_number_of_keys_that_share_what_is_searched_by_are_told_apart() -> None:
    """All but the first 8 bytes alike: every key but one is found only by looking further along."""
    others = [bytes([number]) * 8 + KEYS[0][8:] for number in range(1, 30)]
    for held in ([*others, KEYS[0]], [KEYS[0], *others], [*others[:7], KEYS[0], *others[7:]]):
        current_rows = stored(*((key, VALUES[0], NEW) for key in held))
        found = compare(current_rows, [ROWS[:1]], LAYOUT)
        assert found.counts == {"extracted": 1, "unchanged": 1, "deleted": 29}
        assert sorted(found.changes.deleted_keys.to_list()) == sorted(others)
        assert compare(current_rows, [ROWS[:1].with_columns(v=pl.lit("z"))], LAYOUT).operations("k", "v") == [("U", 1, "z")]


@pytest.mark.parametrize("at", [0, 1, 28])
def test_a_key_that_is_current_twice_is_told_among_many_that_share_what_is_searched_by(at: int) -> None:
    others = [bytes([number]) * 8 + KEYS[0][8:] for number in range(1, 30)]
    with pytest.raises(IntegrityError, match="two current rows of one key"):
        stored(*((key, VALUES[0], NEW) for key in (*others, others[at])))
