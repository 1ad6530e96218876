"""A random table that lives day by day, with the truth kept in memory: what its history has to show as of each day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random

from tests.contract.pipeline import Row

COLUMNS = "A INTEGER, B VARCHAR, N DECIMAL(18,3), T VARCHAR, D DATE, F DOUBLE"
KEY = ("A", "B")
_TEXTS = (None, "", " ", "a", "A", "a ", "\t", "\n", "ß", "\N{GRINNING FACE}", "NULL", "\x00")
_NUMBERS = (None, Decimal(0), Decimal("0.001"), Decimal("-999999999999999.999"), Decimal(1))
_DATES = (None, date(1, 1, 1), date(9999, 12, 31), date(2026, 2, 28))
_FLOATS = (None, 0.0, 1e308, -5e-324, float("inf"))


@dataclass(slots=True)
class RandomTable:
    """Rows by key. `truth` is what Bronze has to show: the source's rows, but for keys that are in quarantine today."""

    random: Random
    holds_nul: bool = True
    holds_infinity: bool = True
    rows: dict[Row, Row] = field(default_factory=dict)
    gone: list[Row] = field(default_factory=list)
    truth: dict[Row, Row] = field(default_factory=dict)

    def next_day(self) -> list[Row]:
        """Live a day: inserts, updates, deletes, come-backs. Returns the extract, with duplicates and NULL keys in it."""
        for key in self._some(list(self.rows), 0.15):
            del self.rows[key]
            self.gone.append(key)
        for key in self._some(list(self.rows), 0.2):
            self.rows[key] = self._values()
        for key in self._some(self.gone, 0.3):
            self.gone.remove(key)
            self.rows[key] = self._values()
        for _ in range(self.random.randint(2, 6)):
            self.rows[self.random.randint(1, 9), self.random.choice(("", " ", "a", "A", "ab"))] = self._values()
        self.gone = [key for key in self.gone if key not in self.rows]
        return self._extract()

    def _extract(self) -> list[Row]:
        extract = [(*key, *values) for key, values in self.rows.items()]
        repeated = [row for row in self._some(extract, 0.1) for _ in range(2)]
        conflicts: dict[Row, Row] = {}
        for key in self._some(list(self.rows), 0.08):
            other = self._values()
            if other != self.rows[key]:
                conflicts[key] = other
        nulls = [(None, "a", *self._values()), (1, None, *self._values())][: self.random.randint(0, 2)]
        before = self.truth
        self.truth = {key: values for key, values in self.rows.items() if key not in conflicts}
        self.truth |= {key: before[key] for key in conflicts if key in before}
        rows = [*extract, *repeated, *nulls, *((*key, *values) for key, values in conflicts.items())]
        self.random.shuffle(rows)
        return rows

    def _some(self, among: list[Row], share: float) -> list[Row]:
        return [one for one in among if self.random.random() < share]

    def _values(self) -> Row:
        texts = _TEXTS if self.holds_nul else _TEXTS[:-1]
        floats = _FLOATS if self.holds_infinity else _FLOATS[:-1]
        return tuple(self.random.choice(pool) for pool in (_NUMBERS, texts, _DATES, floats))
