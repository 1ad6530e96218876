"""Masks: tokens are HMACs of an unambiguous encoding, and what is stored shows no more than it should."""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.current import current_of
from cdc.diff import Against, Comparison, compare_frame
from cdc.hashing import FrameHashing, hash_frame
from model.masking import ColumnMask, MaskKey, MaskMethod, can_mask, shown, stored_column, token
from model.row_hash import HashLayout, layout_of
from model.system_columns import HASH_LAYOUT, KEY_HASH, ROW_HASH
from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Column,
    ColumnType,
    decimal,
    integer,
)

KEY, OTHER = MaskKey(secret="a key for the tests"), MaskKey(secret="another key, ü")
UUID_VALUE = "0f8fad5b-d9cb-469f-a165-70867728950e"
ENCODED: list[tuple[ColumnType, Any, bytes]] = [
    (BOOLEAN, True, b"boolean:true"),
    (BOOLEAN, False, b"boolean:false"),
    (integer(8), -5, b"integer:-5"),
    (integer(64), 2**63 - 1, b"integer:9223372036854775807"),
    (integer(64, unsigned=True), 2**64 - 1, b"integer:18446744073709551615"),
    (decimal(38, 10), Decimal("1.1"), b"decimal:1.1"),
    (decimal(9, 2), Decimal("100.00"), b"decimal:100"),
    (decimal(9, 2), Decimal("-0.50"), b"decimal:-0.5"),
    (decimal(9, 2), Decimal("0.00"), b"decimal:0"),
    (decimal(38, 0), Decimal(10) ** 37, b"decimal:1" + b"0" * 37),
    (FLOAT64, 1.5, b"float:4609434218613702656"),
    (FLOAT32, 1.5, b"float:4609434218613702656"),
    (FLOAT64, -0.0, b"float:0"),
    (FLOAT64, 5e-324, b"float:1"),
    (FLOAT64, math.nan, b"float:9221120237041090560"),
    (TEXT, "", b"text:"),
    (TEXT, "Zürich \U0001f600\0", "text:Zürich \U0001f600\0".encode()),
    (BINARY, b"\xff\x00", b"binary:\xff\x00"),
    (BINARY, b"", b"binary:"),
    (DATE, date(1970, 1, 3), b"date:2"),
    (DATE, date(1, 1, 1), b"date:-719162"),
    (TIME, "12:30:00", b"time:12:30:00"),
    (TIMESTAMP, datetime(1970, 1, 1, 0, 0, 0, 7), b"timestamp:7"),  # noqa: DTZ001
    (TIMESTAMPTZ, datetime(1970, 1, 1, 0, 0, 0, 7, tzinfo=UTC), b"timestamptz:7"),
    (UUID, UUID_VALUE, f"uuid:{UUID_VALUE}".encode()),
]
TOKENS_CHANGED = "Tokens are stored, and keys of history are found by them: they must stay what they are."


def mac(message: bytes, key: MaskKey = KEY) -> str:
    return hmac.new(key.secret.encode(), message, hashlib.sha256).hexdigest()


def tokens(column_type: ColumnType, values: list[Any], key: MaskKey = KEY) -> list[str | None]:
    frame = pl.DataFrame({"c": pl.Series(values, dtype=column_type.dtype)})
    return frame.select(token("c", column_type, key)).to_series().to_list()


@pytest.mark.parametrize(("column_type", "value", "message"), ENCODED, ids=lambda value: str(value)[:20])
def test_a_token_is_the_hmac_of_kind_and_canonical_value(column_type: ColumnType, value: Any, message: bytes) -> None:
    for key in (KEY, OTHER):
        assert tokens(column_type, [value, None], key) == [mac(message, key), None], TOKENS_CHANGED


def test_the_golden_token() -> None:
    # printf 'text:123-45-6789' | openssl dgst -sha256 -hmac 'a key for the tests'
    assert tokens(TEXT, ["123-45-6789"]) == ["827518329dfbd8ff339bc8a34efb86c7c234b83b317d98f667dc32a97ddad97a"], TOKENS_CHANGED


def test_every_kind_has_a_token_of_its_own() -> None:
    ones = [tokens(kind, ["1"])[0] for kind in (TEXT, TIME, UUID)] + [tokens(integer(8), [1])[0], tokens(decimal(3, 1), [1])[0]]
    ones += [tokens(kind, [1])[0] for kind in (DATE, TIMESTAMP, TIMESTAMPTZ, FLOAT64)] + [tokens(BINARY, [b"1"])[0]]
    assert len(set(ones)) == len(ones)


SAME_KIND: list[tuple[ColumnType, st.SearchStrategy[Any]]] = [
    (integer(64), st.integers(-(2**63), 2**63 - 1)),
    (decimal(38, 4), st.integers(-(10**37), 10**37).map(lambda number: Decimal(number).scaleb(-4))),
    (TEXT, st.text(st.characters(exclude_categories=["Cs"]))),
    (BINARY, st.binary()),
    (DATE, st.dates()),
    (TIMESTAMP, st.datetimes()),
    (FLOAT64, st.floats(allow_nan=False)),
    (BOOLEAN, st.booleans()),
]


@settings(deadline=None)
@given(st.data())
def test_tokens_are_equal_exactly_where_values_are(data: st.DataObject) -> None:
    column_type, strategy = data.draw(st.sampled_from(SAME_KIND))
    values = data.draw(st.lists(strategy | st.none(), min_size=2, max_size=8))
    found = tokens(column_type, values)
    for one, first in zip(values, found, strict=True):
        assert (first is None) == (one is None)
        for other, second in zip(values, found, strict=True):
            assert (first == second) == (one == other)


@settings(deadline=None)
@given(st.integers(-(10**8), 10**8), st.integers(0, 6))
def test_a_wider_type_leaves_the_token(number: int, scale: int) -> None:
    assert tokens(integer(32), [number]) == tokens(integer(64), [number])
    value = Decimal(number).scaleb(-scale)
    assert tokens(decimal(20, 6), [value]) == tokens(decimal(38, 12), [value])


def test_values_that_python_cannot_hold_have_tokens_too() -> None:
    days = pl.DataFrame({"c": pl.Series([2**31 - 1, -(2**31)], dtype=pl.Int32).cast(pl.Date)})
    assert days.select(token("c", DATE, KEY)).to_series().to_list() == [mac(b"date:2147483647"), mac(b"date:-2147483648")]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_the_last_four_are_kept_only_of_what_hides_as_many(value: str) -> None:
    frame = pl.DataFrame({"c": [value, None]})
    kept, nothing = frame.select(shown("c", TEXT, MaskMethod.KEEP_LAST_4)).to_series().to_list()
    assert nothing is None
    assert kept == (f"****{value[-4:]}" if len(value) >= 8 else "****")


@pytest.mark.parametrize(
    ("column_type", "value", "kept"),
    [(integer(64), 4_111_111_111_111_234, "****1234"), (decimal(16, 0), 1_234_567, "****"), (UUID, UUID_VALUE, "****950e")],
)
def test_numbers_keep_their_last_digits(column_type: ColumnType, value: Any, kept: str) -> None:
    frame = pl.DataFrame({"c": pl.Series([value], dtype=column_type.dtype)})
    assert frame.select(shown("c", column_type, MaskMethod.KEEP_LAST_4)).item() == kept


@pytest.mark.parametrize("column_type", sorted({case[0] for case in ENCODED}, key=str), ids=str)
@pytest.mark.parametrize("method", list(MaskMethod))
def test_what_is_stored_has_the_type_that_the_column_says(column_type: ColumnType, method: MaskMethod) -> None:
    if not can_mask(column_type, method):
        assert method is MaskMethod.KEEP_LAST_4
        return
    column = stored_column(Column(name="c", type=column_type), method)
    values = [case[1] for case in ENCODED if case[0] == column_type]
    frame = pl.DataFrame({"c": pl.Series(values, dtype=column_type.dtype)})
    expression = token("c", column_type, KEY) if method is MaskMethod.HMAC else shown("c", column_type, method)
    stored = frame.with_columns(expression).get_column("c")
    assert stored.dtype == column.type.dtype
    assert column.mask == method
    if column.type.length is not None and stored.dtype == pl.String and method is not MaskMethod.NULL:
        assert stored.str.len_chars().max() <= column.type.length  # type: ignore[operator]


def test_a_fingerprint_names_a_key_and_is_no_part_of_it_nor_a_token() -> None:
    assert KEY.fingerprint == MaskKey(secret=KEY.secret).fingerprint != OTHER.fingerprint
    assert KEY.secret not in repr(KEY)
    assert KEY.fingerprint not in "".join(filter(None, tokens(TEXT, ["fingerprint", ""])))


# --- Frames: the hash is over tokens, and the frame that goes on holds none of the values ---------------------------------------

COLUMNS = (Column(name="k", type=integer(64)), Column(name="a", type=TEXT), Column(name="b", type=integer(64)))
CLEAR = pl.DataFrame({"k": [1, 2], "a": ["a secret one", None], "b": [7, 8]})
KEYS = {key.fingerprint: key for key in (KEY, OTHER)}


def masks(key: MaskKey = KEY, **methods: MaskMethod) -> list[ColumnMask]:
    return [ColumnMask(column=name, method=method, key=key.fingerprint) for name, method in methods.items()]


def hashing(layout: HashLayout) -> FrameHashing:
    return FrameHashing(columns=COLUMNS, layout=layout, keys=KEYS)


def row_hashes(values: pl.DataFrame, layout: HashLayout) -> list[int]:
    hashes: list[int] = hash_frame(values, layout).hashes.get_column(ROW_HASH).to_list()
    return hashes


@pytest.mark.parametrize("method", list(MaskMethod))
def test_every_mask_hashes_the_tokens_and_stores_no_value(method: MaskMethod) -> None:
    layout = layout_of(COLUMNS, ["k"], masks(a=method))
    hashed = hashing(layout).hash(CLEAR)
    by_tokens = hash_frame(CLEAR.with_columns(token("a", TEXT, KEY)), layout, with_bytes=True)
    assert hashed.frame.get_column(ROW_HASH).equals(by_tokens.frame.get_column(ROW_HASH))
    assert hashed.hashes.equals(by_tokens.hashes)
    assert hashed.frame.columns[:3] == ["k", "a", "b"]
    assert "a secret one" not in hashed.frame.get_column("a").to_list()
    assert hashed.frame.get_column("b").equals(CLEAR.get_column("b"))


def test_each_older_layout_is_hashed_under_its_own_masks_and_key() -> None:
    now = layout_of(COLUMNS, ["k"], masks(a=MaskMethod.NULL))
    older = {
        2: layout_of(COLUMNS, ["k"]),
        3: layout_of(COLUMNS, ["k"], masks(OTHER, a=MaskMethod.HMAC)),
        4: layout_of(COLUMNS, ["k"], masks(a=MaskMethod.HMAC)),
        5: layout_of(COLUMNS, ["k"], masks(MaskKey(secret="a key that is lost"), a=MaskMethod.HMAC)),
    }
    hashed = hashing(now).hash(CLEAR)
    rows = hashing(now).under(older, frozenset({5}), CLEAR, hashed)
    assert rows[2].to_list() == row_hashes(CLEAR, older[2])
    assert rows[3].to_list() == row_hashes(CLEAR.with_columns(token("a", TEXT, OTHER)), now)
    ours = row_hashes(CLEAR.with_columns(token("a", TEXT, KEY)), now)
    assert rows[4].to_list() == hashed.hashes.get_column(ROW_HASH).to_list() == ours
    assert rows[5].to_list() == [None, None]


def test_a_table_without_masks_is_hashed_as_ever() -> None:
    layout, older = layout_of(COLUMNS, ["k"]), {2: layout_of(COLUMNS[:2], ["k"])}
    found, plain = hashing(layout).hash(CLEAR), hash_frame(CLEAR, layout)
    assert found.frame.equals(plain.frame)
    assert found.hashes.equals(plain.hashes)
    covered = row_hashes(CLEAR.select("k", "a"), older[2])
    assert hashing(layout).under(older, frozenset(), CLEAR, found)[2].to_list() == [None, None]
    empty = CLEAR.with_columns(b=pl.lit(None, dtype=pl.Int64))
    assert hashing(layout).under(older, frozenset(), empty, hashing(layout).hash(empty))[2].to_list() == covered


def test_a_timestamp_is_not_rounded() -> None:
    instant = datetime(2026, 7, 31, 1, 2, 3, 456_789)  # noqa: DTZ001
    one, other = tokens(TIMESTAMP, [instant, instant + timedelta(microseconds=1)])
    assert one != other


@st.composite
def layouts(draw: st.DrawFn) -> tuple[HashLayout, HashLayout]:
    """Two layouts of one table, each with any masks of its values, under any of two keys."""
    made = []
    for _ in range(2):
        key = draw(st.sampled_from([KEY, OTHER]))
        methods = {name: draw(st.none() | st.sampled_from(MaskMethod)) for name in ("a", "b")}
        made.append(layout_of(COLUMNS, ["k"], masks(key, **{name: method for name, method in methods.items() if method})))
    return made[0], made[1]


VALUES = st.tuples(st.none() | st.sampled_from(["", "x", "1"]), st.none() | st.integers(0, 1))


@settings(deadline=None)
@given(layouts(), st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_under_any_two_layouts_a_row_is_an_update_exactly_where_its_values_differ(
    both: tuple[HashLayout, HashLayout], rows: list[tuple[tuple[str | None, int | None], tuple[str | None, int | None]]]
) -> None:
    before, after = (
        pl.DataFrame([(k, *row[i]) for k, row in enumerate(rows)], schema={c.name: c.type.dtype for c in COLUMNS}, orient="row")
        for i in (0, 1)
    )
    loaded = replace(hashing(both[0]), first=True).hash(before).frame
    current = current_of([loaded.select(KEY_HASH, ROW_HASH, pl.lit(1, dtype=pl.Int64).alias(HASH_LAYOUT))])
    against = Against(current=current, layout_id=2, layout=both[1], older={1: both[0]})
    comparison = Comparison()
    comparison.see(compare_frame(after, hashing(both[1]).hash(after), hashing(both[1]), against))
    changes = comparison.finish(current)
    assert (changes.updated, changes.inserted, changes.deleted) == (sum(one != other for one, other in rows), 0, 0)
