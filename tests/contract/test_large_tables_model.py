"""A large table lives sixty random days against a truth in memory: changes, moves, late rows, outages, failures and kills.

`LARGE_TABLE_EXAMPLES` plays more lives than one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import SourceUnavailable
from tests.contract.backends import Backend
from tests.contract.faults import Faults, refused
from tests.contract.large import FIRST, TABLE, Large, at
from tests.contract.pipeline import opened_pipeline

LOOKBACK, DAYS = 2, 60
EXAMPLES = int(os.environ.get("LARGE_TABLE_EXAMPLES", "1"))
Row = tuple[int, date | None, str]


@dataclass(slots=True)
class World:
    """The source. Days before `frozen` may be final: what happens there alone no run is asked to see.

    `places` are the dates that a key has had since the last good run: while none of them is frozen a run will miss the key in its
    window, wherever it is by then. `seen` are the keys that the last good run brought.
    """

    random: Random
    today: date = FIRST
    frozen: date = FIRST
    rows: dict[int, Row] = field(default_factory=dict)
    places: dict[int, set[date | None]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    gone: list[int] = field(default_factory=list)
    last: int = 0

    def live(self) -> None:
        """A day's changes."""
        for key, day, _ in self._some(self._free(), 0.15):
            self._put(key, day, self._text())
        for key, _, text in self._some(self._free(), 0.08):
            self._put(key, self._date(self.frozen), text)
        for key, _, text in self._some(list(self.rows.values()), 0.03):
            # From a final day too, to where it will be read; or from where it will be missed to a day that is final.
            first = FIRST if key in self.seen and self._is_missed(key) else self.frozen
            self._put(key, self._date(first), self._text() + text[:1])
        for key, _, _ in self._some(self._free(), 0.06):
            if self._is_missed(key):
                del self.rows[key]
                self.seen.discard(key)
                self.gone.append(key)
        for key in self._some(self.gone, 0.2):
            self.gone.remove(key)
            self._put(key, self._date(self.frozen), self._text())
        for _ in range(self.random.randint(0, 3)):
            self.last += 1
            self._put(self.last, self._date(self.frozen), self._text())

    def tried(self) -> None:
        """A run begins: days whose lookback has ended may be final after it."""
        self.frozen = max(self.frozen, self.today - timedelta(days=LOOKBACK))

    def loaded(self) -> None:
        """A run was good."""
        self.places = {key: {row[1]} for key, row in self.rows.items()}
        self.seen = set(self.rows)

    def _put(self, key: int, day: date | None, text: str) -> None:
        self.rows[key] = (key, day, text)
        self.places.setdefault(key, set()).add(day)

    def _free(self) -> list[Row]:
        return [row for row in self.rows.values() if row[1] is None or row[1] >= self.frozen]

    def _is_missed(self, key: int) -> bool:
        return all(day is None or day >= self.frozen for day in self.places[key])

    def _some(self, among: list[Any], share: float) -> list[Any]:
        return [one for one in among if self.random.random() < share]

    def _date(self, first: date) -> date | None:
        days = (self.today - first).days
        some = (first + timedelta(days=self.random.randint(0, days + 5)) for _ in range(4))
        return self.random.choice((None, self.today, *some))

    def _text(self) -> str:
        return self.random.choice("abcdefgh") * self.random.randint(1, 3)


@given(randomness=st.randoms(use_true_random=False))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 1,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_bronze_is_the_source_after_every_good_run_and_its_history_what_it_was(
    backend: Backend, tmp_path_factory: pytest.TempPathFactory, randomness: Random
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, _large(backend, tmp_path_factory.mktemp("life"), monkeypatch) as large:
        faults = Faults(large.pipeline.target, monkeypatch)
        world, truths = World(randomness), dict[datetime, list[Row]]()
        outage = 0
        for _ in range(DAYS):
            world.live()
            outage = outage - 1 if outage else randomness.choice((0, 0, 0, 0, 1, 2, 9))
            if not outage:
                _run(large, faults, world, truths)
            world.today += timedelta(days=1)
            large.now += timedelta(days=1)
        large.fill(*world.rows.values())
        large.load()
        before = large.pipeline.dumps(TABLE)
        assert large.load().changed == 0
        assert large.pipeline.dumps(TABLE) == before
        _check_history(large, truths)


@contextmanager
def _large(backend: Backend, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Large]:
    with opened_pipeline(backend, folder) as pipeline:
        large = Large(pipeline, monkeypatch, lookback_days=LOOKBACK)
        large.now = at(2026, 3, 2, 6)
        yield large


def _run(large: Large, faults: Faults, world: World, truths: dict[datetime, list[Row]]) -> None:
    """A run, or one that fails or is killed at some point and then perhaps a second one the same day."""
    random = world.random
    large.fill(*world.rows.values())
    how = random.choice(("good", "good", "good", "source", "refused", "killed"))
    large.one_by_one(random.choice((1, 4, 1_000)))
    world.tried()
    if how == "source":
        reads = random.randint(1, 8)
        large.failing = lambda _: SourceUnavailable("down") if len(large.asked) == reads else None
    elif how != "good":
        faults.arm(_from(faults, random.randint(1, 200), forever=how == "killed"), refused, times=10**6 if how == "killed" else 1)
    status = "killed"
    with suppress(sa.exc.ProgrammingError):  # not even the events of its end can be written
        status = large.run().status
    large.failing = lambda _: None
    faults.arm(lambda _: False, refused, 0)
    closed = {row["_scd2_key"]: row for row in large.pipeline.dump("bronze", TABLE) if row["UdmEndDateTime"] is not None}
    if status == "SUCCESS":
        rows = sorted(world.rows.values(), key=repr)
        assert sorted(large.active(), key=repr) == rows
        [(instant,)] = large.pipeline.query('SELECT max("Instant") FROM {ops}."TablePublished"')
        truths[instant] = rows
        world.loaded()
    after = {row["_scd2_key"]: row for row in large.pipeline.dump("bronze", TABLE)}
    assert {key: after[key] for key in closed} == closed


def _from(faults: Faults, number: int, *, forever: bool) -> Any:
    return lambda _: len(faults.seen) >= number if forever else len(faults.seen) == number


def _check_history(large: Large, truths: dict[datetime, list[Row]]) -> None:
    versions = large.pipeline.dump("bronze", TABLE)
    for instant, rows in truths.items():
        as_of = [
            (row["ID"], row["D"], row["V"])
            for row in versions
            if row["UdmEffectiveDateTime"] <= instant and (row["UdmEndDateTime"] is None or row["UdmEndDateTime"] > instant)
        ]
        assert sorted(as_of, key=repr) == rows, instant
    open_keys = [row["ID"] for row in versions if row["UdmEndDateTime"] is None]
    assert len(open_keys) == len(set(open_keys))
    assert all(row["UdmActiveFlag"] == (row["UdmEndDateTime"] is None) for row in versions)
    assert large.pipeline.staging_tables() == []

