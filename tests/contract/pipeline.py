"""What contract tests drive: a source file to fill, and real runs of the pipeline against a real target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import URL

from config import Settings
from connections import open_target
from connections.target import Target
from extract.source_connections import SourceConnections
from extract.spool import SpoolFolder
from model.control import COLUMNS_LIST
from model.names import TableName
from model.ops import BATCH_SEQUENCE
from model.types import ColumnType
from observability.event_tracker import PipelineEventTracker
from orchestration.cancellation import Cancellation
from orchestration.pipeline_state import Asked
from orchestration.reporting import QuietReporter
from orchestration.results import Reporter, TableResult
from orchestration.run_context import Options, RunContext
from orchestration.small_tables import run_small_tables
from orchestration.table_config import TableConfig
from sources.registry import Source, SourceRegistry
from tests.contract.backends import Backend

Row = tuple[Any, ...]


@cache
def _root() -> duckdb.DuckDBPyConnection:
    # Attaching a file to one connection takes a fraction of the time of opening a connection of its own.
    return duckdb.connect()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A DuckDB file that a run reads as a source; open only while a helper works on it."""

    name: str
    path: Path

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with _root().cursor() as connection:
            connection.execute(f"ATTACH '{self.path}' AS source")
            connection.execute("USE source")
            try:
                yield connection
            finally:
                connection.execute("USE memory")
                connection.execute("DETACH source")

    def execute(self, *statements: str) -> None:
        with self._opened() as connection:
            for statement in statements:
                connection.execute(statement)

    def table(self, name: str, columns: str, rows: Sequence[Row] = ()) -> None:
        """Create the table, in the place of an older one of that name, and fill it."""
        with self._opened() as connection:
            connection.execute(f'CREATE OR REPLACE TABLE "{name}" ({columns})')
            if rows:
                marks = ", ".join("?" for _ in rows[0])
                connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)

    def view(self, name: str, query: str) -> None:
        self.execute(f'CREATE OR REPLACE VIEW "{name}" AS {query}')

    @property
    def entry(self) -> Source:
        return Source(name=self.name, url=URL.create("duckdb", database=str(self.path)))


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """A target, a source and the settings that runs use; `batch` is the last run's."""

    backend: Backend
    target: Target
    source: SourceFile
    settings: Settings
    batch: int = 0
    configs: dict[str, TableConfig] = field(default_factory=dict)

    def config(self, table: str) -> TableConfig:
        return self.configs.get(table) or TableConfig(source=self.source.name, table=table)

    def run_tables(
        self,
        *tables: str,
        force: bool = False,
        dry_run: bool = False,
        workers: int = 1,
        reporter: Reporter | None = None,
        around: Callable[[RunContext], None] = lambda _: None,
        run_all: Callable[[RunContext, Sequence[TableConfig]], list[TableResult]] = run_small_tables,
        asked: Asked = Asked(),  # noqa: B008 - frozen
        **settings: Any,
    ) -> list[TableResult]:
        """One run of a batch of its own, as `main_small_tables` makes it; `around` is shown the run before it starts."""
        with self.target.recorder.begin() as connection:
            self.batch = batch = self.target.draw(connection, BATCH_SEQUENCE)
        registry = SourceRegistry(sources=(self.source.entry,))
        tracker = PipelineEventTracker(None if dry_run else self.target, batch)
        with SpoolFolder(self.settings.spool_folder) as spool_folder:
            run = RunContext(
                settings=replace(self.settings, **{"sources": registry, **settings}),
                options=Options(force=force, dry_run=dry_run, workers=workers, asked=asked),
                target=self.target,
                tracker=tracker,
                reporter=reporter or QuietReporter(),
                cancellation=Cancellation(self.target),
                connections=SourceConnections(),
                spool_folder=spool_folder,
                batch=batch,
            )
            around(run)
            results = run_all(run, [self.config(table) for table in tables])
            tracker.flush()
        return results

    def run_table(self, table: str, **options: Any) -> TableResult:
        """One run of one table, whatever comes of it."""
        [result] = self.run_tables(table, **options)
        return result

    def load(self, table: str, **options: Any) -> TableResult:
        """One run of one table that has to succeed."""
        result = self.run_table(table, **options)
        assert result.status == "SUCCESS", result.message
        return result

    def fail(self, table: str, **options: Any) -> str:
        """One run of one table that has to fail; its message."""
        result = self.run_table(table, **options)
        assert result.status == "FAILED"
        return result.message

    def name(self, layer: str, table: str) -> TableName:
        names = self.config(table).warehouse_table(self.target, self.batch)
        return {"stage": names.stage, "bronze": names.bronze, "staging": names.staging}[layer]

    def query(self, sql: str, table: str = "", **parameters: Any) -> list[Row]:
        """Plain SQL that every target takes, with names in double quotes.

        {stage} and {bronze} stand for the table's own two, {ops} and {dbo} for General's schemas, {true} and {false} for flags.
        """
        general, stage, bronze = (getattr(self.target.databases, name) for name in ("general", "stage", "bronze"))
        names = {layer: self.target.quoted(self.name(layer, table)) for layer in ("stage", "bronze")} if table else {}
        names |= {name: schema_of(self.target, general, name) for name in ("ops", "dbo")}
        names |= {"stage_ops": schema_of(self.target, stage, "ops"), "bronze_ops": schema_of(self.target, bronze, "ops")}
        names |= self.backend.flags
        with self.target.engine.begin() as connection:
            ours = sql.startswith(("ALTER", "CREATE", "DROP"))
            text = sql.format(**names)
            layer = next((database for database in (stage, bronze) if database in text), general)
            result = connection.execute(self.target.ddl(layer, text) if ours else sa.text(text), parameters or None)
            return [tuple(row) for row in result] if result.returns_rows else []

    def columns(self, layer: str, table: str) -> dict[str, str]:
        """A stored table's columns and their types, as the catalogue spells them; empty where there is no such table."""
        with self.target.engine.connect() as connection:
            held = self.target.columns_of(connection, self.name(layer, table))
        return {column.name: column.source_type for column in held}

    def dump(self, layer: str, table: str, without: Sequence[str] = ()) -> list[dict[str, Any]]:
        """A layer's whole table as dictionaries, in an order that depends on its values alone; empty where there is none."""
        kept = [name for name in self.columns(layer, table) if name not in without]
        if not kept:
            return []
        stored = self.target.table(self.name(layer, table), kept)
        with self.target.engine.connect() as connection:
            rows = connection.execute(sa.select(*(stored.c[name] for name in kept))).all()
        return sorted((dict(zip(kept, row, strict=True)) for row in rows), key=repr)

    def dumps(self, table: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """All of Stage and all of Bronze."""
        return self.dump("stage", table), self.dump("bronze", table)

    def type_text(self, kind: ColumnType) -> str:
        """The target's type for a canonical one, as its catalogue spells it."""
        return self.target.type_text(kind)

    def drop_indexes(self, layer: str, table: str) -> None:
        """Drop the unique indexes of a stored table."""
        name = self.name(layer, table)
        for index in self.backend.indexes(self.target, name):
            statement = self.backend.drop_index(schema_of(self.target, name.database, name.schema), index, name.table)
            with self.target.engine.begin() as connection:
                connection.execute(self.target.ddl(name.database, statement))

    def refuse_rows(self, table: str) -> None:
        """A table of ops takes no row any more, as where its disk is full or its permission is gone."""
        for statement in self.backend.refusing:
            self.query(statement.format(table=f'{{ops}}."{table}"'))

    def set_key(self, table: str, *columns: str) -> None:
        """Name a table's key in UdmTablesColumnsList, as users do where the source has none."""
        about = {"SourceName": self.source.name, "TableName": table, "IsPrimaryKey": True}
        with self.target.engine.begin() as connection:
            connection.execute(sa.insert(self.target.own(COLUMNS_LIST)), [{**about, "ColumnName": name} for name in columns])

    def staging_tables(self) -> list[str]:
        with self.target.engine.connect() as connection:
            tables = self.target.tables_in(connection, self.target.databases.stage, self.source.name)
        return sorted(name for name in tables if name.startswith("_staging_"))


def schema_of(target: Target, database: str, schema: str) -> str:
    """A schema's name as it stands in SQL text."""
    return target.quoted(TableName(database=database, schema=schema, table="x")).rpartition(".")[0]


@contextmanager
def opened_pipeline(backend: Backend, folder: Path) -> Iterator[Pipeline]:
    """A pipeline on an empty warehouse, with an empty source file called DNA."""
    url = backend.fresh(folder)
    try:
        source = SourceFile(name="DNA", path=folder / "dna.duckdb")
        source.execute()
        settings = replace(backend.settings(url, folder), batch_rows=1_000)
        pipeline = Pipeline(backend=backend, target=open_target(settings), source=source, settings=settings)
        try:
            yield pipeline
        finally:
            pipeline.target.close()  # another one than at first, where a test let go of it
    finally:
        backend.dispose(url)
