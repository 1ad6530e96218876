"""The promotion statements as text, for each dialect, without a driver or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import cast

import sqlalchemy as sa
from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.interfaces import Compiled, Dialect

from cdc.engine import cdc_statements
from connections.duckdb_target import DuckDBTarget
from connections.postgresql_hashes import by_block, by_key
from connections.postgresql_target import PostgreSQLTarget
from connections.target import Databases, Target
from data_load.bcp_loader import STAGING_COLUMNS
from data_load.index_management import create_current_index, create_one_active_index
from data_load.schema_utils import create_table, drop_table, typed
from extract.udm_connectorx_extractor import current_hashes
from model.chunks import Progress
from model.names import bronze_name, stage_name, staging_name
from model.system_columns import KEY_HASH, ROW_HASH
from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Column,
    decimal,
    integer,
)
from model.warehouse import Promotion, WarehouseTable
from scd2.engine import changes_of, scd2_statements
from scd2.history import agreement
from schema.table_creator import create_bronze, create_stage
from tests.golden import tsql

DATABASES = Databases(stage="UDM_Stage", bronze="UDM_Bronze", general="General")
DIALECTS: dict[str, Dialect] = {
    "duckdb": DuckDBDialect(paramstyle="named"),
    "postgresql": PGDialect_psycopg(paramstyle="named"),  # type: ignore[no-untyped-call]
    "mssql": MSDialect_pyodbc(paramstyle="named"),  # type: ignore[no-untyped-call]
}
TARGETS: dict[str, type[Target]] = {"duckdb": DuckDBTarget, "postgresql": PostgreSQLTarget}
# SQL Server's own target wants its driver: it reads the dotted schema as database and owner, and numbers Bronze rows itself.
SERVER = {
    "schema": lambda _, database, schema: f"{database}.{schema}",
    "row_number": lambda *_: None,
    "binary_literal": lambda _, value: sa.literal_column(f"0x{value.hex()}"),
}
TABLES = WarehouseTable(
    source="DNA",
    table="ACCT",
    stage=stage_name("UDM_Stage", "DNA", "ACCT"),
    bronze=bronze_name("UDM_Bronze", "DNA", "ACCT"),
    staging=staging_name("UDM_Stage", "DNA", "ACCT", 7),
    columns=(Column(name="ACCTNBR", type=integer(64)), Column(name="Order", type=TEXT)),
    keys=("ACCTNBR",),
    stored=("ACCTNBR", "Order", "VANISHED"),
)
KINDS = (
    *(integer(bits, unsigned=unsigned) for unsigned in (False, True) for bits in (8, 16, 32, 64)),
    *(BOOLEAN, FLOAT32, FLOAT64, decimal(38, 10), TEXT, BINARY, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, UUID),
)
EVERYTHING = Promotion(batch=7, instant=datetime(2026, 3, 29, 1, 30, 0, 123456), inserted=1, updated=1, deleted=1)  # noqa: DTZ001


def target_of(name: str) -> Target:
    """A target that can name tables and nothing else: no engine, no driver, no file."""
    base = TARGETS.get(name, Target)
    answers = {**dict.fromkeys(Target.__abstractmethods__), **SERVER} if base is Target else {}
    bare = cast("Target", object.__new__(type("BareTarget", (base,), answers)))
    bare.databases = DATABASES
    bare.engine = cast("sa.Engine", SimpleNamespace(dialect=DIALECTS[name]))
    return bare


def promotions(
    name: str, tables: WarehouseTable = TABLES, promotion: Promotion = EVERYTHING
) -> Iterator[tuple[str, list[Compiled]]]:
    """Each promotion's title and its statements, compiled."""
    target, inserts = target_of(name), replace(promotion, updated=0, deleted=0)
    staged = changes_of(target, tables, promotion, from_stage=False)
    healed = changes_of(target, tables, promotion, from_stage=True)
    _, second, _ = Progress(chunks=3).remaining()
    staged_second = changes_of(target, tables, promotion, second, from_stage=False)
    healed_second = changes_of(target, tables, promotion, second, from_stage=True)
    ways = {
        "CDC promotion: staging to Stage": cdc_statements(target, tables, promotion),
        "SCD2 promotion: staging to Bronze": scd2_statements(target, tables, promotion, staged, first=False),
        "SCD2 promotion of a first load": scd2_statements(target, tables, inserts, staged, first=True),
        "SCD2 promotion when healing: Stage to Bronze": scd2_statements(target, tables, promotion, healed, first=False),
        "Chunk 2 of 3, CDC promotion": cdc_statements(target, tables, promotion, second),
        "Chunk 2 of 3, SCD2 promotion": scd2_statements(target, tables, promotion, staged_second, first=False),
        "Chunk 2 of 3, SCD2 promotion when healing": scd2_statements(target, tables, promotion, healed_second, first=False),
    }
    for title, statements in ways.items():
        yield title, [compiled(statement, name) for statement in statements]


class _Recorded:
    """Stands for a connection: keeps what it is asked to execute."""

    def __init__(self) -> None:
        self.statements: list[sa.Executable] = []

    def execute(self, statement: sa.Executable) -> None:
        self.statements.append(statement)


def others(name: str, tables: WarehouseTable = TABLES) -> Iterator[tuple[str, list[Compiled]]]:
    """What is sent beside the promotions, where the dialect has its target: tables, indexes, what is read back."""
    if name not in TARGETS:
        return
    target = target_of(name)
    columns = tuple(Column(name=f"C {kind}", type=kind) for kind in KINDS)
    every_kind = replace(tables, columns=columns, stored=tuple(column.name for column in columns))

    def staging(to: sa.Connection) -> None:
        create_table(target, to, tables.staging, typed(target, (*tables.columns, *STAGING_COLUMNS)), target.staging_storage)
        target.analyze(to, tables.staging)
        drop_table(target, to, tables.staging)

    steps: dict[str, Callable[[sa.Connection], object]] = {
        "Stage, for a column of every type": lambda to: create_stage(target, to, every_kind),
        "Bronze, for a column of every type": lambda to: create_bronze(target, to, every_kind),
        "Staging, and its end": staging,
        "A new column": lambda to: to.execute(target.add_column(tables.bronze, *typed(target, columns[:1]))),
        "A wider column": lambda to: to.execute(target.ddl("", target.alter_type(tables.bronze, "ACCTNBR", integer(64)))),
        "Indexes of Stage": lambda to: create_current_index(target, to, tables.stage),
        "Indexes of Bronze": lambda to: create_one_active_index(target, to, tables.bronze),
        "Hashes read back": lambda to: to.execute(current_hashes(target, tables.stage)),
        "A reconciliation: do the layers agree": lambda to: [to.execute(query) for query in agreement(target, tables)],
    }
    if name == "postgresql":
        steps["A reconciliation: sums of a layer's values"] = lambda to: to.execute(_value_sums(target, tables))
        query = current_hashes(target, tables.stage)
        plain, placed = (str(read.compile(dialect=target.text_dialect)) for read in (query, query.add_columns(sa.column("ctid"))))
        for way, text in {"index": by_key(plain), "table": by_block(placed, target.quoted(tables.stage))}.items():
            steps[f"Hashes read back, from the {way}"] = partial(_send, target.ddl("", text))
    for title, step in steps.items():
        recorded = _Recorded()
        step(cast("sa.Connection", recorded))
        yield title, [compiled(statement, name) for statement in recorded.statements]


def _value_sums(target: Target, tables: WarehouseTable) -> sa.Executable:
    stage = target.table(tables.stage, (*tables.names, KEY_HASH, ROW_HASH))
    values = [(column, stage.c[column.name]) for column in tables.columns]
    query = target.value_sums(stage, (), stage.c[KEY_HASH], values, [stage.c[KEY_HASH], stage.c[ROW_HASH]])
    assert query is not None
    return query


def _send(statement: sa.Executable, to: sa.Connection) -> None:
    to.execute(statement)


def compiled(statement: sa.Executable, name: str) -> Compiled:
    return cast("sa.ClauseElement", statement).compile(dialect=DIALECTS[name])


def as_text(name: str) -> str:
    """The golden file's text: on SQL Server all that the pipeline sends, elsewhere the promotions."""
    parts = []
    if name == "mssql":
        for title, texts in tsql.sections():
            parts.append(f"-- {title}\n")
            parts.extend(_broken(text) + ";\n" for text in texts)
    for title, statements in (*promotions(name), *others(name)):
        parts.append(f"-- {title}\n")
        parts.extend(_broken(str(statement)) + ";\n" for statement in statements)
    return "\n".join(parts)


def _broken(sql: str) -> str:
    """One clause a line, so that a reviewer sees what changed."""
    lines = " ".join(line.strip() for line in sql.splitlines())
    for clause in (" SELECT ", " FROM ", " WHERE ", " SET ", " JOIN ", " ON ", " AND "):
        lines = lines.replace(clause, f"\n {clause.strip()} ")
    return lines
