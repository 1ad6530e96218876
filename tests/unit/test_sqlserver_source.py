"""SQL Server as a source, without a server: types, routes, statements and what its URL says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import polars as pl
import pytest
from sqlalchemy.engine import make_url

from connections.mssql_login import SourceLogin, mssql_python_string, odbc_string, source_login_of
from extract.connectorx_sqlserver_extractor.catalogue import READ_COMMITTED, SNAPSHOT, isolation_of
from extract.connectorx_sqlserver_extractor.routes import ArrowRoute, ConnectorXRoute, connectorx_url
from extract.connectorx_sqlserver_extractor.rules import CONNECTORX, carried_by_connectorx, rule_of, spelled
from extract.connectorx_sqlserver_extractor.stops import Stops, timed
from extract.connectorx_sqlserver_extractor.values import as_canonical
from model.errors import ConfigurationError, SourceUnavailable
from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIMESTAMP,
    UUID,
    Column,
    ColumnType,
    Kind,
    decimal,
    integer,
)


def text(length: int) -> ColumnType:
    return ColumnType(kind=Kind.TEXT, length=length)


def binary(length: int) -> ColumnType:
    return ColumnType(kind=Kind.BINARY, length=length)


MAX = -1
# As INFORMATION_SCHEMA.COLUMNS describes a type (name, length, precision, scale, fraction): the canonical type, what stands in
# the query for a column [c], and whether ConnectorX may carry it.
TYPES = [
    (("bit", None, None, None, None), BOOLEAN, "[c]", True),
    (("tinyint", None, 3, 0, None), integer(8, unsigned=True), "[c]", True),
    (("smallint", None, 5, 0, None), integer(16), "[c]", True),
    (("int", None, 10, 0, None), integer(32), "[c]", True),
    (("bigint", None, 19, 0, None), integer(64), "[c]", True),
    (("real", None, 24, None, None), FLOAT32, "[c]", True),
    (("float", None, 53, None, None), FLOAT64, "[c]", True),
    (("decimal", None, 28, 10, None), decimal(28, 10), "[c]", True),
    (("numeric", None, 9, 0, None), decimal(9, 0), "[c]", True),
    (("decimal", None, 18, 0, None), decimal(18, 0), "[c]", True),
    (("decimal", None, 19, 0, None), decimal(19, 0), "[c]", False),
    (("numeric", None, 20, 11, None), decimal(20, 11), "[c]", False),
    (("decimal", None, 38, 38, None), decimal(38, 38), "[c]", False),
    (("money", None, 19, 4, None), decimal(19, 4), "CAST([c] AS decimal(19,4))", True),
    (("smallmoney", None, 10, 4, None), decimal(10, 4), "CAST([c] AS decimal(10,4))", True),
    (("date", None, None, None, 0), DATE, "[c]", True),
    (("time", None, None, None, 0), TIME, "CAST([c] AS varchar(16))", True),
    (("time", None, None, None, 6), TIME, "CAST([c] AS varchar(16))", True),
    (("time", None, None, None, 7), text(16), "CAST([c] AS varchar(16))", True),
    (("datetime", None, None, None, 3), TIMESTAMP, "CAST([c] AS datetime2(3))", True),
    (("smalldatetime", None, None, None, 0), TIMESTAMP, "[c]", True),
    (("datetime2", None, None, None, 0), TIMESTAMP, "[c]", True),
    (("datetime2", None, None, None, 6), TIMESTAMP, "[c]", True),
    (("datetime2", None, None, None, 7), text(27), "CAST([c] AS varchar(27))", True),
    (("datetimeoffset", None, None, None, 0), text(34), "CAST([c] AS varchar(34))", True),
    (("datetimeoffset", None, None, None, 7), text(34), "CAST([c] AS varchar(34))", True),
    (("uniqueidentifier", None, None, None, None), UUID, "[c]", True),
    (("char", 5, None, None, None), text(5), "CAST([c] AS nvarchar(5))", True),
    (("varchar", 4000, None, None, None), text(4000), "CAST([c] AS nvarchar(4000))", True),
    (("varchar", 4001, None, None, None), text(4001), "CAST([c] AS nvarchar(max))", True),
    (("varchar", MAX, None, None, None), TEXT, "CAST([c] AS nvarchar(max))", True),
    (("text", 2**31 - 1, None, None, None), TEXT, "CAST([c] AS nvarchar(max))", True),
    (("nchar", 5, None, None, None), text(5), "[c]", True),
    (("nvarchar", 4000, None, None, None), text(4000), "[c]", True),
    (("nvarchar", MAX, None, None, None), TEXT, "[c]", True),
    (("ntext", 2**30 - 1, None, None, None), TEXT, "CAST([c] AS nvarchar(max))", True),
    (("xml", MAX, None, None, None), TEXT, "CAST([c] AS nvarchar(max))", True),
    (("json", MAX, None, None, None), TEXT, "CAST([c] AS nvarchar(max))", True),
    (("vector", 20, None, None, None), TEXT, "CAST([c] AS nvarchar(max))", True),
    (("binary", 4, None, None, None), binary(4), "[c]", True),
    (("varbinary", 8000, None, None, None), binary(8000), "[c]", True),
    (("varbinary", MAX, None, None, None), BINARY, "[c]", True),
    (("image", 2**31 - 1, None, None, None), BINARY, "CAST([c] AS varbinary(max))", True),
    (("timestamp", None, None, None, None), binary(8), "CAST([c] AS binary(8))", True),
]


@pytest.mark.parametrize(("catalogue", "canonical", "select", "connectorx"), TYPES, ids=str)
def test_every_type_of_the_catalogue_has_its_rule(
    catalogue: tuple[str, int, int, int, int], canonical: ColumnType, select: str, connectorx: bool
) -> None:
    rule = rule_of(spelled(*catalogue))
    assert rule is not None
    assert rule.type == canonical
    assert rule.select("[c]") == select
    assert carried_by_connectorx(rule) is connectorx
    assert rule.placeholder == f"CAST(NULL AS {rule.travels})"


@pytest.mark.parametrize("name", ["sql_variant", "hierarchyid", "geography", "geometry", "PhoneNumber", "cursor", "a(b)c"])
def test_a_type_without_an_exact_route_has_no_rule(name: str) -> None:
    assert rule_of(spelled(name, None, None, None, None)) is None


@pytest.mark.parametrize("name", ["money", "datetime", "datetimeoffset", "xml", "sql_variant", "time", "text", "image"])
def test_connectorx_is_trusted_with_no_type_that_is_not_listed(name: str) -> None:
    assert name not in CONNECTORX


def login(query: str = "", who: str = "udm:x@") -> SourceLogin:
    return source_login_of(make_url(f"mssql://{who}warehouse:1444/CCM?{query}"), "UDM_SOURCE_CCM")


@pytest.mark.parametrize(
    ("query", "who", "declared", "expected"),
    [
        ("", "udm:x@", "int", True),
        ("encrypt=no&trust_server_certificate=yes&login_timeout=5&query_timeout=5", "udm:x@", "int", True),
        ("", "udm:x@", "decimal(38,2)", False),
        ("", "", "int", False),
        ("encrypt=strict", "udm:x@", "int", False),
        ("application_intent=ReadOnly", "udm:x@", "int", False),
        ("multi_subnet_failover=yes", "udm:x@", "int", False),
        ("host_name_in_certificate=h", "udm:x@", "int", False),
    ],
)
def test_connectorx_reads_only_what_it_can_read_as_the_url_says(query: str, who: str, declared: str, expected: bool) -> None:
    rule = rule_of(declared)
    assert rule is not None
    assert ConnectorXRoute.can(login(query, who).login, [rule]) is expected
    assert ArrowRoute.can(login(query, who).login, [rule])


def test_a_sources_url_says_where_what_how_and_how_long() -> None:
    source = login("application_intent=readonly&query_timeout=20")
    assert (source.database, source.query_timeout, source.login.variable) == ("CCM", 20, "UDM_SOURCE_CCM")
    for string in (odbc_string(source.login, "CCM", "D"), mssql_python_string(source.login, "CCM")):
        assert "ApplicationIntent={ReadOnly}" in string.split(";")
        assert "Database={CCM}" in string.split(";")
    assert login().query_timeout == 3_600
    assert "Database" not in odbc_string(source.login, "", "D")


def test_connectorx_is_given_the_same_login() -> None:
    source = source_login_of(make_url("mssql://u%40:p%7D%2Fw@h:1/x?trust_server_certificate=yes"), "V")
    url = connectorx_url(source.login, "A b/c")
    assert url == "mssql://u%40:p%7D%2Fw@h:1/A%20b%2Fc?encrypt=true&trust_server_certificate=true&appname=udm-pipeline"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mssql://u:geheim@h/d?application_intent=geheim", "application_intent"),
        ("mssql://u:geheim@h/d?query_timeout=geheim", "query_timeout"),
        ("mssql://u:geheim@h/d?nonsense=geheim", "nonsense"),
        ("mssql://u@h/d", "UDM_SOURCE_CCM_PASSWORD_FILE"),
        ("mssql:///d", "no host"),
    ],
)
def test_a_wrong_url_is_told_by_what_is_wrong(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"UDM_SOURCE_CCM.*{says}") as caught:
        source_login_of(make_url(url), "UDM_SOURCE_CCM")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("state", "read_committed_snapshot", "updateability", "statement", "consistent"),
    [
        (1, False, "READ_WRITE", SNAPSHOT, True),
        (0, True, "READ_WRITE", READ_COMMITTED, True),
        (0, False, "READ_ONLY", READ_COMMITTED, True),
        (0, False, "READ_WRITE", READ_COMMITTED, False),
        (2, False, "READ_WRITE", READ_COMMITTED, False),  # on its way to OFF
        (3, False, None, READ_COMMITTED, False),  # on its way to ON
    ],
)
def test_a_snapshot_is_read_where_there_is_one(
    state: int, read_committed_snapshot: bool, updateability: str | None, statement: str, consistent: bool
) -> None:
    found = isolation_of(state, read_committed_snapshot, updateability)
    assert (found.statement, found.consistent) == (statement, consistent)


def test_times_and_uuids_come_to_their_canonical_text() -> None:
    arrived = pl.DataFrame(
        {
            "c0": ["10:00:00", "10:00:00.000000", "10:20:30.100", "00:00:00.000010", None],
            "c1": ["123E4567-E89B-12D3-A456-426614174000", None, None, None, None],
            "c2": ["10:00:00.0000000", None, None, None, None],
        }
    )
    columns = [Column(name="t", type=TIME), Column(name="u", type=UUID), Column(name="seven", type=text(16))]
    assert as_canonical("t", arrived, columns).to_dict(as_series=False) == {
        "t": ["10:00:00", "10:00:00", "10:20:30.1", "00:00:00.00001", None],
        "u": ["123e4567-e89b-12d3-a456-426614174000", None, None, None, None],
        "seven": ["10:00:00.0000000", None, None, None, None],
    }


def test_a_source_that_sends_nothing_is_given_up_and_stopped() -> None:
    stops, stopped = Stops(), threading.Event()

    def silent() -> Iterator[pl.DataFrame]:
        yield pl.DataFrame()
        with stops.watched(stopped.set):
            assert stopped.wait(10)
        raise OSError

    frames = timed("SRC.T", silent(), 1, stops, "Wait longer.")
    next(frames)
    time.sleep(1.2)  # the consumer's own time does not count
    assert not stopped.is_set()
    with pytest.raises(SourceUnavailable, match=r"SRC\.T: the source has sent nothing for 1 seconds"):
        next(frames)


def test_what_is_begun_after_an_interrupt_is_stopped_at_once() -> None:
    stops, stopped = Stops(), threading.Event()
    stops.interrupt()
    with stops.watched(stopped.set):
        assert stopped.wait(5)
