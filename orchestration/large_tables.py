"""Large tables: loaded day by day. Not written yet: this version lists them only (see TODO.md)."""

from __future__ import annotations

from collections.abc import Sequence

from model.errors import ConfigurationError
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig


def run_large_tables(run: RunContext, configs: Sequence[TableConfig]) -> list[TableResult]:
    """Load the tables.

    Raises:
        ConfigurationError: always, for now.
    """
    del run
    raise ConfigurationError(
        f"This version cannot load large tables yet ({len(configs)} selected).",
        remedy="List them with --list-tables; small tables are loaded by main_small_tables.py.",
    )
