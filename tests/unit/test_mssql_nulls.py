"""NULL as a literal in what is sent to SQL Server; that no transaction loses a part, a T-SQL server shows (tests/contract)."""

from __future__ import annotations

import pytest

from connections.mssql_nulls import with_literal_nulls


@pytest.mark.parametrize(
    ("statement", "parameters", "sent", "left"),
    [
        ("UPDATE t SET a=?, b=? WHERE c = ?", (None, 2, None), "UPDATE t SET a=NULL, b=? WHERE c = NULL", (2,)),
        ("INSERT INTO t VALUES (?, ?), (?, ?)", (1, None, None, 4), "INSERT INTO t VALUES (?, NULL), (NULL, ?)", (1, 4)),
        ("SELECT [a?]]?], \"b?\"\"?\", 'it''s ?', ?", (None,), "SELECT [a?]]?], \"b?\"\"?\", 'it''s ?', NULL", ()),
        ("SELECT '[', ?, ']', ?", (None, 1), "SELECT '[', NULL, ']', ?", (1,)),
        ("SELECT ?, ?", (0, ""), "SELECT ?, ?", (0, "")),
        ("SELECT 1", (), "SELECT 1", ()),
    ],
)
def test_a_marker_without_a_value_becomes_null(
    statement: str, parameters: tuple[object, ...], sent: str, left: tuple[object, ...]
) -> None:
    assert with_literal_nulls(statement, parameters) == (sent, left)
