"""A large table compared part by part: which days make a part, and what a second look at a part's keys finds elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from cdc.reconciliation.rows import KIND, Layer
from model.date_column import date_column
from model.row_hash import integer_hashes, layout_of
from model.system_columns import KEY_HASH, ROW_HASH
from model.types import DATE, TEXT, TIMESTAMPTZ, Column, integer
from model.windows import NO_DATE, Window, WindowKind, day_window, midnight
from orchestration import reconciliation_portion
from orchestration.reconciliation_again import Again, Astray, look_again
from orchestration.reconciliation_portion import Portion
from orchestration.reconciliation_reading import SidesReading

T = TypeVar("T")
COLUMNS = (Column(name="ID", type=integer(32)), Column(name="D", type=DATE))
LAYOUT = layout_of(COLUMNS, ["ID"])
DATES = date_column("T", COLUMNS[1], None, ZoneInfo("UTC"))
FIRST = date(2026, 1, 1)
EARLIER, HERE, LATER = (FIRST + timedelta(days=days) for days in (0, 1, 2))
ALL = Window(kind=WindowKind.LATER, day=FIRST, start=midnight(FIRST))


def test_parts_are_days_that_have_about_as_many_rows_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation_portion, "PART_ROWS", 10)
    rows = {FIRST + timedelta(days=day): count for day, count in enumerate((4, 4, 4, 30, 0, 1)) if count}
    whole = Portion(date=DATES, windows=(ALL, NO_DATE))
    parts = whole.in_parts(rows)
    starts = [part.windows[0].day for part in parts]
    assert starts == [FIRST, FIRST + timedelta(days=2), FIRST + timedelta(days=3), FIRST + timedelta(days=5), None]
    ends = [part.windows[0].end for part in parts]
    assert ends == [*(midnight(day) for day in starts[1:-1] if day), None, None]
    assert [len(part.before) for part in parts] == [0, 1, 2, 3, 4]
    monkeypatch.setattr(reconciliation_portion, "MOST_PARTS", 1)
    assert len(whole.in_parts(rows)) == 2
    assert whole.in_parts({})[0].windows == (ALL,)
    assert Portion().in_parts({}) == [Portion()]


def test_the_day_of_a_value_is_that_of_the_sources_clock() -> None:
    instants = pl.Series([datetime(2026, 1, 1, 23, 30), datetime(2026, 1, 2, 0, 30), None]).dt.replace_time_zone("UTC")  # noqa: DTZ001
    of_instants = date_column("T", Column(name="D", type=TIMESTAMPTZ), None, ZoneInfo("Europe/Berlin"))
    assert of_instants.days(instants).to_list() == [date(2026, 1, 2), date(2026, 1, 2), None]
    of_texts = date_column("T", Column(name="D", type=TEXT), "YYYY-MM-DD HH24:MI", ZoneInfo("UTC"))
    assert of_texts.days(pl.Series(["2026-01-02 10:00", "2026-01-02", None])).to_list() == ["2026-01-02", "2026-01-02", None]


def rows_of(*days: date) -> pl.DataFrame:
    """Rows of key 1."""
    frame = pl.DataFrame([(1, day) for day in days], schema={"ID": pl.Int32, "D": pl.Date}, orient="row")
    return frame.with_columns(integer_hashes(LAYOUT))


@dataclass(frozen=True)
class Fake:
    """The reads of a key whose rows lie on these days now."""

    source: tuple[date, ...]
    stage: tuple[date, ...]
    bronze: tuple[date, ...]
    sides: Any = field(default_factory=lambda: SimpleNamespace(empty_source=rows_of))

    def extracting(self, read: Callable[[], T]) -> T:
        return read()

    def source_again(self, before: pl.DataFrame, portion: Portion) -> pl.DataFrame:
        del before, portion
        return rows_of(*self.source)

    def layer_again(self, layer: Layer, keys: pl.DataFrame) -> pl.DataFrame:
        return rows_of(*(self.stage if layer is Layer.STAGE else self.bronze)).join(keys, on=KEY_HASH, how="semi")


def looked(reads: Fake, read_at: tuple[date, ...]) -> tuple[Again, Astray]:
    """Key 1 differs in the part `HERE`, where the source's rows `read_at` were seen; `EARLIER` was compared before."""
    windows = [day_window(day) for day in (EARLIER, HERE)]
    portion = Portion(date=DATES, windows=(windows[1],), before=(windows[0],))
    seen = rows_of(*read_at)
    before = seen if seen.height else rows_of(HERE).with_columns(pl.lit(None, dtype=pl.UInt128).alias(ROW_HASH))
    before = before.select(KEY_HASH, ROW_HASH, "ID")
    differences = before.select(KEY_HASH, pl.lit("MISSING" if read_at else "EXTRA").alias(KIND))
    astray = Astray()
    return look_again(cast("SidesReading", reads), portion, before, differences, astray), astray


@pytest.mark.parametrize(
    ("reads", "read_at", "flying", "astray"),
    [
        # The layers' row lies in a part that is still to come: a difference, told here and not again there.
        (Fake((HERE,), (LATER,), (LATER,)), (HERE,), False, True),
        # In a part in which nothing was wrong with it: the source's has come from there meanwhile.
        (Fake((HERE,), (EARLIER,), (EARLIER,)), (HERE,), True, True),
        # The source's row has gone to such a part, or lies in one that is still to come.
        (Fake((EARLIER,), (HERE,), (HERE,)), (), True, True),
        (Fake((LATER,), (HERE,), (HERE,)), (), False, True),
        # It came, went, or changed between two reads.
        (Fake((HERE,), (HERE,), (HERE,)), (), True, False),
        (Fake((), (), ()), (HERE,), True, False),
        # It is nowhere else.
        (Fake((HERE,), (), ()), (HERE,), False, False),
        (Fake((), (HERE,), (HERE,)), (), False, False),
    ],
)
def test_a_key_that_moves_while_the_run_lasts_is_in_flight(
    reads: Fake, read_at: tuple[date, ...], flying: bool, astray: bool
) -> None:
    again, elsewhere = looked(reads, read_at)
    assert (len(again.flying), elsewhere.keys.height) == (int(flying), int(astray))


def test_rows_of_one_key_in_two_parts_of_a_layer_are_all_fetched() -> None:
    again, _ = looked(Fake((EARLIER,), (EARLIER, HERE), (EARLIER,)), ())
    assert again.layers[Layer.STAGE].get_column("D").to_list() == [EARLIER, HERE]
