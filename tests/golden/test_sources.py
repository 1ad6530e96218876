"""What is sent to a SQL Server source, for a DBA's review. After a change on purpose: UDM_UPDATE_GOLDEN=1, then read the diff."""

from __future__ import annotations

import os
from pathlib import Path

from connections.mssql_catalogue import COLUMNS
from extract.connectorx_sqlserver_extractor import catalogue
from extract.connectorx_sqlserver_extractor.replacements import statement as half_pairs
from extract.connectorx_sqlserver_extractor.statement import Statement, read_statement
from extract.extractor import SourceTable
from model.names import TableName
from model.types import TEXT, Column

GOLDEN = Path(__file__).parent / "mssql_source.sql"
TABLE = SourceTable(source="CCM", table="Contract", schema="dbo", database="CCM")
PLACE = TableName(database="CCM", schema="dbo", table="Contract]s")
DECLARED = {
    "ID": "int",
    "select": "nvarchar(40)",
    "a]b": "varchar(200)",
    "Notes": "varchar(max)",
    "Amount": "money",
    "Rate": "decimal(38,10)",
    "At": "datetime",
    "Exactly": "datetime2(7)",
    "Here": "datetimeoffset(7)",
    "From": "time(0)",
    "Row": "timestamp",
    "Doc": "xml",
    "Photo": "image",
    "Guid": "uniqueidentifier",
}


def statement(snapshot_state: int) -> Statement:
    columns = [Column(name=name, type=TEXT, source_type=declared) for name, declared in DECLARED.items()]
    return read_statement(TABLE, PLACE, columns, catalogue.isolation_of(snapshot_state, False, "READ_WRITE"))


def as_text() -> str:
    snapshot, committed = statement(1), statement(0)
    parts = {
        "Which database": [catalogue.DATABASE],
        "The table, or what a synonym stands for": [catalogue.FIND.format(database="[CCM]")],
        "Its columns": [COLUMNS.format(database="[CCM]")],
        "Its keys": [catalogue.KEYS.format(database="[CCM]")],
        "Of a large table: whether an index leads with its date column": [catalogue.LED_TO_BY.format(database="[CCM]")],
        "Whether the database keeps row versions": [catalogue.VERSIONS],
        "May it be read": [snapshot.empty],
        "The read, by mssql-python": [*snapshot.session, snapshot.rows],
        "The read, by ConnectorX": [snapshot.batch],
        "Whether a U+FFFD that arrived is the source's own": [half_pairs(PLACE, "select")],
        "Instead, where the database keeps no row versions": [committed.settings[-1]],
    }
    return "\n".join(f"-- {title}\n" + ";\n".join(found) + ";\n" for title, found in parts.items())


def test_the_statements_are_those_that_were_reviewed() -> None:
    text = as_text()
    if os.environ.get("UDM_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "If this is on purpose: UDM_UPDATE_GOLDEN=1, and review the diff."


def test_nothing_is_locked_and_nothing_is_read_dirty() -> None:
    for word in ("NOLOCK", "READ UNCOMMITTED", "HOLDLOCK", "TABLOCK", "SERIALIZABLE", "REPEATABLE", "SELECT *"):
        assert word not in as_text()
