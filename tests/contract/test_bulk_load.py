"""The bulk load is checked before anything is promoted: the count, and a sample that is read back and hashed anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from model.masking import MaskKey
from model.names import TableName
from model.types import Column
from tests.contract.pipeline import Pipeline
from tests.contract.rules import exclude, mask

TABLE = "ACCT"
COLUMNS = (
    "ID INTEGER PRIMARY KEY, NAME VARCHAR, AMOUNT DECIMAL(18,3), OPENED DATE, RATE DOUBLE, RAW BLOB, SEEN TIMESTAMP, "
    "NOTE VARCHAR"
)
ROWS = 3_000
NAME, AMOUNT, OPENED, RATE, RAW, SEEN, NOTE = (
    "CASE WHEN range % 100 = 7 THEN 'x  ' WHEN range = 5 THEN '' WHEN range = 6 THEN NULL ELSE 'name ' || range END",
    "range + 0.125",
    "DATE '1990-01-01' + range::INTEGER",
    "CASE range WHEN 9 THEN 'NaN'::DOUBLE ELSE range / 3.0 END",
    "('\\x00\\x0A' || range)::BLOB",
    "TIMESTAMP '2026-01-01 00:00:00.000001' + INTERVAL (range) SECOND",
    "CASE range WHEN 5 THEN '' WHEN 1111 THEN ' ' ELSE 'note' END",
)

Alter = Callable[[pl.DataFrame], pl.DataFrame]


def has_nan(pipeline: Pipeline) -> bool:
    return pipeline.backend.holds_infinity


def fill(pipeline: Pipeline) -> None:
    rate = RATE if has_nan(pipeline) else "range / 3.0"
    pipeline.source.execute(
        f"CREATE OR REPLACE TABLE {TABLE} ({COLUMNS})",
        f"INSERT INTO {TABLE} SELECT range, {NAME}, {AMOUNT}, {OPENED}, {rate}, {RAW}, {SEEN}, {NOTE} FROM range({ROWS})",
    )


def loading_through(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, alter: Alter) -> None:
    """Every way of loading, by a driver that alters each frame after it was checked."""
    real = pipeline.target.check_values

    def through(name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        return map(alter, real(name, columns, frames))

    monkeypatch.setattr(pipeline.target, "check_values", through)


def refused(pipeline: Pipeline) -> str:
    """The load fails in its own step, and Stage and Bronze are what they were."""
    before = repr(pipeline.dumps(TABLE))  # as text, for NaN is not equal to itself
    message = pipeline.fail(TABLE)
    assert repr(pipeline.dumps(TABLE)) == before
    query = 'SELECT "Status", "ErrorType" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch AND "EventType" = \'BCP_LOAD\''
    assert pipeline.query(query, batch=pipeline.batch) == [("FAILED", "LoadVerificationError")]
    return message


def test_what_is_checked_here_loads_when_nothing_alters_it(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(pipeline)
    loading_through(pipeline, monkeypatch, lambda frame: frame)
    assert pipeline.load(TABLE).inserted == ROWS


@pytest.mark.parametrize(
    ("alter", "arrived"),
    [
        (lambda frame: frame.slice(1), ROWS - 1),
        (lambda frame: frame.filter(pl.col("ID") != 1_234), ROWS - 1),
        (lambda frame: pl.concat([frame, frame.tail(1)]), ROWS + 1),
    ],
    ids=["a row a frame lost", "one row lost", "a row a frame twice"],
)
def test_a_loader_that_loses_or_repeats_rows_is_caught_by_the_count(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, alter: Alter, arrived: int
) -> None:
    """Never again: bcp's ten tolerated bad rows."""
    fill(pipeline)
    loading_through(pipeline, monkeypatch, alter)
    message = refused(pipeline)
    assert f"{ROWS} rows were sent" in message
    assert f"{arrived} arrived" in message


def first(column: str, replacement: Any) -> Alter:
    return lambda frame: frame.with_columns(replacement.cast(frame.schema[column]).alias(column))


def only(name: str, when: pl.Expr, then: Any) -> Alter:
    """Alter one column where a condition holds."""
    return first(name, pl.when(when).then(then).otherwise(pl.col(name)))


ALTERATIONS: dict[str, tuple[str, Alter]] = {
    "blanks stripped": ("NAME", first("NAME", pl.col("NAME").str.strip_chars())),
    "empty string to NULL": ("NAME", only("NAME", pl.col("NAME") == "", None)),
    "one blank to NULL": ("NOTE", only("NOTE", pl.col("NOTE") == " ", None)),
    "NULL to empty string": ("NAME", first("NAME", pl.col("NAME").fill_null(""))),
    "longest text cut by one": ("NAME", only("NAME", pl.col("NAME").str.len_chars() == 9, pl.col("NAME").str.head(8))),
    "decimal rounded": ("AMOUNT", first("AMOUNT", pl.col("AMOUNT").round(2))),
    "greatest decimal through float": ("AMOUNT", only("AMOUNT", pl.col("AMOUNT") > ROWS - 1, pl.lit(Decimal("2999.126")))),
    "date nulled": ("OPENED", first("OPENED", pl.lit(None))),
    "least date moved": ("OPENED", only("OPENED", pl.col("ID") == 0, pl.col("OPENED").dt.offset_by("1d"))),
    "float to single": ("RATE", first("RATE", pl.col("RATE").cast(pl.Float32))),
    "NaN to NULL": ("RATE", first("RATE", pl.col("RATE").fill_nan(None))),
    "bytes cut at NUL": ("RAW", first("RAW", pl.lit(b""))),
    "microseconds lost": ("SEEN", first("SEEN", pl.col("SEEN").dt.truncate("1ms"))),
    "key altered": ("ID", first("ID", pl.col("ID") + 1)),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_loader_that_alters_values_is_caught_and_the_column_named(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, alteration: str
) -> None:
    """Never again: tabs, newlines, trailing spaces and `''` altered to suit a CSV; NUMBER through float64."""
    column, alter = ALTERATIONS[alteration]
    if "NaN" in alteration and not has_nan(pipeline):
        pytest.skip("this target refuses NaN before it is loaded")
    fill(pipeline)
    loading_through(pipeline, monkeypatch, alter)
    message = refused(pipeline)
    assert f"column {column}" in message
    assert pipeline.columns("stage", TABLE)


@pytest.mark.parametrize(
    ("column", "alter"),
    [
        ("NAME", first("NAME", pl.col("NAME").str.strip_chars())),
        ("AMOUNT", first("AMOUNT", pl.col("AMOUNT").round(2))),
        ("NOTE", first("NOTE", pl.col("NOTE").str.head(3))),
        ("OPENED", first("OPENED", pl.lit(date(2026, 7, 31)))),
    ],
    ids=["a column in clear", "an excluded column", "a column of which four characters are kept", "a column that is NULL"],
)
def test_an_alteration_is_caught_where_the_row_hash_is_not_of_the_stored_values(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, column: str, alter: Alter
) -> None:
    fill(pipeline)
    mask(pipeline, TABLE, "NOTE", "keep-last-4")
    mask(pipeline, TABLE, "OPENED", "null")
    exclude(pipeline, TABLE, "AMOUNT")
    pipeline.settings = replace(pipeline.settings, mask_key=MaskKey(secret="a key for the tests"))
    with monkeypatch.context() as patch:
        loading_through(pipeline, patch, alter)
        assert f"column {column}" in refused(pipeline)
    assert pipeline.load(TABLE).inserted == ROWS


def test_an_alteration_is_caught_among_the_few_changes_of_a_later_day(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline)
    pipeline.load(TABLE)
    pipeline.source.execute(f"UPDATE {TABLE} SET NAME = 'changed ' WHERE ID = 77", f"DELETE FROM {TABLE} WHERE ID = 78")
    loading_through(pipeline, monkeypatch, first("NAME", pl.col("NAME").str.strip_chars()))
    assert "column NAME" in refused(pipeline)


def test_a_load_that_fails_half_way_leaves_only_staging_and_the_next_run_none(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(frame: pl.DataFrame) -> pl.DataFrame:
        if frame.get_column("ID").max() == ROWS - 1:
            raise ConnectionResetError
        return frame

    fill(pipeline)
    with monkeypatch.context() as patch:
        loading_through(pipeline, patch, fail)
        pipeline.fail(TABLE)
    assert pipeline.dumps(TABLE) == ([], [])
    assert pipeline.staging_tables() == [f"_staging_{TABLE}_{pipeline.batch}"]
    pipeline.load(TABLE)
    assert pipeline.staging_tables() == []
    assert len(pipeline.dump("bronze", TABLE)) == ROWS
