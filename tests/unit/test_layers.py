"""Imports point one way (DESIGN.md section 1), also of the root files, which import-linter does not see."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The lowest first. A module may import what stands below its own line; those of one line know nothing of one another.
LAYERS = (
    {"model"},
    {"sources"},
    {"config"},
    {"connections"},
    {"observability"},
    {"extract", "data_load"},
    {"cdc", "scd2", "schema"},
    {"orchestration"},
    {"main_small_tables", "main_large_tables"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
BESIDE = {"tests", "benchmarks"}
DRIVERS = {"duckdb", "duckdb_engine", "connectorx", "psycopg", "pyodbc", "oracledb", "mssql_python", "pyarrow", "rich"}


def modules() -> list[Path]:
    """Every module of the product."""
    found = [*ROOT.glob("*.py"), *(path for name in RANK for path in (ROOT / name).rglob("*.py"))]
    return sorted(path.relative_to(ROOT) for path in found)


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, so its layer cannot be seen"
            yield node.module or ""


def top(name: str) -> str:
    return name.partition(".")[0]


def owner(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_imports_only_what_is_below_it(path: Path) -> None:
    ours = owner(path)
    wrong = [
        name for name in imports(path) if top(name) in BESIDE or (top(name) != ours and RANK.get(top(name), -1) >= RANK[ours])
    ]
    assert wrong == [], f"{path} imports {', '.join(wrong)}"


def test_every_root_file_and_every_package_has_its_layer() -> None:
    files = {path.stem for path in ROOT.glob("*.py")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert (files | packages) - BESIDE == RANK.keys()


@pytest.mark.parametrize("main", ["main_small_tables", "main_large_tables"])
def test_an_entry_point_knows_orchestration_alone(main: str) -> None:
    known = {top(name) for name in imports(Path(f"{main}.py"))}
    assert known - {"orchestration"} <= {"__future__", "sys"}


PURE = ["cdc/current.py", "cdc/diff.py", "cdc/duplicates.py", "cdc/hashing.py"]
PURE += [f"cdc/reconciliation/{name}.py" for name in ("segments", "rows", "repair", "seals")]
PURE += ["model/row_hash.py", "model/conform.py", "model/masking.py"]


@pytest.mark.parametrize("path", PURE)
def test_the_comparison_is_pure(path: str) -> None:
    known = {top(name) for name in imports(Path(path))}
    allowed = {"__future__", "collections", "dataclasses", "enum", "functools", "hmac", "itertools", "json", "polars"}
    allowed |= {"polars_hash", "model", "cdc", "datetime"}
    assert known <= allowed


def test_model_imports_nothing_of_ours() -> None:
    names = {top(name) for path in modules() if owner(path) == "model" for name in imports(path)}
    assert names & RANK.keys() == {"model"}


def test_no_engine_asks_which_dialect_it_runs_on() -> None:
    # What differs between targets is the target's to answer.
    engines = [path for path in modules() if owner(path) in {"cdc", "scd2", "schema", "data_load"}]
    asking = [
        f"{path}:{node.lineno}"
        for path in engines
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "dialect"
    ]
    assert asking == []


def loaded_by(modules: str, of: set[str] = DRIVERS) -> set[str]:
    code = f"import sys, {modules}; print(*{of!r} & sys.modules.keys())"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.split())


def test_starting_a_command_loads_no_driver() -> None:
    assert loaded_by("orchestration.command") == set()


def test_help_waits_for_nothing_and_duckdb_starts_before_all_that_is_slow_to_import() -> None:
    slow = {"sqlalchemy", "polars", *DRIVERS}
    assert loaded_by("orchestration.process, orchestration.arguments, orchestration.ahead", slow) == set()
    assert loaded_by("connections.duckdb_instances", slow) == {"duckdb"}


def test_what_speaks_to_sql_server_can_be_imported_without_an_odbc_driver_manager() -> None:
    assert "pyodbc" not in loaded_by("connections.mssql_target, extract.connectorx_sqlserver_extractor")
