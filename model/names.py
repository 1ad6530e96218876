"""Names of tables and of what belongs to them. Pure: quoting is the target's."""

from __future__ import annotations

import re
from dataclasses import dataclass

STAGING_PREFIX = "_staging_"
_STAGING = re.compile(rf"{STAGING_PREFIX}(?P<table>.+)_(?P<batch>\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableName:
    """A table in one of the target's databases: `UDM_Bronze.DNA.ACCT_scd2_python`."""

    database: str
    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.table}"


def stage_name(database: str, source: str, table: str) -> TableName:
    """The change table of a source table; `table` is StageTableName or else SourceObjectName."""
    return TableName(database=database, schema=source, table=f"{table}_cdc")


def bronze_name(database: str, source: str, table: str) -> TableName:
    """The history table of a source table; `table` is BronzeTableName or else SourceObjectName."""
    return TableName(database=database, schema=source, table=f"{table}_scd2_python")


def staging_name(database: str, source: str, table: str, batch: int) -> TableName:
    """The table that one batch loads its changes into; it belongs to that batch alone."""
    return TableName(database=database, schema=source, table=f"{STAGING_PREFIX}{table}_{batch}")


def staging_owner(name: str) -> tuple[str, int] | None:
    """Which (table, batch) a staging table belongs to, or None where the name is not one of ours.

    The batch is the last run of digits, so `_staging_ACCT_7_12` is ACCT_7's and never ACCT's.
    """
    found = _STAGING.fullmatch(name)
    return (found["table"], int(found["batch"])) if found else None
