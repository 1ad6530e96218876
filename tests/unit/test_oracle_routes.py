"""Oracle's types: what each becomes, how it is read, and which of them ConnectorX may carry."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.engine import make_url

from extract.connectorx_oracle_extractor import suits
from extract.extractor import SourceTable
from extract.oracle_extractor.catalogue import declared_type
from extract.oracle_extractor.routes import ROUTES, oracle_route
from model.types import (
    BINARY,
    BOOLEAN,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Column,
    ColumnType,
    Kind,
    decimal,
)
from sources.registry import Source

NUMBER_TEXT = "TO_CHAR(c, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"
INSTANT = "SYYYY-MM-DD HH24:MI:SS.FF9"


def text(length: int | None = None) -> ColumnType:
    return ColumnType(kind=Kind.TEXT, length=length)


def binary(length: int) -> ColumnType:
    return ColumnType(kind=Kind.BINARY, length=length)


# The type as the catalogue declares it, the canonical type, the SQL that reads column c, and whether ConnectorX may.
EXACT = [
    ("NUMBER(1,0)", decimal(1, 0), "c", True),
    ("NUMBER(18,0)", decimal(18, 0), "c", True),
    ("NUMBER(19,0)", decimal(19, 0), "c", False),  # beyond ConnectorX's 64 bits
    ("NUMBER(38,0)", decimal(38, 0), "c", False),
    ("NUMBER(*,0)", decimal(38, 0), "c", False),  # INTEGER
    ("NUMBER(12,2)", decimal(12, 2), "c", True),
    ("NUMBER(28,10)", decimal(28, 10), "c", True),
    ("NUMBER(29,10)", decimal(29, 10), "c", False),  # beyond rust_decimal's digits
    ("NUMBER(20,11)", decimal(20, 11), "c", False),  # ConnectorX cuts to ten places
    ("NUMBER(38,38)", decimal(38, 38), "c", False),
    ("NUMBER(2,5)", decimal(5, 5), "c", False),
    ("NUMBER(5,-2)", decimal(7, 0), "c", False),
    ("NUMBER(38,-1)", text(65), NUMBER_TEXT, True),  # 39 digits
    ("NUMBER(1,39)", text(65), NUMBER_TEXT, True),
    ("NUMBER", text(65), NUMBER_TEXT, True),
    ("FLOAT(126)", text(65), NUMBER_TEXT, True),
    ("FLOAT(24)", text(65), NUMBER_TEXT, True),
    ("BINARY_FLOAT", FLOAT32, "c", True),
    ("BINARY_DOUBLE", FLOAT64, "c", True),
    ("CHAR(10)", text(10), "c", True),
    ("VARCHAR2(4000)", text(4000), "c", True),
    ("NCHAR(5)", text(5), "c", True),
    ("NVARCHAR2(7)", text(7), "c", True),
    ("CLOB", TEXT, "c", False),
    ("NCLOB", TEXT, "c", False),
    ("LONG", TEXT, "c", False),
    ("RAW(16)", binary(16), "c", False),
    ("BLOB", BINARY, "c", False),
    ("LONG RAW", BINARY, "c", False),
    ("DATE", TIMESTAMP, "c", True),
    ("TIMESTAMP(0)", TIMESTAMP, "c", True),
    ("TIMESTAMP(6)", TIMESTAMP, "c", True),
    ("TIMESTAMP(7)", text(30), f"LTRIM(TO_CHAR(c, '{INSTANT}'))", False),
    ("TIMESTAMP(9)", text(30), f"LTRIM(TO_CHAR(c, '{INSTANT}'))", False),
    (
        "TIMESTAMP(3) WITH TIME ZONE",
        text(101),
        f"RTRIM(LTRIM(TO_CHAR(c, '{INSTANT} TZH:TZM')) || ' ' || NULLIF(EXTRACT(TIMEZONE_REGION FROM c), 'UNKNOWN'))",
        False,
    ),
    ("TIMESTAMP(6) WITH LOCAL TIME ZONE", TIMESTAMPTZ, "CAST(SYS_EXTRACT_UTC(c) AS TIMESTAMP(6))", False),
    (
        "TIMESTAMP(9) WITH LOCAL TIME ZONE",
        text(37),
        f"LTRIM(TO_CHAR(SYS_EXTRACT_UTC(c), '{INSTANT}')) || NVL2(c, ' +00:00', NULL)",
        False,
    ),
    ("INTERVAL DAY(2) TO SECOND(6)", text(29), "TO_CHAR(CAST(c AS INTERVAL DAY(9) TO SECOND(9)))", False),
    ("INTERVAL YEAR(4) TO MONTH", text(13), "TO_CHAR(CAST(c AS INTERVAL YEAR(9) TO MONTH))", False),
    ("ROWID", text(18), "ROWIDTOCHAR(c)", False),
    ("UROWID(4000)", text(4000), "CAST(c AS VARCHAR2(4000))", False),
    ("BOOLEAN", BOOLEAN, "c", False),
    ("JSON", TEXT, "JSON_SERIALIZE(c RETURNING CLOB)", False),
    ("XMLTYPE", TEXT, "XMLSERIALIZE(CONTENT c AS CLOB)", False),
]
REFUSED = ["MDSYS.SDO_GEOMETRY", "HR.ADDRESS_T", "SYS.ANYDATA", "BFILE", "VECTOR", "VECTOR(3, FLOAT32)", "", "UNKNOWN"]


@pytest.mark.parametrize(("declared", "column_type", "select", "connectorx"), EXACT, ids=[row[0] for row in EXACT])
def test_every_type_has_one_exact_way(declared: str, column_type: ColumnType, select: str, connectorx: bool) -> None:
    route = oracle_route(declared)
    assert route is not None
    assert (route.type, route.expression("c"), route.connectorx) == (column_type, select, connectorx)


def test_no_type_of_the_table_is_left_out_of_these_tests() -> None:
    assert {declared.split("(")[0].split(" WITH")[0] for declared, *_ in EXACT} == {
        name.split(" WITH")[0]
        .replace("INTERVAL DAY TO SECOND", "INTERVAL DAY")
        .replace("INTERVAL YEAR TO MONTH", "INTERVAL YEAR")
        for name in ROUTES
    }


@pytest.mark.parametrize("declared", REFUSED)
def test_what_is_in_no_row_is_refused(declared: str) -> None:
    assert oracle_route(declared) is None


def test_widening_a_number_leaves_its_kind() -> None:
    kinds = {
        route.type.kind
        for declared in ("NUMBER(1,0)", "NUMBER(18,0)", "NUMBER(19,0)", "NUMBER(38,4)")
        if (route := oracle_route(declared))
    }
    assert kinds == {Kind.DECIMAL}


@pytest.mark.parametrize(
    "pair",
    [
        ("TIMESTAMP(7)", "TIMESTAMP(9)"),
        ("TIMESTAMP(0) WITH TIME ZONE", "TIMESTAMP(9) WITH TIME ZONE"),
        ("INTERVAL DAY(2) TO SECOND(6)", "INTERVAL DAY(9) TO SECOND(9)"),
        ("INTERVAL YEAR(2) TO MONTH", "INTERVAL YEAR(9) TO MONTH"),
        ("FLOAT(24)", "FLOAT(126)"),
    ],
)
def test_widening_what_travels_as_text_changes_no_text(pair: tuple[str, str]) -> None:
    narrow, wide = map(oracle_route, pair)
    assert narrow == wide


@pytest.mark.parametrize(
    ("row", "declared"),
    [
        (("NUMBER", None, 22, None, None, 0), "NUMBER"),
        (("NUMBER", None, 22, None, 0, 0), "NUMBER(*,0)"),
        (("NUMBER", None, 22, 10, None, 0), "NUMBER(10,0)"),
        (("NUMBER", None, 22, 10, -2, 0), "NUMBER(10,-2)"),
        (("FLOAT", None, 22, 126, None, 0), "FLOAT(126)"),
        (("VARCHAR2", None, 40, None, None, 10), "VARCHAR2(10)"),
        (("NCHAR", None, 10, None, None, 5), "NCHAR(5)"),
        (("RAW", None, 16, None, None, 0), "RAW(16)"),
        (("CLOB", None, 4000, None, None, 0), "CLOB"),
        (("DATE", None, 7, None, None, 0), "DATE"),
        (("TIMESTAMP(6) WITH TIME ZONE", None, 13, None, 6, 0), "TIMESTAMP(6) WITH TIME ZONE"),
        (("XMLTYPE", "SYS", 2000, None, None, 0), "XMLTYPE"),
        (("SDO_GEOMETRY", "MDSYS", 1, None, None, 0), "MDSYS.SDO_GEOMETRY"),
        (("DATE", "HR", 1, None, None, 0), "HR.DATE"),  # a type of the users' own is not ours, whatever its name
    ],
)
def test_the_catalogues_rows_are_declared_types(row: tuple[str, object, object, object, object, object], declared: str) -> None:
    assert declared_type(*row) == declared


def columns(*declared: str) -> list[Column]:
    return [Column(name=f"C{place}", type=TEXT, source_type=name) for place, name in enumerate(declared)]


def test_connectorx_reads_a_table_only_where_a_client_is_and_every_column_is_exact() -> None:
    url = make_url("oracle://u:p@h/?service_name=s")
    thin, thick = Source(name="DNA", url=url), Source(name="DNA", url=url, client_folder=Path("/client"))
    table = SourceTable(source="DNA", table="ACCT")
    exact = [declared for declared, *_, connectorx in EXACT if connectorx]
    assert suits(thick, table, columns(*exact))
    assert not suits(thin, table, columns(*exact))
    assert not suits(thick, SourceTable(source="DNA", table="ACCT", index_hint="IX"), columns(*exact))
    for declared, *_, connectorx in EXACT:
        assert suits(thick, table, columns("DATE", declared)) == connectorx, declared


def test_text_of_numbers_reads_the_same_by_both_routes_and_has_a_zero_before_its_point() -> None:
    from extract.oracle_extractor.values import finished  # noqa: PLC0415

    arrived = pl.Series(["0", ".5", "-.5", "10", "1E+100", "-1.5E-70", None])
    [column] = columns("NUMBER")
    assert finished(arrived, column, number=True).to_list() == ["0", "0.5", "-0.5", "10", "1E+100", "-1.5E-70", None]
