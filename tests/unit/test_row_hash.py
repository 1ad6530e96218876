"""Row hashes: the golden values that pin the algorithm, and what two rows must and must not share."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from model.row_hash import HASH_BYTES, as_integer
from model.system_columns import KEY_HASH, ROW_HASH
from tests.unit.frames import hashed, hex_of, row_hashes

ALGORITHM_CHANGED = (
    "The hash of a stored value changed. Every row that customers have loaded was hashed the old way, so their next run would "
    "take each of them for an update. Do not paste the new value here: undo the change, or give the algorithm a new name, so "
    "that rows are compared under the layout they were hashed with."
)

GOLDEN: list[tuple[str, pl.DataType, Any, str]] = [
    ("NULL", pl.String(), None, "667959605dc1c6d76a60f121142890fc"),
    ("boolean", pl.Boolean(), True, "a3849e3b2ce7a2fca2a747b4ef970135"),
    ("int8", pl.Int8(), -128, "273b436ee231cfb74ced81662a1fb559"),
    ("int16", pl.Int16(), -32768, "75219e517b5db553e819f0acf264766e"),
    ("int32", pl.Int32(), 2**31 - 1, "219a747cbf2a68a98960f904aad0a98c"),
    ("int64", pl.Int64(), -(2**63), "09e2a30d09108acd5b13018f2683ee37"),
    ("uint8", pl.UInt8(), 255, "60d39ba8176befef15d38b46b630d479"),
    ("uint16", pl.UInt16(), 65535, "bbd8d79ed3b039c510b38c523bf37d43"),
    ("uint32", pl.UInt32(), 2**32 - 1, "3fdb05da743c6292e3166205b75bd8ea"),
    ("uint64", pl.UInt64(), 2**64 - 1, "a58d12b36c6256eb703b077281c35d1c"),
    ("decimal", pl.Decimal(38, 10), Decimal("-1234567890123456789012345678.0123456789"), "7ed376d72930cfd28ef561977bff042b"),
    ("float32", pl.Float32(), 0.5, "163cc4d040fdd684d5a932900c39d023"),
    ("float64", pl.Float64(), 0.1, "c26bdc75773832cda88de358883d4798"),
    ("infinity", pl.Float64(), -math.inf, "51d6172821a7cc5a5a90a933e940a8f2"),
    ("NaN", pl.Float64(), math.nan, "e4ffe93cf1a142236a730d4ddf6ae48a"),
    ("text", pl.String(), "Zürich \U0001f600\t\n", "90d8363be7c87f27b9bc0b4511612acd"),
    ("empty text", pl.String(), "", "a958cfab7409def4dc8ad909da2e7354"),
    ("binary", pl.Binary(), b"\x00\xff", "17c95cb6db8a55deb0d88769f3c39b78"),
    ("date", pl.Date(), date(9999, 12, 31), "ea75916c93570134302f46126d1eb804"),
    ("first date", pl.Date(), date(1, 1, 1), "4aec4fe9dec377d11593a9d97026cf7c"),
    ("timestamp", pl.Datetime("us"), datetime(9999, 12, 31, 23, 59, 59, 999999), "f4563d1d6bfe6c02212fabe68a9b5655"),  # noqa: DTZ001
    ("with time zone", pl.Datetime("us", "UTC"), datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "7d826e81e89f2fce26e6c7d6ea4bdeb9"),
]


@pytest.mark.parametrize(("dtype", "value", "expected"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN])
def test_a_value_of_each_dtype_has_its_golden_hash(dtype: pl.DataType, value: object, expected: str) -> None:
    assert row_hashes(one(value, dtype)) == [expected], ALGORITHM_CHANGED


def test_a_whole_row_has_its_golden_key_and_row_hash() -> None:
    row = pl.DataFrame(
        [pl.Series(name, [value], dtype=dtype) for name, dtype, value, _ in GOLDEN]
        + [pl.Series("BRANCH", ["ZH"]), pl.Series("ID", [4711], dtype=pl.Int64)]
    )
    [(key_hash, row_hash)] = hashed(row, ["ID", "BRANCH"]).rows()
    assert key_hash.hex() == "bd04883a7d778a5dabf468fae65f7efb", ALGORITHM_CHANGED
    assert row_hash.hex() == "9a3941fb26551fc233d069186ea47dd2", ALGORITHM_CHANGED


def one(value: object, dtype: pl.DataType) -> pl.DataFrame:
    return pl.DataFrame({"v": pl.Series([value], dtype=dtype)})


def test_text_cannot_move_from_one_column_to_the_next() -> None:
    frame = pl.DataFrame({"a": ["ab", "a", "", "abc"], "b": ["c", "bc", "abc", ""]})
    assert len(set(row_hashes(frame))) == frame.height


def test_null_is_not_the_empty_text_and_not_the_empty_binary() -> None:
    for dtype, empty in ((pl.String(), ""), (pl.Binary(), b"")):
        frame = pl.DataFrame({"v": pl.Series([None, empty], dtype=dtype)})
        null, blank = row_hashes(frame)
        assert null != blank


def test_null_in_one_column_is_not_null_in_another() -> None:
    frame = pl.DataFrame({"a": [None, "x", None], "b": ["x", None, None]}, schema={"a": pl.String, "b": pl.String})
    assert len(set(row_hashes(frame))) == frame.height


@pytest.mark.parametrize("delimiter", ["|", ",", "\t", "\n", "\x00", "\x01", "\x1f", "\x1e", "\\", "'", '"', "NULL", "~|~"])
def test_no_delimiter_inside_a_value_forges_another_row(delimiter: str) -> None:
    frame = pl.DataFrame(
        {
            "a": [f"x{delimiter}y", "x", f"x{delimiter}", "x"],
            "b": ["z", f"y{delimiter}z", f"y{delimiter}z", f"{delimiter}y{delimiter}z"],
        }
    )
    assert len(set(row_hashes(frame))) == frame.height


def test_nothing_of_a_text_is_trimmed_folded_or_normalised() -> None:
    texts = ["a", "a ", " a", "A", "a\n", "a\r\n", "a\x00", "\u00e4", "a\u0308"]
    assert len(set(row_hashes(pl.DataFrame({"v": texts})))) == len(texts)


@pytest.mark.parametrize("value", [0, 1, 127])
def test_the_width_of_an_integer_does_not_enter_its_hash(value: int) -> None:
    signed: list[pl.DataType] = [pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64()]
    unsigned: list[pl.DataType] = [pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()]
    assert len({row_hashes(one(value, dtype))[0] for dtype in signed + unsigned}) == 1


def test_precision_and_scale_of_a_decimal_do_not_enter_its_hash() -> None:
    types = [pl.Decimal(5, 2), pl.Decimal(38, 2), pl.Decimal(10, 4), pl.Decimal(38, 20)]
    assert len({row_hashes(one(Decimal("-12.50"), dtype))[0] for dtype in types}) == 1
    assert row_hashes(one(Decimal("12.50"), pl.Decimal(5, 2))) != row_hashes(one(Decimal("1.25"), pl.Decimal(5, 2)))


def test_minus_zero_equals_zero() -> None:
    # Documented in DESIGN.md section 4: a value that changes from -0.0 to 0.0 makes no update.
    assert len(set(row_hashes(pl.DataFrame({"v": [0.0, -0.0]})))) == 1


def test_nan_equals_nan_and_nothing_else() -> None:
    frame = pl.DataFrame({"v": [math.nan, -math.nan, math.inf, -math.inf, 0.0, None]})
    hashes = row_hashes(frame)
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == frame.height - 1


def test_a_microsecond_makes_another_hash_up_to_the_year_9999() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - instants travel naive
    frame = pl.DataFrame({"v": [last, last.replace(microsecond=999998), datetime(1, 1, 1)]})  # noqa: DTZ001
    assert len(set(row_hashes(frame))) == frame.height


def test_hashes_are_sixteen_bytes_and_never_null() -> None:
    frame = pl.DataFrame({"k": [None, 1], "v": [None, None]}, schema={"k": pl.Int64, "v": pl.String})
    result = hashed(frame, ["k"])
    assert result.columns == [KEY_HASH, ROW_HASH]
    assert {len(value) for column in result for value in column.to_list()} == {HASH_BYTES}


def test_the_order_of_hashes_as_integers_is_the_order_of_their_bytes() -> None:
    hashes = hashed(pl.DataFrame({"k": range(200)}), ["k"]).select(KEY_HASH)
    by_bytes = hex_of(hashes.sort(KEY_HASH).get_column(KEY_HASH))
    by_number = hashes.with_columns(number=as_integer(pl.col(KEY_HASH))).sort("number")
    assert hex_of(by_number.get_column(KEY_HASH)) == by_bytes
    assert [f"{number:032x}" for number in by_number.get_column("number").to_list()] == by_bytes
