"""DESIGN.md section 11, the entries that no other file here covers.

Elsewhere: test_scd2 (expire statements), test_exactness (CSV, NUMBER through float64, NVARCHAR(MAX) keys), test_healing (a retry
that loads twice), test_bulk_load (tolerated bad rows), test_invariants (clean-up), test_guards_in_runs (learning guard),
test_schema_evolution (new and vanished columns), test_general (INT counters), test_logs (DEBUG, PK values).
"""

from __future__ import annotations

import ast
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from model.types import DATE, TEXT, TIMESTAMP, decimal
from tests.contract.days import COLUMNS, DAYS, TABLE, play
from tests.contract.pipeline import Pipeline

ROOT = Path(__file__).parents[2]


def test_versions_become_active_by_batch_and_not_by_comparing_instants(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Activation by timestamp equality (µs against ms) so new versions stayed inactive and were later deleted as orphans."""
    instant = datetime(2026, 1, 1, 0, 0, 0, 999_999)  # noqa: DTZ001 - instants are naive UTC
    ticks = iter(instant + timedelta(microseconds=n) for n in range(10_000))
    monkeypatch.setattr(pipeline.target, "now", lambda _connection: next(ticks))
    play(pipeline, days=DAYS[:2])
    rows = pipeline.query('SELECT "ID", count(*) FROM {bronze} WHERE "UdmActiveFlag" = {true} GROUP BY "ID" ORDER BY 1', TABLE)
    assert rows == [(row[0], 1) for row in DAYS[1]]
    waiting = 'SELECT count(*) FROM {bronze} WHERE "UdmActiveFlag" = {false} AND "UdmEndDateTime" IS NULL'
    assert pipeline.query(waiting, TABLE) == [(0,)]


def test_text_columns_whose_names_contain_date_are_text(pipeline: Pipeline) -> None:
    """String columns nulled because their name contains DATE."""
    columns = "ID INTEGER PRIMARY KEY, DATE_TEXT VARCHAR, UPDATED VARCHAR, MANDATE_DATE VARCHAR, TIMESTAMP_NOTE VARCHAR"
    row = (1, "not a date", "yesterday", "31.12.9999", "")
    pipeline.source.table("DATES", columns, [row])
    pipeline.load("DATES")
    query = 'SELECT "ID", "DATE_TEXT", "UPDATED", "MANDATE_DATE", "TIMESTAMP_NOTE" FROM {bronze}'
    assert pipeline.query(query, "DATES") == [row]


def test_types_come_from_the_catalogue_also_on_days_when_a_column_is_all_null(pipeline: Pipeline) -> None:
    """Type drift between all-NULL days."""
    columns = "ID INTEGER PRIMARY KEY, N DECIMAL(18,4), D DATE, T VARCHAR, S TIMESTAMP"
    nulls, values = (1, None, None, None, None), (1, "1.5", "2026-01-01", "x", "2026-01-01 00:00:00")
    types = []
    for rows in ([nulls], [values], [], [nulls]):
        pipeline.source.table("SPARSE", columns, rows)
        pipeline.load("SPARSE", force=True)
        types.append([pipeline.columns(layer, "SPARSE") for layer in ("stage", "bronze")])
    assert all(day == types[0] for day in types)
    wanted = {"N": decimal(18, 4), "D": DATE, "T": TEXT, "S": TIMESTAMP}
    assert {name: types[0][0][name] for name in wanted} == {name: pipeline.type_text(kind) for name, kind in wanted.items()}
    operations = [row["UdmScd2Operation"] for row in pipeline.dump("bronze", "SPARSE")]
    assert sorted(operations) == ["D", "I", "R"]


def test_an_empty_day_is_read_again_the_next_day(pipeline: Pipeline) -> None:
    """Empty days never retried (here of a small table: an empty extract is never remembered as done)."""
    pipeline.source.table(TABLE, COLUMNS)
    pipeline.load(TABLE)
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    assert pipeline.load(TABLE).inserted == len(DAYS[0])


def test_a_row_whose_date_is_null_is_loaded(pipeline: Pipeline) -> None:
    """Rows with a NULL date never loaded."""
    pipeline.source.table("DATED", "ID INTEGER PRIMARY KEY, CHANGED_DATE DATE", [(1, None), (2, "2026-01-01")])
    assert pipeline.load("DATED").inserted == 2


def product_files() -> list[Path]:
    aside = {"tests", "benchmarks", "build", "udm_data"}
    return [path for path in ROOT.rglob("*.py") if not aside & set(path.relative_to(ROOT).parts) and ".venv" not in path.parts]


def forking(tree: ast.AST) -> list[str]:
    """What a module uses that forks the process."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            names = [module, *(f"{module}.{alias.name}".strip(".") for alias in node.names)]
            found += [name for name in names if name.split(".")[0] == "multiprocessing" or "ProcessPool" in name]
        if isinstance(node, ast.Attribute) and node.attr in {"fork", "forkpty", "ProcessPoolExecutor"}:
            found.append(node.attr)
    return found


def test_no_module_forks() -> None:
    """Fork after polars."""
    files = product_files()
    assert len(files) > 40
    assert {path.name: found for path in files if (found := forking(ast.parse(path.read_text(encoding="utf-8"))))} == {}


def test_the_check_for_forks_sees_them() -> None:
    for text in ("import multiprocessing", "from concurrent.futures import ProcessPoolExecutor", "import os\nos.fork()"):
        assert forking(ast.parse(text))
