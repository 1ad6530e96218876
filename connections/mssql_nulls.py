"""NULL goes to SQL Server as a literal, never as a parameter, for pyodbc asks the server for the type of each that is.

The question (SQLDescribeParam, a call apart) may fail where the statement would not, and the error ends an open transaction under
XACT_ABORT. pyodbc passes over it: what came before in the transaction would be lost, the rest committed.
"""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

# Markers, and what may hold a question mark that is none: text, names in brackets or quotes.
_MARKER = re.compile(r"'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|\"(?:[^\"]|\"\")*\"|(\?)")


def send_nulls_as_literals(engine: sa.Engine) -> None:
    """In all that the engine executes, but where a statement is executed once for each of several rows (a list of them).

    The engine sets no input sizes: those would have been set, by position, when the NULLs are taken out.
    """
    sa.event.listen(engine, "before_cursor_execute", _before_statement, retval=True)


def with_literal_nulls(statement: str, parameters: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The statement with NULL in the place of each marker whose parameter is None, and the other parameters."""
    if all(value is not None for value in parameters):
        return statement, parameters
    values = iter(parameters)

    def replaced(found: re.Match[str]) -> str:
        return "NULL" if found[1] and next(values) is None else found[0]

    return _MARKER.sub(replaced, statement), tuple(value for value in parameters if value is not None)


def _before_statement(_: object, __: object, statement: str, parameters: Any, *___: object) -> tuple[str, Any]:
    return with_literal_nulls(statement, parameters) if isinstance(parameters, tuple) else (statement, parameters)
