"""What goes on while Python still imports: the settings are read first, and where they name DuckDB it starts in a thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import sqlalchemy as sa

from config import Settings, load_settings

_KIND = "duckdb"


def read_ahead() -> Callable[[], Settings]:
    """Read the settings, and start what they will need. What is returned gives them, or raises what was wrong with them."""
    try:
        settings = load_settings(os.environ, Path.cwd())
    except Exception as error:  # noqa: BLE001 - for whoever can say it
        return partial(_raise, error)
    is_target = settings.target.get_backend_name() == _KIND
    is_source = settings.embedded or any(settings.sources.get(name).kind == _KIND for name in settings.sources)
    if is_target or is_source:
        from connections.duckdb_instances import make_ahead  # noqa: PLC0415 - servers do without

        # SQLAlchemy's dialect makes two instances of its own, when it is imported and when it is first used.
        make_ahead(is_target + is_source, partial(sa.create_engine, "duckdb://") if is_target else lambda: None)
    return lambda: settings


def _raise(error: Exception) -> NoReturn:
    raise error
