"""`--onboard SOURCE.TABLE`: the control rows that would load a table, proposed from the source's catalogue and its rows.

Shown, and written with `--yes`; rows that are there are never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from config import Settings
from connections.target import Target
from extract.extractor import Extractor, SourceDescription, SourceTable, open_extractor
from extract.source_connections import SourceConnections
from model.control import TABLES_LIST
from model.errors import ConfigurationError, SourceTableMissing
from model.system_columns import check_not_reserved
from model.types import Column, Kind
from orchestration.shown_first import GIVE_YES
from orchestration.table_config import LOAD_TOOL
from schema.column_sync import sync_columns

LARGE_ROWS = 5_000_000
"""Rows from which on a table with a date column is proposed as a large one; no more of them are counted."""
Say = Callable[[str], None]
_PARTS = (2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is proposed for a table: `rows` is counted up to `LARGE_ROWS`; `dates` are columns to load it by, best first."""

    table: SourceTable
    description: SourceDescription
    rows: int
    dates: tuple[Column, ...]

    @property
    def date(self) -> Column | None:
        """The column that the table is to be loaded by, where it is large."""
        return self.dates[0] if self.dates and self.rows >= LARGE_ROWS else None

    @property
    def listed(self) -> dict[str, str | None]:
        """The row of UdmTablesList."""
        date = {} if self.date is None else {
            "SourceAggregateColumnName": self.date.name,
            "SourceAggregateColumnType": self.date.source_type or str(self.date.type),
        }  # fmt: skip
        names = {"SourceName": self.table.source, "SourceSchemaName": self.table.schema, "SourceObjectName": self.table.table}
        return {**names, **date, "StageLoadTool": LOAD_TOOL}


def named_table(name: str) -> SourceTable:
    """The table that `SOURCE.TABLE` or `SOURCE.SCHEMA.TABLE` names.

    Raises:
        ConfigurationError: it is neither.
    """
    parts = name.split(".")
    if len(parts) not in _PARTS or not all(parts):
        raise ConfigurationError(f"--onboard {name!r} names no table.", remedy="Write SOURCE.TABLE or SOURCE.SCHEMA.TABLE.")
    return SourceTable(source=parts[0].upper(), schema=parts[1] if len(parts) > len(_PARTS) else None, table=parts[-1])


def date_candidates(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Dates and timestamps, days before instants; those that are never NULL first, for what has no date is read at each run."""
    dates = [column for column in columns if column.type.kind in {Kind.DATE, Kind.TIMESTAMP}]
    return tuple(sorted(dates, key=lambda column: (column.nullable, column.type.kind is not Kind.DATE)))


def propose(extractor: Extractor, table: SourceTable, batch_rows: int) -> Proposal:
    """Look the table up and count its rows, up to where it is large."""
    description = extractor.describe(table)
    check_not_reserved(str(table), [column.name for column in description.columns])
    counted = [column for column in description.columns if column.name in description.key] or description.columns
    rows = 0
    for frame in extractor.read(table, counted[:1], batch_rows):
        rows += frame.height
        if rows >= LARGE_ROWS:
            break
    return Proposal(table=table, description=description, rows=rows, dates=date_candidates(description.columns))


def lines_of(proposal: Proposal, general: str, *, is_oracle: bool) -> list[str]:
    """The proposal as it is shown."""
    table, key = proposal.table, proposal.description.key
    size = f"{proposal.rows:,} rows" if proposal.rows < LARGE_ROWS else f"at least {LARGE_ROWS:,} rows"
    kind = "small: loaded whole" if proposal.date is None else f"large: loaded day by day of {proposal.date.name}"
    others = ", ".join(column.name for column in proposal.dates if column is not proposal.date)
    listed = ", ".join(f"{name} = {value!r}" for name, value in proposal.listed.items() if value is not None)
    lines = [f"{table}: {size}; {kind}.", f"  {general}.dbo.UdmTablesList: {listed}"]
    for column in proposal.description.columns:
        told = f"{column.source_type or column.type}{', key' if column.name in key else ''}"
        lines.append(f"  {general}.dbo.UdmTablesColumnsList: {column.name} ({told})")
    if others:
        lines.append(f"  Other columns that it could be loaded by, day by day (SourceAggregateColumnName): {others}")
    if not key:
        lines.append("  The source's catalogue has no key for it: set IsPrimaryKey in the rows of its key, or no run loads it.")
    if is_oracle:
        by = proposal.date.name if proposal.date is not None else "the column that it is read by"
        lines.append(
            f"  SourceIndexHint may name an index on {by}: SELECT index_name, column_name FROM all_ind_columns "  # noqa: S608 - a hint
            f"WHERE table_name = '{table.table}' AND column_position = 1"
        )
    return lines


def onboard(target: Target, settings: Settings, name: str, say: Say, *, yes: bool) -> int:
    """Show a table's control rows, and write those that are missing with `yes`; the exit status."""
    table = named_table(name)
    source = settings.sources.get(table.source)
    listed = _listed(target, table)
    if listed is not None and table.schema is None:
        table = replace(table, schema=listed.SourceSchemaName, database=listed.SourceDatabase)
    with open_extractor(source, SourceConnections()) as extractor:
        try:
            proposal = propose(extractor, table, settings.batch_rows)
        except SourceTableMissing as error:
            raise ConfigurationError(error.message, remedy="Write SOURCE.SCHEMA.TABLE, as the source spells them.") from error
    for line in lines_of(proposal, target.databases.general, is_oracle=source.kind == "oracle"):
        say(line)
    if listed is not None:
        say(f"{table} is in UdmTablesList already; its row stays as it is.")
    if not yes:
        say(GIVE_YES)
        return 0
    if listed is None:
        with target.engine.begin() as connection:
            connection.execute(sa.insert(target.own(TABLES_LIST)).values(proposal.listed))
    description = proposal.description
    added = sync_columns(target, table.source, table.table, description.columns, description.key)
    say(f"{table}: {int(listed is None)} row of UdmTablesList and {added} of UdmTablesColumnsList were written.")
    return 0


def _listed(target: Target, table: SourceTable) -> Any:
    """The table's row of UdmTablesList, or None; names are compared without case, as they are when tables are loaded."""
    listed = target.own(TABLES_LIST).c
    wanted = ((listed.SourceName, table.source), (listed.SourceObjectName, table.table))
    same = [sa.func.lower(column) == sa.func.lower(sa.literal(name, sa.Unicode())) for column, name in wanted]
    with target.engine.connect() as connection:
        return connection.execute(sa.select(listed.SourceSchemaName, listed.SourceDatabase).where(*same)).first()
