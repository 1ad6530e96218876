"""`--onboard`: control rows proposed from the source's catalogue, written with `--yes`, never in the place of others."""

from __future__ import annotations

from pathlib import Path

import pytest

import orchestration.onboarding
from tests.contract.command import command_of
from tests.contract.pipeline import Pipeline

COLUMNS = "ID INTEGER PRIMARY KEY, CHANGED TIMESTAMP, POSTED DATE NOT NULL, V VARCHAR"
LISTED = '"SourceObjectName", "SourceAggregateColumnName", "StageLoadTool"'


def listed(pipeline: Pipeline) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    tables = pipeline.query(f'SELECT {LISTED} FROM {{dbo}}."UdmTablesList" ORDER BY 1')
    columns = 'SELECT "TableName", "ColumnName", "IsPrimaryKey" FROM {dbo}."UdmTablesColumnsList" ORDER BY "OrdinalPosition"'
    return tables, pipeline.query(columns)


def test_a_table_is_shown_then_listed_then_loaded(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.source.table("ACCT", COLUMNS, [(1, None, "2026-01-01", "x"), (2, None, "2026-01-02", "y")])
    command = command_of(pipeline, monkeypatch, tmp_path)
    assert command("--onboard", "dna.main.ACCT") == 0
    said = capsys.readouterr().out
    assert "DNA.ACCT: 2 rows; small: loaded whole." in said
    assert "day by day (SourceAggregateColumnName): POSTED, CHANGED" in said
    assert listed(pipeline) == ([], [])
    assert command("--onboard", "DNA.ACCT", "--yes") == 0
    rows = [("ACCT", name, name == "ID") for name in ("ID", "CHANGED", "POSTED", "V")]
    assert listed(pipeline) == ([("ACCT", None, "Python")], rows)
    assert command() == 0
    assert len(pipeline.dump("bronze", "ACCT")) == 2


def test_rows_that_are_there_stay_and_a_large_table_gets_its_date_column(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(orchestration.onboarding, "LARGE_ROWS", 2)
    pipeline.source.table("RTXN", COLUMNS, [(1, None, "2026-01-01", "x"), (2, None, "2026-01-02", "y")])
    pipeline.source.table("NOKEY", "V VARCHAR", [("x",)])
    pipeline.set_key("RTXN", "V")
    command = command_of(pipeline, monkeypatch, tmp_path)
    for _ in range(2):
        assert command("--onboard", "DNA.RTXN", "--yes") == 0
    tables, columns = listed(pipeline)
    assert tables == [("RTXN", "POSTED", "Python")]
    assert {(column, key) for _, column, key in columns} == {("V", True), ("ID", True), ("CHANGED", False), ("POSTED", False)}
    assert "is in UdmTablesList already" in capsys.readouterr().out
    assert command("--onboard", "DNA.NOKEY") == 0
    assert "has no key for it" in capsys.readouterr().out
    assert command("--onboard", "DNA") == 2
    assert command("--onboard", "DNA.NOWHERE") == 2
