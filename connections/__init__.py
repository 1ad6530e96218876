"""Connections to the warehouse: `open_target` gives the one that the settings name. What it needs is imported only then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config import Settings
    from connections.target import Target


def open_target(settings: Settings, *, create_databases: bool = False) -> Target:
    """Open the target and create in General what is missing; databases only with `create_databases`.

    Raises:
        TargetUnavailable: it cannot be opened.
        TargetHeld: another process holds the embedded target.
    """
    from connections.general import create_missing  # noqa: PLC0415 - DuckDB starts before any of it is loaded

    target = _connect(settings, create_databases=create_databases)
    try:
        create_missing(target)
    except BaseException:
        target.close()
        raise
    return target


def _connect(settings: Settings, *, create_databases: bool) -> Target:
    """The target of the URL's kind. Drivers are imported only here."""
    from connections.target import Databases  # noqa: PLC0415 - see above

    databases = Databases(stage=settings.stage_db, bronze=settings.bronze_db, general=settings.general_db)
    match settings.target.get_backend_name():
        case "mssql":
            from connections.bulk_copy import BulkSettings  # noqa: PLC0415
            from connections.mssql_login import login_of  # noqa: PLC0415
            from connections.mssql_target import MSSQLTarget  # noqa: PLC0415

            bulk = BulkSettings(engine=settings.bcp_engine, path=settings.bcp_path, timeout=settings.bcp_timeout)
            return MSSQLTarget(login_of(settings.target), databases, bulk, create_databases=create_databases)
        case "postgresql":
            from connections.postgresql_target import PostgreSQLTarget  # noqa: PLC0415

            return PostgreSQLTarget(settings.target, databases)
        case _:
            from connections.duckdb_target import DuckDBTarget  # noqa: PLC0415

            return DuckDBTarget(Path(settings.target.database or ""), databases, memory_limit=settings.duckdb_memory)
