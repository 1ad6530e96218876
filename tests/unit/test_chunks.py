"""Chunks: the ranges cover every key once, and so many are planned as the rows need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.chunks import WHOLE, KeyRange, Progress, planned


def holds(keys: KeyRange, key: bytes) -> bool:
    return (keys.lower is None or key >= keys.lower) and (keys.upper is None or key < keys.upper)


@given(st.integers(1, 40), st.binary(min_size=16, max_size=16))
def test_every_key_is_in_exactly_one_range(chunks: int, key: bytes) -> None:
    assert sum(holds(keys, key) for keys in Progress(chunks=chunks).remaining()) == 1


@given(st.integers(1, 40), st.data())
def test_the_keys_at_both_ends_of_a_range_are_its_own_and_its_neighbours(chunks: int, data: st.DataObject) -> None:
    ranges = list(Progress(chunks=chunks).remaining())
    keys = data.draw(st.sampled_from(ranges))
    for bound in (keys.lower, keys.upper):
        assert bound is None or len(bound) == 16
        assert bound is None or sum(holds(other, bound) for other in ranges) == 1


def test_ranges_are_of_equal_width() -> None:
    bounds = [int.from_bytes(keys.upper or b"\xff" * 16, "big") for keys in Progress(chunks=7).remaining()]
    widths = [after - before for before, after in zip([0, *bounds], bounds, strict=False)]
    assert max(widths) - min(widths) <= 2


def test_one_chunk_has_no_bounds() -> None:
    assert list(Progress().remaining()) == [WHOLE]
    assert WHOLE.is_last


def test_what_is_done_is_not_done_again() -> None:
    assert [keys.number for keys in Progress(chunks=5, done=3).remaining()] == [4, 5]
    assert [keys.is_last for keys in Progress(chunks=5, done=3).remaining()] == [False, True]
    assert list(Progress(chunks=5, done=5).remaining()) == []
    assert not Progress(chunks=5, done=4).is_complete
    assert Progress(chunks=5, done=5).is_complete


def test_so_many_chunks_are_planned_as_the_rows_need() -> None:
    cases = {(0, 10): 1, (10, 10): 1, (11, 10): 2, (20, 10): 2, (21, 10): 3, (10**9, 0): 1, (3, 1): 3}
    assert {case: planned(*case).chunks for case in cases} == cases
