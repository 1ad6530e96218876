"""The embedded default: with nothing configured, sample sources and a DuckDB target in the current folder."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from connections.target import Target
from model.control import TABLES_LIST
from orchestration.table_config import LOAD_TOOL
from sources.registry import Source, SourceRegistry

BANNER = """\
Embedded default: nothing is configured, so sample sources DNA, CCM and EPICOR are loaded into DuckDB under
  {folder}
Move the samples one business day on with: python -m sources next-day
For your own databases set UDM_TARGET and UDM_SOURCE_<NAME> in .env (.env.example explains each setting).
"""


def prepare_samples(data_folder: Path) -> SourceRegistry:
    """Generate the sample sources that are missing, and register all of them."""
    from sources.sample import ensure_samples  # noqa: PLC0415 - only the embedded default needs the generator

    files = ensure_samples(data_folder / "sources")
    return SourceRegistry(
        sources=tuple(Source(name=name, url=URL.create("duckdb", database=str(path))) for name, path in files.items())
    )


def seed_tables(target: Target, data_folder: Path) -> None:
    """List the sample tables that UdmTablesList lacks; rows that are there stay as they are."""
    from sources.sample import SAMPLE_SOURCES, first_day_of, sample_tables  # noqa: PLC0415 - see above

    listed = target.own(TABLES_LIST)
    names = {(source.name, table.name) for source in SAMPLE_SOURCES for table in source.tables}
    with target.engine.begin() as connection:
        known = set(connection.execute(sa.select(listed.c.SourceName, listed.c.SourceObjectName)).tuples())
        if names <= known:
            return
        rows = [
            {
                "SourceName": table.source_name,
                "SourceObjectName": table.object_name,
                "SourceSchemaName": table.schema_name,
                "SourceAggregateColumnName": table.aggregate_column,
                "SourceAggregateColumnType": table.aggregate_column_type,
                "FirstLoadDate": table.first_load_date,
                "StageLoadTool": LOAD_TOOL,
            }
            for table in sample_tables(first_day_of(data_folder / "sources"))
            if (table.source_name, table.object_name) not in known
        ]
        connection.execute(sa.insert(listed), rows)
