"""What the drivers of PostgreSQL, MySQL and SQLite sources report: whether it may pass, and which setting to look at."""

from __future__ import annotations

import pytest

from extract.connectorx_extractor.failures import broken_off, refusal
from model.errors import PipelineError, SourceRefused, SourceTableMissing, SourceUnavailable


@pytest.mark.parametrize(
    ("code", "message", "raised", "remedy"),
    [
        ("1045", "Access denied for user (using password: YES)", SourceRefused, "UDM_SOURCE_CRM_PASSWORD_FILE"),
        ("None", 'FATAL: password authentication failed for user "reader"', SourceRefused, "Check the user in UDM_SOURCE_CRM"),
        ("1044", "Access denied for user 'reader'@'%' to database 'x'", SourceRefused, "Correct the database in UDM_SOURCE_CRM"),
        ("None", 'FATAL: database "x" does not exist', SourceRefused, "Correct the database in UDM_SOURCE_CRM"),
        ("2003", "Can't connect ([Errno -2] Name or service not known)", SourceRefused, "Correct the host in UDM_SOURCE_CRM"),
        ("2003", "Can't connect ([Errno 111] Connection refused)", SourceUnavailable, "Check host and port in UDM_SOURCE_CRM"),
        ("None", "file is not a database", SourceRefused, "Check the file of UDM_SOURCE_CRM"),
        ("1142", "SELECT command denied to user", SourceTableMissing, "grant SELECT on it to the login of UDM_SOURCE_CRM"),
        ("None", "something else", SourceRefused, "Check UDM_SOURCE_CRM and the options"),
    ],
)
def test_a_refusal_names_what_to_correct(code: str, message: str, raised: type[PipelineError], remedy: str) -> None:
    error = refusal("Source CRM", "CRM", code, message)
    assert type(error) is raised
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('PanicException: SqliteFailure(Error { code: DatabaseCorrupt, extended_code: 11 }, Some("geheim"))', "file is damaged"),
        ("RuntimeError: database is locked", "another process holds its file"),
    ],
)
def test_what_happened_to_a_file_may_pass_and_quotes_nothing(words: str, told: str) -> None:
    error = broken_off("CRM.t", "CRM", 7, words)
    assert isinstance(error, SourceUnavailable)
    assert told in error.message
    assert "geheim" not in str(error)
