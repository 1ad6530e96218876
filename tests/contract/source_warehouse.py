"""A warehouse of DuckDB whose source is a server or file of a test's own that fails: one day is loaded, another waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestration.results import TableResult
from sources.registry import Source, SourceRegistry
from tests.contract.pipeline import Pipeline, Row

ROWS = 40_000  # of 300 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """A pipeline into DuckDB, and the source of its table `big`."""

    pipeline: Pipeline
    source: Source

    def run(self, **options: Any) -> TableResult:
        options = {"retry_seconds": 0.01, "batch_rows": 1_000, **options}
        return self.pipeline.run_table("big", sources=SourceRegistry(sources=(self.source,)), **options)

    def load(self, **options: Any) -> TableResult:
        result = self.run(**options)
        assert result.status == "SUCCESS", result.message
        return result

    def extracts(self) -> list[Row]:
        query = """SELECT "Status", "ErrorType" FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch AND "EventType" = 'EXTRACT'
            ORDER BY "EventNumber" """
        return self.pipeline.query(query, batch=self.pipeline.batch)

    def digest(self) -> list[Row]:
        """Every value of Stage and of Bronze, as one number a layer."""
        rows = "SELECT count(*), sum(hash(t)::HUGEINT) FROM {{{layer}}} AS t"
        return [row for layer in ("stage", "bronze") for row in self.pipeline.query(rows.format(layer=layer), "big")]

    def failed_clean(self, before: Any, **options: Any) -> str:
        """A run that fails and changes nothing; its message."""
        result = self.run(**options)
        assert result.status == "FAILED"
        assert self.digest() == before
        assert self.pipeline.staging_tables() == []
        return result.message

    def check_exact(self) -> None:
        """Bronze holds what the source holds, and a plain run finds nothing more."""
        active = self.pipeline.query('SELECT count(*) FROM {bronze} WHERE "UdmActiveFlag"', "big")
        assert active == [(ROWS - 10 + 5,)]
        assert self.load().changed == 0


def changes(result: TableResult) -> None:
    assert (result.inserted, result.updated, result.deleted) == (5, 7, 10)
    assert result.unchanged == ROWS - 17
