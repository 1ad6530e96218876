"""What a run should say of a SQL Server before it begins: how its readers see a promotion, and whether its log has room."""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa

from connections.mssql_catalogue import quoted
from connections.target import Databases

_NEARLY_FULL = 85.0  # per cent

RCSI = "SELECT name FROM sys.databases WHERE is_read_committed_snapshot_on = 0 AND name IN (:stage, :bronze) ORDER BY name"
# The view shows the current database's log only, and wants VIEW SERVER STATE (VIEW DATABASE STATE on a managed instance).
LOG_SPACE = "EXEC {database}.sys.sp_executesql N'SELECT used_log_space_in_percent FROM sys.dm_db_log_space_usage'"


def warnings_of(connection: sa.Connection, databases: Databases) -> list[str]:
    """The warnings, each with its reason; nothing of what the login may not see."""
    found = []
    with suppress(sa.exc.DBAPIError):
        names = connection.execute(sa.text(RCSI), {"stage": databases.stage, "bronze": databases.bronze}).scalars().all()
        found += [
            f"READ_COMMITTED_SNAPSHOT is off in {name}: a reader is blocked until a promotion commits, and a long query may see "
            "a key with no active version or with two. A DBA can turn it on with ALTER DATABASE "
            f"{quoted(name)} SET READ_COMMITTED_SNAPSHOT ON."
            for name in names
        ]
    connection.rollback()
    for name in (databases.stage, databases.bronze, databases.general):
        with suppress(sa.exc.DBAPIError):
            used = connection.execute(sa.text(LOG_SPACE.format(database=quoted(name)))).scalar()
            if used is not None and used > _NEARLY_FULL:
                found.append(
                    f"The transaction log of {name} is {used:.0f} % full: a promotion that does not fit into it fails and is "
                    "rolled back. Back the log up, or let it grow (sys.databases.log_reuse_wait_desc says what keeps it)."
                )
        connection.rollback()
    return found
