"""What Oracle's errors mean: of the driver's own error values, as it makes them of a server's answer."""

from __future__ import annotations

import oracledb
import pytest
from oracledb.errors import _Error

from extract.oracle_extractor.errors import MEANINGS, told
from model.errors import PipelineError, SourceRefused, SourceTableMissing, SourceUnavailable, TerminalError

PASSING = [
    54,
    60,
    600,
    1013,
    1033,
    1034,
    1089,
    1466,
    1555,
    2391,
    2396,
    3113,
    3114,
    3135,
    4031,
    8103,
    12170,
    12516,
    12541,
    12571,
    28,
]
REFUSED = [1017, 1045, 28000, 28001, 28003, 28040]
MISSING = [904, 942, 980, 1031, 1775, 4063]
OTHER = [1722, 932, 6550, 20001]


def an_error(code: int) -> oracledb.Error:
    detail = _Error(f"ORA-{code:05}: secret words", code=code)
    return detail.exc_type(detail)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        *((code, SourceUnavailable) for code in PASSING),
        *((code, SourceRefused) for code in REFUSED),
        *((code, SourceTableMissing) for code in MISSING),
        *((code, TerminalError) for code in OTHER),
    ],
)
def test_an_error_is_of_the_kind_that_decides_whether_it_is_tried_again(code: int, raised: type[PipelineError]) -> None:
    error = told("DNA.ACCT", "DNA", an_error(code))
    assert type(error) is raised
    assert f"(ORA-{code:05})" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("code", [code for code in MEANINGS if isinstance(code, int)])
def test_every_remedy_is_one_and_names_no_placeholder(code: int) -> None:
    error = told("Source DNA", "DNA", an_error(code))
    assert error.remedy
    assert "{" not in str(error)
    if isinstance(error, SourceTableMissing):
        assert "UDM_SOURCE_DNA" in error.remedy
