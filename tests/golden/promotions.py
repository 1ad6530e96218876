"""The promotion statements as text, for each dialect, without a driver or a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.interfaces import Compiled, Dialect

from cdc.engine import cdc_statements
from connections.duckdb_target import DuckDBTarget
from connections.target import Databases, Target
from model.names import bronze_name, stage_name, staging_name
from model.types import TEXT, Column, integer
from model.warehouse import Promotion, WarehouseTable
from scd2.engine import scd2_statements
from tests.golden import tsql

DATABASES = Databases(stage="UDM_Stage", bronze="UDM_Bronze", general="General")
DIALECTS: dict[str, Dialect] = {
    "duckdb": DuckDBDialect(paramstyle="named"),
    "postgresql": PGDialect_psycopg(paramstyle="named"),  # type: ignore[no-untyped-call]
    "mssql": MSDialect_pyodbc(paramstyle="named"),  # type: ignore[no-untyped-call]
}
# SQL Server reads the dotted schema as database and owner, PostgreSQL as one name; both number Bronze rows themselves.
SERVER = {"schema": lambda _, database, schema: f"{database}.{schema}", "surrogate_key": lambda *_: None}
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
    answers = {**dict.fromkeys(Target.__abstractmethods__), **SERVER} if base is Target else {}
    bare = cast("Target", object.__new__(type("BareTarget", (base,), answers)))
    bare.databases = DATABASES
    return bare


def promotions(
    name: str, tables: WarehouseTable = TABLES, promotion: Promotion = EVERYTHING
) -> Iterator[tuple[str, list[Compiled]]]:
    """Each promotion's title and its statements, compiled."""
    target, inserts = target_of(name), replace(promotion, updated=0, deleted=0)
    ways = {
        "CDC promotion: staging to Stage": cdc_statements(target, tables, promotion),
        "SCD2 promotion: staging to Bronze": scd2_statements(target, tables, promotion, from_stage=False, first=False),
        "SCD2 promotion of a first load": scd2_statements(target, tables, inserts, from_stage=False, first=True),
        "SCD2 promotion when healing: Stage to Bronze": scd2_statements(target, tables, promotion, from_stage=True, first=False),
    }
    for title, statements in ways.items():
        yield title, [compiled(statement, name) for statement in statements]


def compiled(statement: sa.Executable, name: str) -> Compiled:
    return cast("sa.ClauseElement", statement).compile(dialect=DIALECTS[name])


def as_text(name: str) -> str:
    """The golden file's text: on SQL Server all that the pipeline sends, elsewhere the promotions."""
    parts = []
    if name == "mssql":
        for title, texts in tsql.sections():
            parts.append(f"-- {title}\n")
            parts.extend(_broken(text) + ";\n" for text in texts)
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
