"""A large table that the contract tests load, at a time and from a source of their choosing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from extract.duckdb_extractor import DuckDBExtractor
from extract.selection import WithKeys
from orchestration import window_runs
from orchestration.large_tables import run_large_tables
from orchestration.results import TableResult
from orchestration.table_config import TableConfig
from tests.contract.pipeline import Pipeline, Row

TABLE = "RTXN"
COLUMNS = "ID INTEGER PRIMARY KEY, D DATE, V VARCHAR"
FIRST = date(2026, 3, 2)


def at(*parts: int) -> datetime:
    """A moment of the target's clock, or of a source's, without a zone."""
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001


def day(number: int) -> date:
    return date(2026, 3, number)


class Large:
    """A large table that is loaded at a time of our choosing."""

    def __init__(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, **config: Any) -> None:
        self.pipeline, self.monkeypatch = pipeline, monkeypatch
        self.now = at(2026, 3, 5, 12)
        about = {"aggregate_column": "D", "first_load_date": FIRST, "lookback_days": 1, **config}
        pipeline.configs[TABLE] = TableConfig(source="DNA", table=TABLE, **about)
        monkeypatch.setattr(pipeline.target, "now", lambda _: self._tick())
        self.asked: list[str] = []
        self.failing: Callable[[Any], Exception | None] = lambda _: None
        read = DuckDBExtractor.read

        def reading(extractor: DuckDBExtractor, table: Any, columns: Any, rows: int, selection: Any = None) -> Any:
            self.asked.append("keys" if isinstance(selection, WithKeys) else f"{selection.start or ''}..{selection.end or ''}")
            error = self.failing(selection)
            if error is not None:
                raise error
            return read(extractor, table, columns, rows, selection)

        monkeypatch.setattr(DuckDBExtractor, "read", reading)

    def one_by_one(self, rows: int = 1) -> None:
        """Windows are promoted as soon as they have so many rows between them."""
        self.monkeypatch.setattr(window_runs, "_GROUP_ROWS", rows)

    def _tick(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def fill(self, *rows: Row, columns: str = COLUMNS) -> None:
        self.pipeline.source.table(TABLE, columns, rows)

    def run(self, **options: Any) -> TableResult:
        self.asked.clear()
        self.now += timedelta(minutes=1)
        settings = {"retry_attempts": 1, **options}
        [result] = self.pipeline.run_tables(TABLE, run_all=run_large_tables, **settings)
        return result

    def load(self, **options: Any) -> TableResult:
        result = self.run(**options)
        assert result.status == "SUCCESS", result.message
        return result

    def active(self, *columns: str) -> list[Row]:
        names = ", ".join(f'"{name}"' for name in columns or ("ID", "D", "V"))
        return sorted(self.pipeline.query(f'SELECT {names} FROM {{bronze}} WHERE "UdmActiveFlag" = {{true}}', TABLE))

    def versions(self, key: int) -> list[Row]:
        query = 'SELECT "V", "UdmScd2Operation" FROM {bronze} WHERE "ID" = :key ORDER BY "UdmEffectiveDateTime"'
        return self.pipeline.query(query, TABLE, key=key)

    def states(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        query = 'SELECT "WindowKind", "ExtractDate", "State" FROM {ops}."PipelineExtractionState" ORDER BY "BatchId"'
        for kind, day, state in self.pipeline.query(query):
            found.setdefault(str(day) if kind == "DAY" else kind, []).append(state)
        return found
