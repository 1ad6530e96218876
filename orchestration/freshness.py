"""How old a table is in the warehouse: as of which instant it was last published, and whether that is too long ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from connections.target import Target
from model.ops import TABLE_PUBLISHED
from orchestration.table_config import TableConfig

ALLOWED = timedelta(hours=26)
"""Where AllowedAgeMinutes of UdmTablesList does not say: a daily load, and two hours' delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The instant that a table was last published as of (naive UTC), None where it never was, and whether it is stale."""

    as_of: datetime | None
    stale: bool

    def __str__(self) -> str:
        if self.as_of is None:
            return "never loaded"
        return f"{self.as_of:%Y-%m-%d %H:%M}{', stale' if self.stale else ''}"


def read_freshness(target: Target, configs: Sequence[TableConfig]) -> dict[TableConfig, Freshness]:
    """Each table's freshness, by the target's own clock."""
    published = target.own(TABLE_PUBLISHED).c
    names = (published.SourceName, published.TableName)
    with target.engine.connect() as connection:
        now = target.now(connection)
        latest = {
            (source.casefold(), table.casefold()): instant
            for source, table, instant in connection.execute(sa.select(*names, sa.func.max(published.Instant)).group_by(*names))
        }
    names_of = {config: (config.source.casefold(), config.table.casefold()) for config in configs}
    return {config: _freshness(config, latest.get(name), now) for config, name in names_of.items()}


def _freshness(config: TableConfig, as_of: datetime | None, now: datetime) -> Freshness:
    allowed = ALLOWED if config.allowed_age_minutes is None else timedelta(minutes=config.allowed_age_minutes)
    return Freshness(as_of=as_of, stale=as_of is None or now - as_of > allowed)
