"""The sample of loaded rows that is read back: the rows in which a driver is most likely to alter a value are always in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl
import pytest

from data_load.sample import SampleChooser
from model.system_columns import CDC_OPERATION, KEY_HASH

COUNT = 5_000


def numbered(count: int = COUNT) -> pl.DataFrame:
    """Rows to load, each of its own key and all with ordinary values."""
    return pl.DataFrame(
        {
            "n": [1_000] * count,
            "t": [("alpha", "zulu")[row % 2] for row in range(count)],
            "b": pl.Series([b"bin"] * count, dtype=pl.Binary),
            "d": pl.Series([date(2026, 1, 1)] * count),
            "f": pl.Series([True] * count),
            CDC_OPERATION: ["I"] * count,
            KEY_HASH: [number.to_bytes(16, "big") for number in range(count)],
        }
    )


def with_value(column: str, value: object, row: int, frame: pl.DataFrame | None = None) -> pl.DataFrame:
    frame = numbered() if frame is None else frame
    values = frame.get_column(column).to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=frame.schema[column]))


def sampled(frames: Sequence[pl.DataFrame]) -> list[int]:
    """The numbers of the rows chosen."""
    chooser = SampleChooser(names=("n", "t", "b", "d", "f"))
    for frame in frames:
        chooser.see(frame)
    return [int.from_bytes(key, "big") for key in chooser.sample().get_column(KEY_HASH)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", -(2**63)),
        ("n", 2**63 - 1),
        ("n", None),
        ("t", ""),
        ("t", "  "),
        ("t", "\t\n"),
        ("t", "m" * 4_000),
        ("t", "\u4e2d" * 2),
        ("t", None),
        ("t", "\U0001f600"),
        ("b", b"\x00" * 9),
        ("b", None),
        ("d", date(1, 1, 1)),
        ("d", date(9999, 12, 31)),
        ("d", None),
        ("f", False),
        ("f", None),
    ],
)
@pytest.mark.parametrize("row", [1, 4_321])
def test_the_row_with_a_columns_extreme_is_sampled(column: str, value: object, row: int) -> None:
    assert row in sampled([with_value(column, value, row)])


@pytest.mark.parametrize("blank", [" ", "\t\n", "\u3000"])
def test_a_blank_is_sampled_also_between_the_least_and_the_greatest(blank: str) -> None:
    between = with_value("t", "\U0001f600", 2_000, with_value("t", "\x00", 1))
    assert 4_321 in sampled([with_value("t", blank, 4_321, between)])


def test_the_extreme_of_all_frames_is_sampled_wherever_it_came() -> None:
    frame = with_value("n", 2**40, 4_321)
    for size in (100, 1_000, 4_999):
        parts = [frame.slice(start, size) for start in range(0, COUNT, size)]
        assert 4_321 in sampled(parts)


def test_a_sample_is_small_and_holds_each_row_once() -> None:
    frame = numbered()
    chosen = sampled([frame.slice(start, 500) for start in range(0, COUNT, 500)])
    assert len(chosen) == len(set(chosen)) < 100
    assert len(chosen) >= 25


def test_a_small_load_is_sampled_whole() -> None:
    assert sampled([numbered(20)]) == list(range(20))


def test_rows_that_stand_for_deletes_have_no_values_to_compare() -> None:
    frame = numbered(10).with_columns(pl.Series(CDC_OPERATION, ["D", "I"] * 5))
    assert sampled([frame]) == [1, 3, 5, 7, 9]
    assert sampled([frame.with_columns(pl.lit("D").alias(CDC_OPERATION)).clear()]) == []


def test_without_a_frame_there_is_no_sample() -> None:
    assert SampleChooser(names=("n",)).sample().is_empty()
