"""The pure half of the reconciliation: sums of segments, rows side by side, plans of repair, seals."""

from __future__ import annotations

from datetime import date, datetime
from itertools import product

import polars as pl
import pytest

from cdc.diff import DELETE, INSERT, UPDATE
from cdc.reconciliation.repair import plan_repair
from cdc.reconciliation.rows import Difference, Layer, compare_layer, in_flight, settle_source, touched
from cdc.reconciliation.seals import seal_versions
from cdc.reconciliation.segments import (
    KEY_LIES,
    ROW_LIES,
    SEGMENTS,
    SegmentSums,
    grouped,
    ranges,
    segment_of,
    unequal_segments,
)
from model.row_hash import integer_hashes, layout_of
from model.system_columns import CDC_OPERATION, END, KEY_HASH
from model.types import TEXT, Column, integer

COLUMNS = (Column(name="ID", type=integer(32)), Column(name="NAME", type=TEXT))
LAYOUT = layout_of(COLUMNS, ["ID"])
ROWS = tuple((number, f"name {number}") for number in range(500))


def side(rows: tuple[tuple[int | None, str | None], ...], lying: tuple[int, ...] = ()) -> pl.DataFrame:
    schema = {column.name: column.type.dtype for column in COLUMNS}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(integer_hashes(LAYOUT))
    return frame.with_columns(pl.lit(value=False).alias(KEY_LIES), pl.col("ID").is_in(lying).alias(ROW_LIES))


def summed(*frames: pl.DataFrame) -> pl.DataFrame:
    sums = SegmentSums()
    for frame in frames:
        sums.add(frame)
    return sums.sums()


def test_sums_know_neither_order_nor_frames_but_every_change() -> None:
    whole = side(ROWS)
    parts = [whole[number::70].reverse() for number in range(70)]
    assert unequal_segments([summed(whole), summed(*parts), summed(whole)]).is_empty()
    changed = {
        "altered": (*ROWS[1:], (0, "other")),
        "NULL": (*ROWS[1:], (0, None)),
        "lost": ROWS[1:],
        "doubled": (*ROWS, ROWS[0]),
        "swapped": ((0, "name 1"), (1, "name 0"), *ROWS[2:]),
    }
    of_key = whole.filter(pl.col("ID") == 0).select(segment_of(pl.col(KEY_HASH))).item()
    for what, rows in changed.items():
        found = unequal_segments([summed(whole), summed(whole), summed(side(rows))])
        assert of_key in found.get_column("segment"), what
        assert found.height == (2 if what == "swapped" else 1), what
    lying = unequal_segments([summed(whole), summed(side(ROWS, lying=(0,))), summed(whole)])
    assert lying.get_column("segment").to_list() == [of_key]
    every = unequal_segments([summed(whole)] * 3, full=True)
    assert every.get_column("rows").sum() == len(ROWS)


def test_a_side_that_was_compared_elsewhere_has_the_sums_of_its_equal() -> None:
    whole = SegmentSums()
    whole.add(side(ROWS, lying=(3,)))
    ours = whole.sums().select("segment", "rows", total=pl.col("segment").cast(pl.String))
    assert unequal_segments([whole.sums(), whole.as_far_as_same(ours, ours.reverse()).sums()]).height == 1  # that of the lie
    first, second, *_ = ours.get_column("segment").sort().to_list()
    other = ours.filter(pl.col("segment") != first).with_columns(
        total=pl.when(pl.col("segment") == second).then(pl.lit("other")).otherwise("total")
    )
    found = unequal_segments([summed(side(ROWS)), whole.as_far_as_same(ours, other).sums()])
    assert {first, second} < set(found.get_column("segment"))
    assert found.height == 3
    assert whole.as_far_as_same(ours, other).sums().get_column("rows").sum() == other.get_column("rows").sum()


def test_segments_are_ranges_of_the_key_hash() -> None:
    keys = side(ROWS).get_column(KEY_HASH)
    numbers = keys.to_frame().select(segment_of(pl.col(KEY_HASH))).to_series()
    for number, key in zip(numbers, keys, strict=True):
        [(lower, upper)] = ranges(pl.Series([number]))
        assert lower <= key.to_bytes(16, "big")
        assert upper is None or key.to_bytes(16, "big") < upper
    assert len(ranges(pl.Series([3, 1, 2, 7, SEGMENTS - 1]))) == 3
    groups = grouped(pl.DataFrame({"segment": [1, 2, 3, 4], "rows": [5, 6, 30, 1]}), 10)
    assert [group.to_list() for group in groups] == [[1, 2], [3], [4]]


def test_rows_are_compared_null_safe_and_each_thing_has_its_name() -> None:
    source = settle_source(side(((1, "a"), (2, None), (3, "c"), (4, "d"), (4, "D"), (5, "e"), (5, "e"))))
    layer = side(((1, None), (2, None), (4, "x"), (6, "f"), (7, "g"), (7, "h")), lying=(2,))
    compared = compare_layer(source, Layer.STAGE, layer, ["NAME"])
    by_kind = dict(compared.differences.group_by("kind").len().iter_rows())
    assert by_kind == {"VALUE": 1, "MISSING": 2, "EXTRA": 2, "DUPLICATE": 1, "ROW_HASH": 1}
    assert (len(source.quarantined), source.duplicates) == (1, 1)


def test_a_row_that_is_another_one_when_it_is_read_again_is_in_flight() -> None:
    source, layer = settle_source(side(((1, "a"), (2, "b")))), side(((1, "x"), (2, "x"), (3, "x"), (4, "x")))
    differences = compare_layer(source, Layer.STAGE, layer, ["NAME"]).differences
    before = touched(source, [layer, layer], differences, ["ID"])
    assert sorted(before.get_column("ID")) == [1, 2, 3, 4]
    again = side(((1, "a"), (2, "moved"), (3, "came")))
    names = dict(side(((1, ""), (2, ""), (3, ""), (4, ""))).select(KEY_HASH, "ID").iter_rows())
    assert sorted(names[key] for key in in_flight(before, again)) == [2, 3]


@pytest.mark.parametrize("there", [flags for flags in product((True, False), repeat=3) if any(flags)])
def test_a_repair_leaves_each_layer_what_its_promotions_need(there: tuple[bool, bool, bool]) -> None:
    """Stage is settled to hold what Bronze holds; the promotion then finds a key in both or in neither."""
    at_source, in_stage, in_bronze = there
    rows = [side(((1, name),) if flag else ()) for flag, name in zip(there, ("a", "b", "b"), strict=True)]
    source = settle_source(rows[0])
    layers = {Layer.STAGE: rows[1], Layer.BRONZE: rows[2]}
    differences = pl.concat([compare_layer(source, layer, frame, ["NAME"]).differences for layer, frame in layers.items()])
    repair = plan_repair(source, layers, differences)
    settling, changes = (dict.fromkeys(f.get_column(CDC_OPERATION)) for f in (repair.settling, repair.changes))
    expected = {True: {INSERT: None}, False: {DELETE: None}}
    assert settling == (expected[in_bronze] if in_stage != in_bronze else {})
    wanted = (UPDATE if in_bronze else INSERT) if at_source else (DELETE if in_bronze else None)
    assert changes == ({wanted: None} if wanted else {})


def test_keys_of_which_a_layer_holds_several_rows_are_left_to_a_person() -> None:
    source = settle_source(side(((1, "a"), (2, "b"))))
    layers = {Layer.STAGE: side(((1, "x"), (2, "y"))), Layer.BRONZE: side(((1, "x"), (1, "y"), (2, "y")))}
    differences = pl.concat([compare_layer(source, layer, frame, ["NAME"]).differences for layer, frame in layers.items()])
    repair = plan_repair(source, layers, differences)
    assert (repair.left, repair.changes.get_column("ID").to_list()) == (1, [2])
    assert Difference.DUPLICATE in differences.get_column("kind")


def test_a_seal_is_broken_by_any_change_of_what_it_covers_and_by_nothing_else() -> None:
    july, august, now = datetime(2026, 7, 9), datetime(2026, 8, 3), datetime(2026, 8, 9)  # noqa: DTZ001 - naive UTC
    versions = pl.DataFrame({"A": [1, 2, 3], "B": ["x", None, "z"], END: [july, july, august]})
    first = seal_versions([versions], ["A", "B", END], now, {})
    assert first.broken == []
    assert [(seal.month, seal.versions) for seal in first.renewed()] == [(date(2026, 7, 1), 2), (date(2026, 8, 1), 1)]
    known = {seal.month: seal for seal in first.renewed()}
    later = datetime(2026, 9, 1)  # noqa: DTZ001
    grown = pl.concat([versions, versions.tail(1).with_columns(pl.lit(datetime(2026, 8, 20)).alias(END))])  # noqa: DTZ001
    wider = grown.with_columns(pl.lit(None, dtype=pl.Int64).alias("NEW"), pl.col("A").cast(pl.Int16))
    second = seal_versions([wider.reverse()], ["A", "B", "NEW", END], later, known)
    assert second.broken == []
    assert {seal.month.month: seal.versions for seal in second.renewed()} == {7: 2, 8: 2}
    for changed in (versions.with_columns(pl.col("B").fill_null("")), versions.tail(2), pl.concat([versions, versions.head(1)])):
        assert seal_versions([changed], ["A", "B", END], later, known).broken == [date(2026, 7, 1)]
    assert seal_versions([], ["A", "B", END], later, known).broken == [date(2026, 7, 1), date(2026, 8, 1)]
