"""A large table whose date column no index leads to is told of, once a run, with what to do; a DuckDB file needs no index."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

from sqlalchemy.engine import URL

from orchestration.large_tables import run_large_tables
from orchestration.pipeline_state import Asked
from orchestration.table_config import TableConfig
from sources.registry import Source, SourceRegistry
from tests.contract.backends import DuckDB
from tests.contract.conftest import Records
from tests.contract.pipeline import opened_pipeline

TWO_DAYS = Asked(first=date(2026, 3, 2), last=date(2026, 3, 3))


def test_a_date_column_without_an_index_is_told_of_once(tmp_path: Path, logged: Records) -> None:
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, d DATE)")
        connection.execute("INSERT INTO sales VALUES (1, '2026-03-02'), (2, '2026-03-03')")
        connection.commit()
    sources = SourceRegistry(sources=(Source(name="SHOP", url=URL.create("sqlite", database=str(file))),))
    with opened_pipeline(DuckDB(), tmp_path) as pipeline:
        pipeline.configs["sales"] = TableConfig(
            source="SHOP",
            table="sales",
            aggregate_column="D",
            aggregate_column_type="YYYY-MM-DD",
            first_load_date=date(2026, 3, 1),
        )

        def warnings() -> list[str]:
            [result] = pipeline.run_tables("sales", run_all=run_large_tables, sources=sources, asked=TWO_DAYS)
            assert result.status == "SUCCESS", result.message
            found = [message for message in logged.messages(30) if "index" in message]
            logged.records.clear()
            return found

        [told] = warnings()
        assert told.startswith("SHOP.sales: no index at the source leads with d,")
        assert "SourceAggregateColumnName" in told
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE INDEX by_day ON sales (d)")
        assert warnings() == []
