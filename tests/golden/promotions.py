"""The promotion statements as text, for each dialect, without a driver or a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.interfaces import Compiled, Dialect

from cdc.engine import cdc_statements
from connections.duckdb_target import DuckDBTarget
from connections.target import Databases, Target
from model.chunks import Progress
from model.names import bronze_name, stage_name, staging_name
from model.types import TEXT, Column, integer
from model.warehouse import Promotion, WarehouseTable
from scd2.engine import changes_of, scd2_statements

DATABASES = Databases(stage="UDM_Stage", bronze="UDM_Bronze", general="General")
DIALECTS: dict[str, Dialect] = {
    "duckdb": DuckDBDialect(paramstyle="named"),
    "postgresql": PGDialect_psycopg(paramstyle="named"),  # type: ignore[no-untyped-call]
    "mssql": MSDialect_pyodbc(paramstyle="named"),  # type: ignore[no-untyped-call]
}
# SQL Server reads the dotted schema as database and owner, PostgreSQL as one name; both number Bronze rows themselves.
SERVER = {"schema": lambda _, database, schema: f"{database}.{schema}", "row_number": lambda *_: None}
_LITERALS: dict[str, dict[str, Any]] = {
    "postgresql": {"binary_literal": lambda _, value: sa.literal_column(f"'\\x{value.hex()}'::bytea")},
    "mssql": {"binary_literal": lambda _, value: sa.literal_column(f"0x{value.hex()}")},
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
EVERYTHING = Promotion(batch=7, instant=datetime(2026, 3, 29, 1, 30, 0, 123456), inserted=1, updated=1, deleted=1)  # noqa: DTZ001


def target_of(name: str) -> Target:
    """A target that can name tables and nothing else: no engine, no driver, no file."""
    base = DuckDBTarget if name == "duckdb" else Target
    answers = {**dict.fromkeys(Target.__abstractmethods__), **SERVER, **_LITERALS.get(name, {})} if base is Target else {}
    bare = cast("Target", object.__new__(type("BareTarget", (base,), answers)))
    bare.databases = DATABASES
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


def compiled(statement: sa.Executable, name: str) -> Compiled:
    return cast("sa.ClauseElement", statement).compile(dialect=DIALECTS[name])


def as_text(name: str) -> str:
    """The golden file's text."""
    parts = []
    for title, statements in promotions(name):
        parts.append(f"-- {title}\n")
        parts.extend(_broken(str(statement)) + ";\n" for statement in statements)
    return "\n".join(parts)


def _broken(sql: str) -> str:
    """One clause a line, so that a reviewer sees what changed."""
    lines = " ".join(line.strip() for line in sql.splitlines())
    for clause in (" SELECT ", " FROM ", " WHERE ", " SET ", " JOIN ", " ON ", " AND "):
        lines = lines.replace(clause, f"\n {clause.strip()} ")
    return lines
