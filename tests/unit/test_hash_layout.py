"""Hash layouts: which columns enter a hash in which order, how a layout is stored, and which dtypes never reach the encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, time, timedelta

import polars as pl
import pytest

from model.errors import UnsupportedType
from model.masking import ColumnMask, MaskMethod
from model.row_hash import ALGORITHM, Comparing, HashLayout, check_hashable, hash_expressions, how_compared, layout_of
from model.system_columns import KEY_HASH, ROW_HASH
from model.types import FLOAT64, TEXT, Column, Kind, decimal, integer
from tests.unit.frames import hashed, hex_of, layout

COLUMNS = (
    Column(name="NAME", type=TEXT),
    Column(name="ID", type=integer(64)),
    Column(name="BALANCE", type=decimal(18, 2)),
    Column(name="BRANCH", type=TEXT),
)
LAYOUT = HashLayout(keys=(("BRANCH", Kind.TEXT), ("ID", Kind.INTEGER)), values=(("BALANCE", Kind.DECIMAL), ("NAME", Kind.TEXT)))


def test_keys_and_values_stand_in_name_order_whatever_the_catalogues_order() -> None:
    assert layout_of(COLUMNS, ["ID", "BRANCH"]) == LAYOUT
    assert layout_of(COLUMNS[::-1], ["BRANCH", "ID"]) == LAYOUT
    assert LAYOUT.key_names == ("BRANCH", "ID")
    assert LAYOUT.value_names == ("BALANCE", "NAME")


def test_a_reordered_frame_has_the_same_hashes() -> None:
    frame = pl.DataFrame({"b": ["x", "y"], "k2": [1, 1], "a": [None, 2.5], "k1": ["p", "q"]})
    reordered = frame.select("k1", "a", "k2", "b")
    assert hashed(frame, ["k1", "k2"]).equals(hashed(reordered, ["k2", "k1"]))


def test_swapped_values_of_two_columns_are_another_row() -> None:
    frame = pl.DataFrame({"k": [1, 1], "a": ["x", "y"], "b": ["y", "x"]})
    assert len(set(hex_of(hashed(frame, ["k"]).get_column(ROW_HASH)))) == 2


def test_the_key_hash_covers_the_key_and_the_row_hash_the_rest() -> None:
    frame = pl.DataFrame({"k": [1, 1, 2], "v": ["a", "b", "a"]})
    keys, rows = (hex_of(hashed(frame, ["k"]).get_column(name)) for name in (KEY_HASH, ROW_HASH))
    assert keys[0] == keys[1] != keys[2]
    assert rows[0] == rows[2] != rows[1]


def test_a_table_whose_columns_are_all_key_has_one_constant_row_hash() -> None:
    keys, rows = (hex_of(column) for column in hashed(pl.DataFrame({"a": [1, 2], "b": ["x", "x"]}), ["a", "b"]))
    assert len(set(keys)) == 2
    assert len(set(rows)) == 1


def test_an_empty_frame_has_no_hashes() -> None:
    assert hashed(pl.DataFrame({"k": [1], "v": ["a"]}).clear(), ["k"]).height == 0


def test_a_layout_survives_its_way_through_json() -> None:
    assert HashLayout.from_json(LAYOUT.to_json()) == LAYOUT
    named = layout_of((Column(name='Größe "mm"', type=FLOAT64), Column(name="列", type=TEXT)), ["列"])
    assert HashLayout.from_json(named.to_json()) == named
    later = HashLayout(keys=LAYOUT.keys, values=LAYOUT.values, algorithm="another")
    assert HashLayout.from_json(later.to_json()) == later


def test_the_stored_text_of_a_layout_stays_as_it_is() -> None:
    assert ALGORITHM == "xxh3_128/hash_rows-1"
    assert LAYOUT.to_json() == (
        '{"algorithm":"xxh3_128/hash_rows-1","keys":[["BRANCH","text"],["ID","integer"]],'
        '"values":[["BALANCE","decimal"],["NAME","text"]]}'
    ), "Layouts are found again by this value: tables that are loaded would all get a new layout."
    assert json.loads(LAYOUT.to_json())["algorithm"] == ALGORITHM


MASKED = layout_of(
    COLUMNS,
    ["ID"],
    [ColumnMask(column=name, method=method, key="0123") for name, method in (("NAME", MaskMethod.NULL), ("ID", MaskMethod.HMAC))],
    ["BRANCH", "BALANCE"],
)


def test_masks_and_exclusions_are_part_of_a_layout_in_name_order() -> None:
    assert MASKED.value_names == ("NAME",)
    assert MASKED.key_masks == (ColumnMask(column="ID", method=MaskMethod.HMAC, key="0123"),)
    assert MASKED.to_json() == (
        '{"algorithm":"xxh3_128/hash_rows-1","keys":[["ID","integer"]],"values":[["NAME","text"]],'
        '"masks":[["ID","hmac-sha256","0123"],["NAME","null","0123"]],"excluded":["BALANCE","BRANCH"]}'
    ), "Layouts are found again by this value: tables that are loaded would all get a new layout."
    assert HashLayout.from_json(MASKED.to_json()) == MASKED


def test_another_method_or_key_of_a_mask_is_another_layout() -> None:
    masked = [layout_of(COLUMNS, ["ID"], [ColumnMask(column="NAME", method=m, key=k)]) for m in MaskMethod for k in ("1", "2")]
    assert len({layout.to_json() for layout in masked}) == 6


HASHED, REHASHED, NEVER = Comparing
ALL = {"ID", "A", "B"}


def made(values: str, excluded: str = "", **masks: MaskMethod) -> HashLayout:
    """Of the key ID and values and excluded columns of one letter."""
    columns = [Column(name=name, type=TEXT) for name in ("ID", *values, *excluded)]
    return layout_of(columns, ["ID"], [ColumnMask(column=n, method=m, key="k") for n, m in masks.items()], [*excluded])


@pytest.mark.parametrize(
    ("stored", "now", "arriving", "expected"),
    [
        (made("AB"), made("AB"), ALL, HASHED),
        (made("A"), made("AB"), ALL, HASHED),
        (made("AB"), made("A"), {"ID", "A"}, REHASHED),
        (made("AB"), made("A", "B"), ALL, REHASHED),
        (made("A", "B"), made("AB"), ALL, REHASHED),
        (made("A", "B"), made("A"), {"ID", "A"}, HASHED),
        (made("A", "B"), made("A", "B"), ALL, HASHED),
        (made("AB", A=MaskMethod.NULL), made("AB", A=MaskMethod.HMAC), ALL, HASHED),
        (made("AB", A=MaskMethod.HMAC), made("A", A=MaskMethod.HMAC), {"ID", "A"}, REHASHED),
        (made("AB", A=MaskMethod.NULL), made("A", A=MaskMethod.NULL), {"ID", "A"}, NEVER),
        (made("AB", A=MaskMethod.KEEP_LAST_4), made("A", A=MaskMethod.KEEP_LAST_4), {"ID", "A"}, NEVER),
        (made("AB"), made("A", A=MaskMethod.HMAC), {"ID", "A"}, NEVER),
        (made("AB", A=MaskMethod.NULL), made("A", "B", A=MaskMethod.NULL), ALL, HASHED),
        (made("A", "B", A=MaskMethod.NULL), made("AB", A=MaskMethod.NULL), ALL, NEVER),
        (made("A", "B", B=MaskMethod.NULL), made("AB", B=MaskMethod.NULL), ALL, NEVER),
        (made("AB", B=MaskMethod.NULL), made("A"), {"ID", "A"}, REHASHED),
        (made("AB"), made("AC", C=MaskMethod.NULL), {"ID", "A", "C"}, REHASHED),
    ],
)
def test_how_rows_of_another_layout_are_compared(
    stored: HashLayout, now: HashLayout, arriving: set[str], expected: Comparing
) -> None:
    assert how_compared(stored, now, arriving) is expected


@pytest.mark.parametrize("widened", [integer(8), integer(16, unsigned=True), integer(64)])
def test_a_widened_column_keeps_its_layout(widened: object) -> None:
    columns = [Column(name="ID", type=widened) if column.name == "ID" else column for column in COLUMNS]  # type: ignore[arg-type]
    assert layout_of(columns, ["ID", "BRANCH"]) == LAYOUT


def test_another_kind_another_key_and_another_algorithm_are_another_layout() -> None:
    retyped = [Column(name="ID", type=TEXT) if column.name == "ID" else column for column in COLUMNS]
    assert layout_of(retyped, ["ID", "BRANCH"]) != LAYOUT
    assert layout_of(COLUMNS, ["ID"]) != LAYOUT
    assert HashLayout(keys=LAYOUT.keys, values=LAYOUT.values, algorithm="other") != LAYOUT


class Money(pl.BaseExtension):
    """An extension type, at which the encoder aborts the whole process."""

    def __init__(self) -> None:
        super().__init__("udm.tests.money", pl.Int64, None)

    @classmethod
    def ext_from_params(cls, *_: object) -> Money:
        return cls()

    def _string_repr(self) -> str:
        return "money"


@pytest.fixture
def extension() -> Iterator[pl.DataFrame]:
    pl.register_extension_type("udm.tests.money", Money)
    yield pl.DataFrame({"v": pl.Series([1, 2]).ext.to(Money())})
    pl.unregister_extension_type("udm.tests.money")


def test_an_extension_type_is_refused_in_this_very_process(extension: pl.DataFrame) -> None:
    with pytest.raises(UnsupportedType, match=r"DNA\.ACCT: column 'v' arrived as .*cannot be compared exactly"):
        check_hashable("DNA.ACCT", extension.schema)


@pytest.mark.parametrize(
    "series",
    [
        pl.Series([datetime(2026, 1, 1)], dtype=pl.Datetime("ns")),  # noqa: DTZ001
        pl.Series([datetime(2026, 1, 1)], dtype=pl.Datetime("ms")),  # noqa: DTZ001
        pl.Series([time(1)]),
        pl.Series([timedelta(1)]),
        pl.Series([[1]]),
        pl.Series([{"a": 1}]),
        pl.Series(["a"], dtype=pl.Categorical),
        pl.Series(["a"], dtype=pl.Enum(["a"])),
        pl.Series([1], dtype=pl.Int128),
        pl.Series([None], dtype=pl.Null),
        pl.Series([object()], dtype=pl.Object),
    ],
    ids=lambda series: str(series.dtype),
)
def test_every_other_dtype_is_refused_by_table_column_and_dtype(series: pl.Series) -> None:
    with pytest.raises(UnsupportedType) as caught:
        check_hashable("DNA.ACCT", pl.Schema({"ok": pl.String(), "WEIRD": series.dtype}))
    assert "DNA.ACCT: column 'WEIRD'" in str(caught.value)
    assert str(series.dtype) in str(caught.value)
    assert caught.value.remedy


def test_every_dtype_that_is_allowed_can_be_hashed() -> None:
    allowed: list[pl.DataType] = [
        pl.Boolean(),
        pl.Int8(),
        pl.UInt64(),
        pl.Decimal(38, 0),
        pl.Float32(),
        pl.Float64(),
        pl.String(),
        pl.Binary(),
        pl.Date(),
        pl.Datetime("us"),
        pl.Datetime("us", "UTC"),
    ]
    frame = pl.DataFrame([pl.Series(f"c{i}", [None], dtype=dtype) for i, dtype in enumerate(allowed)])
    check_hashable("DNA.ACCT", frame.schema)
    assert frame.select(hash_expressions(layout(frame, ["c0"]))).null_count().row(0) == (0, 0)
