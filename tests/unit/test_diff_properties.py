"""Properties of the comparison against a model in plain Python: dictionaries, no hashes, no polars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdc.current import Current
from model.row_hash import layout_of
from model.types import TEXT, Column, integer
from tests.unit.comparing import NEW, Compared, compare, current, key_hashes

# A table has a key of two columns and values a, b, c; b and c came later, so a stored row may know only a, or a and b.
KEYS, VALUES = ("k1", "k2"), ("a", "b", "c")
NAMES = KEYS + VALUES
COLUMNS = tuple(Column(name=name, type=integer(64) if name in {"k1", "a"} else TEXT) for name in NAMES)
SCHEMA = {column.name: column.type.dtype for column in COLUMNS}
LAYOUTS = {1: layout_of(COLUMNS[:3], KEYS), 2: layout_of(COLUMNS[:4], KEYS), NEW: layout_of(COLUMNS, KEYS)}
WIDTHS = {1: 3, 2: 4, NEW: 5}

Key = tuple[int | None, str | None]
Values = tuple[int | None, str | None, str | None]
Row = tuple[Key, Values]
Stored = dict[Key, tuple[Values, int]]

texts = st.sampled_from([None, "", "x", "xy"])
keys = st.tuples(st.integers(0, 3), st.sampled_from(["", "p", "q"]))
any_keys = st.tuples(st.none() | st.integers(0, 3), st.sampled_from([None, "", "p", "q"]))
values = st.tuples(st.sampled_from([None, 0, 1]), texts, texts)


@st.composite
def befores(draw: st.DrawFn) -> Stored:
    """Current rows with the layout each was loaded under: what a layout does not know is NULL."""
    held: Stored = {}
    for key in draw(st.sets(keys, max_size=8)):
        layout_id, (a, b, c) = draw(st.sampled_from(list(LAYOUTS))), draw(values)
        held[key] = ((a, b if layout_id != 1 else None, c if layout_id == NEW else None), layout_id)
    return held


@st.composite
def afters(draw: st.DrawFn, before: Stored) -> list[Row]:
    """An extract: stored rows as they are, other rows, NULL keys, repeated rows; in any order."""
    kept = [(key, row) for key, (row, _) in before.items() if draw(st.booleans())]
    others = draw(st.lists(st.tuples(any_keys, values), max_size=6))
    repeated = draw(st.lists(st.sampled_from(kept + others), max_size=3)) if kept + others else []
    return draw(st.permutations(kept + others + repeated))


@dataclass(slots=True)
class Model:
    """What an extract means, row by row."""

    extracted: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    duplicates: int = 0
    quarantined: int = 0
    result: dict[Key, Values] = field(default_factory=dict)


def model(before: Stored, after: Sequence[Row]) -> Model:
    told = Model(extracted=len(after), result={key: row for key, (row, _) in before.items()})
    arrived: dict[Key, list[Values]] = defaultdict(list)
    for key, row in after:
        if None in key:
            told.quarantined += 1
        else:
            arrived[key].append(row)
    for key in before.keys() - arrived.keys():
        told.deleted += 1
        del told.result[key]
    for key, found in arrived.items():
        if any(row != found[0] for row in found):
            told.quarantined += len(found)
            continue
        told.duplicates += len(found) - 1
        if key not in before:
            told.inserted += 1
        elif found[0] == before[key][0]:
            told.unchanged += 1
        else:
            told.updated += 1
        told.result[key] = found[0]
    return told


def frame_of(rows: Sequence[Row], names: Sequence[str] = NAMES) -> pl.DataFrame:
    return pl.DataFrame([key + row for key, row in rows], schema=SCHEMA, orient="row").select(names)


def current_of_model(held: Stored) -> Current:
    parts = []
    for layout_id, layout in LAYOUTS.items():
        rows = [(key, row) for key, (row, under) in held.items() if under == layout_id]
        if rows:
            parts.append((frame_of(rows, NAMES[: WIDTHS[layout_id]]), layout, layout_id))
    return current(*parts)


def compared(before: Stored, frames: Sequence[Sequence[Row]]) -> Compared:
    held = current_of_model(before)
    older = {layout_id: LAYOUTS[layout_id] for layout_id in held.layouts_in_use if layout_id != NEW}
    return compare(held, [frame_of(rows) for rows in frames], LAYOUTS[NEW], older)


def applied(before: Stored, found: Compared) -> Stored:
    """The current rows after the changes: deletes by key hash, then inserts and updates with the operation they claim."""
    deleted = set(found.changes.deleted_keys.to_list())
    hashes = key_hashes(frame_of([(key, row) for key, (row, _) in before.items()]), LAYOUTS[NEW])
    result = {key: held for (key, held), key_hash in zip(before.items(), hashes, strict=True) if key_hash not in deleted}
    assert len(before) - len(result) == len(deleted)
    for operation, *row in found.operations(*NAMES):
        key: Key = (row[0], row[1])  # type: ignore[assignment]
        assert operation == ("U" if key in result else "I")
        result[key] = ((row[2], row[3], row[4]), NEW)  # type: ignore[assignment]
    return result


def split(rows: Sequence[Row], cuts: Sequence[int]) -> list[Sequence[Row]]:
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    return [rows[start:end] for start, end in pairwise(edges)]


cases = befores().flatmap(lambda before: st.tuples(st.just(before), afters(before)))
cuts = st.lists(st.integers(0, 12), max_size=3)
thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(case=cases, cuts=cuts)
def test_the_diff_applied_to_before_gives_after(case: tuple[Stored, list[Row]], cuts: list[int]) -> None:
    before, after = case
    result = applied(before, compared(before, split(after, cuts)))
    assert {key: row for key, (row, _) in result.items()} == model(before, after).result


@thorough
@given(case=cases, cuts=cuts)
def test_the_counts_are_the_models_and_add_up(case: tuple[Stored, list[Row]], cuts: list[int]) -> None:
    before, after = case
    changes, told = compared(before, split(after, cuts)).changes, model(before, after)
    for count in ("extracted", "inserted", "updated", "deleted", "unchanged", "duplicates", "quarantined"):
        assert getattr(changes, count) == getattr(told, count), count
    assert changes.is_empty == (told.result == {key: row for key, (row, _) in before.items()})


@thorough
@given(case=cases)
def test_a_second_run_on_the_same_source_plans_nothing(case: tuple[Stored, list[Row]]) -> None:
    before, after = case
    first = compared(before, [after])
    second = compared(applied(before, first), [after])
    assert second.changes.is_empty
    assert second.loaded.is_empty()
    assert (second.changes.duplicates, second.changes.quarantined) == (first.changes.duplicates, first.changes.quarantined)


@thorough
@given(case=cases, cuts=cuts, order=st.randoms(use_true_random=False))
def test_neither_frames_nor_the_order_of_rows_matter(case: tuple[Stored, list[Row]], cuts: list[int], order: Random) -> None:
    before, after = case
    shuffled = list(after)
    order.shuffle(shuffled)
    one, other = compared(before, [after]), compared(before, split(shuffled, cuts))
    assert one.counts == other.counts
    assert one.operations(*NAMES) == other.operations(*NAMES)
    assert set(one.changes.deleted_keys) == set(other.changes.deleted_keys)
    assert sorted(one.null_keys.rows(), key=repr) == sorted(other.null_keys.rows(), key=repr)
