"""What users set in UdmTablesColumnsList, and a search for a value in everything that the pipeline leaves or writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from model.control import COLUMNS_LIST
from model.names import TableName
from orchestration.reporting import QuietReporter
from tests.contract.pipeline import Pipeline


def set_rule(pipeline: Pipeline, table: str, column: str, **values: Any) -> None:
    """Set columns of a column's row in UdmTablesColumnsList, making the row where it is missing."""
    listed = pipeline.target.own(COLUMNS_LIST)
    about = {"SourceName": pipeline.source.name, "TableName": table, "ColumnName": column}
    with pipeline.target.engine.begin() as connection:
        where = [listed.c[name] == value for name, value in about.items()]
        if connection.execute(sa.select(listed.c.ColumnName).where(*where)).all():
            connection.execute(sa.update(listed).where(*where).values(**values))
        else:
            connection.execute(sa.insert(listed).values(**about, **values))


def mask(pipeline: Pipeline, table: str, column: str, method: str | None) -> None:
    set_rule(pipeline, table, column, MaskWith=method)


def exclude(pipeline: Pipeline, table: str, column: str, *, excluded: bool = True) -> None:
    set_rule(pipeline, table, column, IsExcludedFromHash=excluded)


def everything_stored(pipeline: Pipeline) -> str:
    """Every value of every table of Stage, Bronze and General, staging tables among them, as one text."""
    target, databases = pipeline.target, pipeline.target.databases
    found = []
    for database in (databases.stage, databases.bronze, databases.general):
        with target.engine.connect() as connection:
            for (schema, table), columns in sorted(target.catalogue(connection, database).items()):
                # A server may have tables of its own in `dbo`.
                if schema.lower() in {"dna", "ops"} or table.lower().startswith("udm"):
                    query = sa.select(*target.table(TableName(database=database, schema=schema, table=table), columns).c)
                    found += [repr((schema, table, tuple(row))) for row in connection.execute(query)]
    return "\n".join(found)


class Searching(QuietReporter):
    """Looks, before each step of a run, at what is stored and at the bytes of the spool."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.spooled = 0
        self.seen: list[str] = []

    def step_started(self, name: str, step: str) -> None:
        super().step_started(name, step)
        folder = self._pipeline.settings.spool_folder
        assert folder is not None
        files = [path for path in Path(folder).rglob("udm-spool-*/**/*") if path.is_file()]
        self.spooled += len([path for path in files if path.suffix == ".parquet"])
        self.seen += [path.read_bytes().decode("latin-1") for path in files]
        self.seen.append(everything_stored(self._pipeline))
