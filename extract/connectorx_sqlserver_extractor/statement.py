"""The one statement that reads a table: its rows, and ahead of them how many there are.

`SELECT count, NULLs UNION ALL SELECT NULL, columns`: under SNAPSHOT, or READ COMMITTED with row versions, one statement sees one
state of the table, so the rows are compared with the count of their own snapshot. Both routes send the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from connections.mssql_catalogue import in_full, quoted
from connections.mssql_login import APPLICATION
from connections.mssql_session import SESSION_SETTINGS
from extract.connectorx_sqlserver_extractor.catalogue import Isolation
from extract.connectorx_sqlserver_extractor.literals import literal
from extract.connectorx_sqlserver_extractor.rules import Rule, rule_of
from extract.extractor import SourceTable
from extract.selection import Selection
from model.errors import UnsupportedType
from model.names import TableName
from model.types import Column

# Without it a driver that does not speak as ODBC is given the first 4,096 bytes of (max) types only.
# https://learn.microsoft.com/sql/t-sql/statements/set-textsize-transact-sql
_WHOLE_TEXT = "SET TEXTSIZE 2147483647"
_CONTEXT_BYTES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`rows` reads the table, in columns `control`, `c0`, `c1`, … under the session's `settings`; `empty` has its columns only.

    `context` names the program and the table in sys.dm_exec_sessions.context_info, as a literal.
    """

    settings: tuple[str, ...]
    context: str
    rows: str
    empty: str

    @property
    def session(self) -> tuple[str, ...]:
        """What is run before `rows`."""
        return (*self.settings, f"SET CONTEXT_INFO {self.context}")

    @property
    def batch(self) -> str:
        """All of it as the one batch that ConnectorX takes.

        ConnectorX runs a query twice on its session, first to ask for the columns, and reads both to the end. The context says
        which time it is, so that the table is not read twice.
        """
        mark = f"SUBSTRING(CONTEXT_INFO(), 1, {len(self.context) // 2 - 1}) = {self.context}"
        first = f"BEGIN SET CONTEXT_INFO {self.context}; {self.empty} END"
        return "; ".join([*self.settings, f"IF {mark} BEGIN {self.rows} END ELSE {first}"])


def read_statement(
    table: SourceTable,
    place: TableName,
    columns: Sequence[Column],
    isolation: Isolation,
    selection: Selection | None = None,
) -> Statement:
    """The statement for `columns`, in their order; of a `selection` it reads and counts those rows only."""
    rules = rules_of(table, columns)
    name = in_full(place)
    heads = "".join(f", {rule.placeholder} AS c{number}" for number, rule in enumerate(rules))
    values = [rule.select(quoted(column.name)) for rule, column in zip(rules, columns, strict=True)]
    named = "".join(f", {value} AS c{number}" for number, value in enumerate(values))
    source = name if selection is None else f"{name} WHERE {_condition(selection)}"
    count = f"SELECT CAST(COUNT_BIG(*) AS varchar(20)) AS control{heads} FROM {source}"  # noqa: S608 - quoted names, literals
    body = f"SELECT NULL, {', '.join(values)} FROM {source}"  # noqa: S608 - likewise
    context = f"{APPLICATION} {table.source}.{table.table}".encode()[:_CONTEXT_BYTES]
    return Statement(
        settings=(*SESSION_SETTINGS, _WHOLE_TEXT, isolation.statement),
        context=f"0x{context.hex()}",
        rows=f"{count} UNION ALL {body}",
        empty=f"SELECT TOP (0) CAST(NULL AS varchar(20)) AS control{named} FROM {name}",  # noqa: S608 - likewise
    )


def _condition(selection: Selection) -> str:
    condition = selection.condition(lambda name: sa.literal_column(quoted(name)), literal)
    return str(condition.compile(dialect=DefaultDialect(paramstyle="named")))  # any other would double the per cent signs


def rules_of(table: SourceTable, columns: Sequence[Column]) -> list[Rule]:
    """The rule of each column.

    Raises:
        UnsupportedType: one has none.
    """
    found = []
    for column in columns:
        rule = rule_of(column.source_type)
        if rule is None:
            raise UnsupportedType(f"{table}: no exact route carries column {column.name!r} as {column.source_type}.")
        found.append(rule)
    return found
