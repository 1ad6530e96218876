"""SQL Server as a source, on a server: what arrives equals what was stored, by either driver, or is refused."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from sqlalchemy.engine import URL

from extract.connectorx_sqlserver_extractor import SQLServerExtractor, rules
from extract.connectorx_sqlserver_extractor.routes import ROUTES, ArrowRoute, ConnectorXRoute, Route
from extract.connectorx_sqlserver_extractor.rules import carried_by_connectorx, rule_of
from extract.extractor import open_extractor
from extract.selection import WithKeys, with_keys
from model.errors import (
    IncompleteExtract,
    Interrupted,
    SourceRefused,
    SourceTableMissing,
    SourceUnavailable,
    UnsupportedType,
    ValueNotExact,
)
from model.row_hash import hash_expressions, layout_of
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
from tests.contract.conftest import Records
from tests.contract.sqlserver_source import Proxy, Server, describe, extract, named, opened, own_database
from tests.contract.windows import MOMENTS, windows
from tests.mssql_server import babelfish

pytestmark = pytest.mark.mssql
EITHER = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
at = datetime.fromisoformat


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_database(f"udm_src_{os.getpid()}") as opened_database:
        yield opened_database


def gap(reason: str) -> None:
    """The T-SQL server of the tests lacks what the test is about; a SQL Server has it."""
    if babelfish():
        pytest.skip(reason)


def text(length: int) -> ColumnType:
    return ColumnType(kind=Kind.TEXT, length=length)


def binary(length: int) -> ColumnType:
    return ColumnType(kind=Kind.BINARY, length=length)


@dataclass(frozen=True, slots=True)
class Case:
    """A column: its declaration, its canonical type, literals in T-SQL and the values they must arrive as."""

    declared: str
    type: ColumnType
    values: dict[str, Any]

# Types that no key can have.
WITHOUT_EQUALITY = {"text", "ntext", "image", "xml"}
CASES = [
    Case("bit", BOOLEAN, {"1": True, "0": False}),
    Case("tinyint", integer(8, unsigned=True), {"0": 0, "255": 255}),
    Case("smallint", integer(16), {"-32768": -32768, "32767": 32767}),
    Case("int", integer(32), {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    Case("bigint", integer(64), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    Case("real", FLOAT32, {"3.4028235E38": 3.4028234663852886e38, "1.17549435E-38": 1.1754943508222875e-38,
                           "0.1": 0.10000000149011612}),
    Case("float", FLOAT64, {"1.7976931348623157E308": 1.7976931348623157e308,
                            "-2.2250738585072014E-308": -2.2250738585072014e-308, "0.1E0": 0.1}),
    Case("decimal(9,2)", decimal(9, 2), {"-9999999.99": Decimal("-9999999.99"), "1.1": Decimal("1.10")}),
    Case("decimal(18,0)", decimal(18, 0), {"9" * 18: Decimal("9" * 18)}),
    Case("decimal(28,0)", decimal(28, 0), {"9" * 28: Decimal("9" * 28), "-" + "9" * 28: Decimal("-" + "9" * 28)}),
    Case("decimal(28,10)", decimal(28, 10), {"9" * 18 + "." + "9" * 10: Decimal("9" * 18 + "." + "9" * 10),
                                             "-0.0000000001": Decimal("-0.0000000001")}),
    Case("numeric(10,10)", decimal(10, 10), {"0.9999999999": Decimal("0.9999999999")}),
    Case("decimal(38,0)", decimal(38, 0), {"9" * 38: Decimal("9" * 38), "-" + "9" * 38: Decimal("-" + "9" * 38)}),
    Case("numeric(38,38)", decimal(38, 38), {"0." + "9" * 38: Decimal("0." + "9" * 38),
                                             "-0." + "0" * 37 + "1": Decimal("-1e-38")}),
    Case("decimal(38,10)", decimal(38, 10), {"1" * 28 + ".0123456789": Decimal("1" * 28 + ".0123456789")}),
    Case("money", decimal(19, 4), {"-922337203685477.5808": Decimal("-922337203685477.5808"),
                                   "922337203685477.5807": Decimal("922337203685477.5807"), "0.0001": Decimal("0.0001")}),
    Case("smallmoney", decimal(10, 4), {"-214748.3648": Decimal("-214748.3648"), "214748.3647": Decimal("214748.3647")}),
    Case("date", DATE, {"'0001-01-01'": date(1, 1, 1), "'9999-12-31'": date(9999, 12, 31), "'1969-12-31'": date(1969, 12, 31)}),
    Case("time(0)", TIME, {"'00:00:00'": "00:00:00", "'23:59:59'": "23:59:59", "'10:20:00'": "10:20:00"}),
    Case("time(3)", TIME, {"'10:00:00.100'": "10:00:00.1", "'10:00:00'": "10:00:00"}),
    Case("time(6)", TIME, {"'23:59:59.999999'": "23:59:59.999999", "'00:00:00.000010'": "00:00:00.00001"}),
    # As SQL Server shows them; its ticks are thirds of a centisecond.
    Case("datetime", TIMESTAMP, {"'17530101 00:00:00.003'": at("1753-01-01 00:00:00.003"),
                                 "'99991231 23:59:59.997'": at("9999-12-31 23:59:59.997"),
                                 "'20240229 01:02:03.007'": at("2024-02-29 01:02:03.007"), "'20240229'": at("2024-02-29")}),
    Case("smalldatetime", TIMESTAMP, {"'1900-01-01'": at("1900-01-01"), "'2079-06-06 23:59'": at("2079-06-06 23:59")}),
    Case("datetime2(0)", TIMESTAMP, {"'9999-12-31 23:59:59'": at("9999-12-31 23:59:59")}),
    Case("datetime2(6)", TIMESTAMP, {"'0001-01-01 00:00:00.000001'": at("0001-01-01 00:00:00.000001"),
                                     "'9999-12-31 23:59:59.999999'": at("9999-12-31 23:59:59.999999"),
                                     "'1969-12-31 23:59:59.999999'": at("1969-12-31 23:59:59.999999")}),
    Case("datetimeoffset(6)", text(34), {
        "'2024-03-31 02:30:00.000001 +05:30'": "2024-03-31 02:30:00.000001 +05:30",
        "'0001-01-01 14:00:00.123456 +14:00'": "0001-01-01 14:00:00.123456 +14:00",
        "'9999-12-31 09:59:59.999999 -14:00'": "9999-12-31 09:59:59.999999 -14:00"}),
    Case("uniqueidentifier", UUID, {"'123E4567-e89b-12d3-A456-426614174000'": "123e4567-e89b-12d3-a456-426614174000"}),
    Case("char(5)", text(5), {"'a'": "a    ", "''": "     ", "'ü'": "ü    "}),
    Case("varchar(20)", text(20), {"''": "", "'trail  '": "trail  ", "'é€'": "é€", "'\t'": "\t", "'%s ? :a'": "%s ? :a"}),
    Case("varchar(8000)", text(8000), {"REPLICATE('x', 8000)": "x" * 8000, "''": ""}),
    Case("nchar(5)", text(5), {"N'ñ'": "ñ    ", "N''": "     "}),
    Case("nvarchar(20)", text(20), {"N''": "", "N'\U0001f600 e\u0301 '": "\U0001f600 e\u0301 ",
                                     "N'\u202e\u0627\ufffd'": "\u202e\u0627\ufffd"}),
    Case("binary(4)", binary(4), {"0x00FF": b"\x00\xff\0\0"}),
    Case("varbinary(10)", binary(10), {"0x": b"", "0x00FF00": b"\x00\xff\x00"}),
]  # fmt: skip
LARGE = [
    Case("varchar(max)", TEXT, {"REPLICATE(CAST('é' AS varchar(max)), 8001)": "é" * 8001, "''": "",
                                "REPLICATE(CAST('0123456789abcdef' AS varchar(max)), 131072)": "0123456789abcdef" * 131_072}),
    Case("nvarchar(max)", TEXT, {"N''": "", "REPLICATE(CAST(N'\U0001f600' AS nvarchar(max)), 4001)": "\U0001f600" * 4001,
                                 "REPLICATE(CAST(N'ü' AS nvarchar(max)), 1048576)": "ü" * 1_048_576}),
    Case("varbinary(max)", BINARY, {"0x": b"",
                                    "CAST(REPLICATE(CAST('a' AS varchar(max)), 8001) AS varbinary(max))": b"a" * 8001}),
    Case("text", TEXT, {"'t '": "t ", "''": ""}),
    Case("ntext", TEXT, {"N'\U0001f600'": "\U0001f600", "N''": ""}),
    Case("image", BINARY, {"0x00FF": b"\x00\xff", "0x": b""}),
    Case("xml", TEXT, {"N'<a b=\"1\">é</a>'": '<a b="1">é</a>'}),
    # What stands beside a large column is fetched in another way.
    *(case for case in CASES if case.declared in {"bit", "tinyint", "real", "decimal(38,10)", "money", "datetime2(6)", "time(6)",
                                                  "uniqueidentifier", "varchar(20)", "nchar(5)", "varbinary(10)"}),
]  # fmt: skip


def torture(server: Server, name: str, cases: list[Case]) -> str:
    """A column for each case, a row for each of its values, and a row of NULLs."""
    rows = max(len(case.values) for case in cases)
    body = ", ".join(f"c{place} {case.declared}" for place, case in enumerate(cases))
    literals = [[*case.values, *["NULL"] * (rows + 1 - len(case.values))] for case in cases]
    values = [f"({row}, {', '.join(column[row] for column in literals)})" for row in range(rows + 1)]
    return server.table(name, f"id int NOT NULL PRIMARY KEY, {body}", *values)


def carried(case: Case, route: type[Route]) -> bool:
    rule = rule_of(case.declared.replace(" ", ""))
    assert rule is not None
    return route is ArrowRoute or carried_by_connectorx(rule)


@EITHER
@pytest.mark.parametrize("cases", [CASES, LARGE], ids=["bounded", "large"])
def test_every_type_arrives_equal(server: Server, route: type[Route], cases: list[Case]) -> None:
    here = [case for case in cases if carried(case, route)]
    torture(server, "torture", here)
    described = describe(server, "torture", "dbo")
    assert described.key == ("id",)
    for column, case in zip(described.columns[1:], here, strict=True):
        assert (column.type, column.source_type, column.nullable) == (case.type, case.declared, True)
    arrived = extract(server, "torture", (route,)).sort("id")
    for place, case in enumerate(here):
        want = [*case.values.values(), *[None] * (arrived.height - len(case.values))]
        got = arrived.get_column(f"c{place}").to_list()
        assert list(map(repr, got)) == list(map(repr, want)), case.declared
    for place, row in enumerate(arrived.rows(named=True)[:-1]):  # each row is found by a key of all that it holds
        key = tuple(c for c in described.columns[1:] if row[c.name] is not None and c.source_type not in WITHOUT_EQUALITY)
        keys = arrived[place].select(column.name for column in key)
        found = extract(server, "torture", (route,), selection=WithKeys(columns=key, keys=keys))
        assert found["id"].to_list() == [place], key


DATED = {
    "date": ("1000-01-01", "9999-12-31"),
    "datetime": ("1753-01-01", "9999-12-31 23:59:59.997"),
    "smalldatetime": ("1900-01-01", "2079-06-06"),
    "datetime2(6)": ("0001-01-01", "9999-12-31 23:59:59.999999"),
    "datetime2(7)": ("0001-01-01", "9999-12-31 23:59:59.999999"),
    "datetimeoffset(7)": ("0001-01-02", "9999-12-30 23:59:59.999999"),
    "int": ("1000-01-01", "9999-12-31"),
    "char(10)": ("1000-01-01", "9999-12-31"),
    "nvarchar(10)": ("1000-01-01", "9999-12-31"),
}


def dated(declared: str, moment: str) -> str:
    """A moment as a literal of a column, no later than it where the type is coarser."""
    day = moment[:10]
    spelled = {"date": day, "datetime": moment[:23].replace(".999", ".997"), "smalldatetime": moment[:16]}
    text = day if "char" in declared else spelled.get(declared, moment)
    return day.replace("-", "") if declared == "int" else f"'{text}'"


def test_windows_hold_every_row_once(server: Server) -> None:
    here = list(DATED)
    rows = [f"(0, {', '.join('NULL' for _ in here)})"]
    for place in range(1, len(MOMENTS) + 3):
        held = (dated(one, (DATED[one][0], *MOMENTS, DATED[one][1])[place - 1]) for one in here)
        rows.append(f"({place}, {', '.join(held)})")
    server.table("dated", "id int NOT NULL PRIMARY KEY, " + ", ".join(f"c{n} {one}" for n, one in enumerate(here)), *rows)
    for window, wanted in windows(describe(server, "dated", "dbo").columns[1:]):
        assert sorted(extract(server, "dated", selection=window)["id"]) == wanted


@EITHER
def test_keys_that_are_asked_for_come_and_no_others(server: Server, route: type[Route]) -> None:
    """With all that SQL could trip over."""
    words = ["", "it's", "a''b", "''", "a\\", "a\\'b", "%s :a ? {d}", "\u00fc", '"`[]', "line\\\nbreak", "line\\\r\nbreak", "--"]
    written = [" + NCHAR(92) + ".join(f"N'{part}'" for part in word.replace("'", "''").split("\\")) for word in words]
    rows = [f"({number}, {word}, {word})" for number, word in enumerate(written)]
    server.table("worded", "id int NOT NULL PRIMARY KEY, n nvarchar(50), v varchar(50)", *rows, "(99, N'other', 'other')")
    [_, *texts] = describe(server, "worded", "dbo").columns
    for one in texts:
        keys = pl.DataFrame({one.name: words})
        found = extract(server, "worded", (route,), selection=WithKeys(columns=(one,), keys=keys)).sort("id")
        assert found[one.name].to_list() == words


@EITHER
def test_as_many_keys_as_are_asked_for_at_once(server: Server, route: type[Route]) -> None:
    server.numbers("numbered", 1_100)
    number, text = describe(server, "numbered", "dbo").columns
    every = extract(server, "numbered").sort("id")
    for key, at_once in [((number,), 1_000), ((text,), 1_000), ((number, text), 250)]:
        some, *_ = with_keys(key, every, SQLServerExtractor.keys_at_once)
        assert extract(server, "numbered", (route,), selection=some).sort("id").equals(every[:at_once])


def test_both_routes_hash_alike(server: Server) -> None:
    cases = [case for case in [*CASES, *LARGE] if carried(case, ConnectorXRoute)]
    torture(server, "alike", cases)
    layout = layout_of(describe(server, "alike").columns, ("id",))
    one, other = (
        extract(server, "alike", (route,)).sort("id").select(hash_expressions(layout)) for route in (ConnectorXRoute, ArrowRoute)
    )
    assert one.equals(other)
    assert one.n_unique() == one.height


def test_seven_digits_of_a_second_are_text_of_seven_digits(server: Server) -> None:
    gap("datetime2, time and datetimeoffset keep six digits there")
    server.table(
        "seven",
        "id int NOT NULL PRIMARY KEY, a time(7), b datetime2(7), c datetimeoffset(7)",
        "(1, '23:59:59.9999999', '9999-12-31 23:59:59.9999999', '2024-02-29 01:02:03.1234567 +05:30')",
        "(2, '00:00', '0001-01-01', '0001-01-01 +00:00')",
    )
    for route in ROUTES:
        assert extract(server, "seven", (route,)).sort("id").rows() == [
            (1, "23:59:59.9999999", "9999-12-31 23:59:59.9999999", "2024-02-29 01:02:03.1234567 +05:30"),
            (2, "00:00:00.0000000", "0001-01-01 00:00:00.0000000", "0001-01-01 00:00:00.0000000 +00:00"),
        ]


def test_a_rowversion_is_eight_bytes(server: Server) -> None:
    gap("ROWVERSION wants a setting of the server there")
    server.table("versioned", "id int NOT NULL PRIMARY KEY, v rowversion")
    server.execute("INSERT INTO dbo.versioned (id) VALUES (1)")
    [expected] = server.execute("SELECT CAST(v AS binary(8)) FROM dbo.versioned")[0]
    for route in ROUTES:
        assert extract(server, "versioned", (route,)).rows() == [(1, expected)]


@EITHER
def test_text_of_a_code_page_arrives_right(server: Server, route: type[Route]) -> None:
    server.table(
        "pages",
        "id int NOT NULL PRIMARY KEY, a varchar(10) COLLATE Cyrillic_General_CI_AS, b char(3) COLLATE Greek_CI_AS",
        "(1, N'Привет', N'Ωμ')",
    )
    assert extract(server, "pages", (route,)).rows() == [(1, "Привет", "Ωμ ")]


def test_a_replacement_character_that_the_source_does_not_have_is_refused(server: Server) -> None:
    """As if the driver had made it of half a surrogate pair, which the server of the tests cannot store."""
    full = server.numbers("replaced", 3_000)
    server.execute(f"ALTER TABLE {full} ADD n nvarchar(20)", f"UPDATE {full} SET n = N'a\ufffd \ufffd ' WHERE id IN (1, 3000)")
    assert extract(server, "replaced", (ArrowRoute,)).get_column("n").drop_nulls().to_list() == ["a\ufffd \ufffd "] * 2
    with opened(server, (ArrowRoute,)) as extractor:
        frames = reading(extractor, "replaced")
        next(frames)
        server.execute(f"UPDATE {full} SET n = N'a\ufffd ' WHERE id = 1")
        with pytest.raises(ValueNotExact, match=r"SRC\.replaced: column 'n' \(nvarchar\(20\)\) holds half a surrogate pair"):
            list(frames)


def test_half_a_surrogate_pair_is_refused(server: Server) -> None:
    gap("text is UTF-8 there, which has no halves")
    server.table("halves", "id int NOT NULL PRIMARY KEY, n nvarchar(20)", "(1, NCHAR(0xD800) + N'a')")
    for route in ROUTES:
        with pytest.raises((ValueNotExact, SourceUnavailable)):
            extract(server, "halves", (route,))


def test_an_alias_type_is_its_base_type_and_a_computed_column_its_value(server: Server) -> None:
    server.execute("CREATE TYPE dbo.Amount FROM decimal(12,3) NOT NULL")
    server.table("aliased", "id int NOT NULL PRIMARY KEY, a dbo.Amount, twice AS id * 2")
    server.execute("INSERT INTO dbo.aliased (id, a) VALUES (1, 1.5)")
    described = describe(server, "aliased")
    assert [(column.type, column.source_type) for column in described.columns] == [
        (integer(32), "int"), (decimal(12, 3), "decimal(12,3)"), (integer(32), "int"),
    ]  # fmt: skip
    for route in ROUTES:
        assert extract(server, "aliased", (route,)).rows() == [(1, Decimal("1.500"), 2)]


def test_a_period_column_that_is_hidden_is_read(server: Server) -> None:
    gap("temporal tables do not exist there")
    server.table(
        "period",
        "id int NOT NULL PRIMARY KEY, a datetime2(6) GENERATED ALWAYS AS ROW START HIDDEN NOT NULL, "
        "b datetime2(6) GENERATED ALWAYS AS ROW END HIDDEN NOT NULL, PERIOD FOR SYSTEM_TIME (a, b)",
    )
    server.execute("INSERT INTO dbo.period (id) VALUES (1)")
    assert extract(server, "period").select("id", "b").rows() == [(1, at("9999-12-31 23:59:59.999999"))]


@pytest.mark.parametrize("declared", ["sql_variant", "hierarchyid", "geography", "geometry"])
def test_a_type_without_an_exact_route_is_refused_by_column(server: Server, declared: str) -> None:
    if declared != "sql_variant":
        gap(f"{declared} does not exist there")
    server.table("refused", f"id int NOT NULL PRIMARY KEY, [the Odd] {declared}")
    with pytest.raises(UnsupportedType, match=rf"SRC\.refused: column 'the Odd' has the type {declared}.*view that casts"):
        describe(server, "refused")


NASTY = ["select", "a b", 'Quo"ted', "it's", "100% %s", ":x", "what?", "Ünï", "[", "a.b", "--", "/*", "%(a)s"]


@EITHER
def test_names_of_every_kind_survive(server: Server, route: type[Route]) -> None:
    names = NASTY if babelfish() else [*NASTY, "a]b", "]", "\U0001f600"]  # ]] is two ends there
    table = 'Or"der of 100% :x ? it\'s'
    columns = ", ".join(f"[{name.replace(']', ']]')}] nvarchar(50) NOT NULL" for name in names)
    server.table(table, f"{columns}, PRIMARY KEY ([a b], [select])")
    values = ", ".join("N'" + name.replace("'", "''") + "'" for name in names)
    server.execute(f"INSERT INTO [dbo].[{table}] VALUES ({values})")
    described = describe(server, table)
    assert [column.name for column in described.columns] == names
    assert described.key == ("a b", "select")
    assert extract(server, table, (route,)).rows() == [tuple(names)]


@EITHER
@pytest.mark.parametrize("rows", [0, 99, 100, 200])
def test_every_row_arrives_once_whatever_the_batches(server: Server, route: type[Route], rows: int) -> None:
    """The row with the count makes 99 a full batch of 100."""
    server.table("batches", "id int NOT NULL PRIMARY KEY, v varchar(10)", *[f"({i}, 'v{i}')" for i in range(rows)])
    assert sorted(extract(server, "batches", (route,), 100).rows()) == [(i, f"v{i}") for i in range(rows)]


def test_columns_come_in_the_order_they_are_asked_for(server: Server) -> None:
    server.table("ordered", "a int NOT NULL PRIMARY KEY, b int, c int", "(1, 2, 3)")
    for route in ROUTES:
        with opened(server, (route,)) as extractor:
            a, _, c = extractor.describe(named("ordered")).columns
            [frame] = extractor.read(named("ordered"), [c, a], 10)
        assert frame.rows(named=True) == [{"c": 3, "a": 1}]


def test_the_key_is_the_primary_key_else_the_narrowest_unique_index_on_required_columns(server: Server) -> None:
    full = server.table("keyed", "A int NOT NULL, b varchar(9) NOT NULL, c int, D int NOT NULL, UNIQUE (c), UNIQUE (b, A, D)")
    assert describe(server, "keyed").key == ("b", "A", "D")
    server.execute(f"CREATE UNIQUE INDEX two ON {full} (D, b)", f"CREATE INDEX plain ON {full} (A)")
    assert describe(server, "keyed").key == ("D", "b")
    server.execute(f"CREATE UNIQUE INDEX included ON {full} (b) INCLUDE (A, c)")
    assert describe(server, "keyed").key == ("b",)
    server.table("keyed", "a int NOT NULL, b int NOT NULL, PRIMARY KEY (b, a), UNIQUE (a)")
    assert describe(server, "keyed").key == ("b", "a")


def test_it_is_known_which_columns_an_index_leads_with(server: Server) -> None:
    full = server.table("led", "id int NOT NULL PRIMARY KEY, d date, e date")

    def led_to(table: str, *columns: str) -> list[bool | None]:
        with opened(server) as extractor:
            by = [Column(name=name, type=DATE, source_type="date") for name in columns]
            return [extractor.is_led_to_by(named(table), column) for column in by]

    assert led_to("led", "id", "d", "e") == [True, False, False]
    server.execute(f"CREATE INDEX by_d ON {full} (d, e)", "CREATE VIEW dbo.led_view AS SELECT * FROM dbo.led")
    assert led_to("led", "id", "d", "e") == [True, True, False]
    assert led_to("led_view", "d") == [None]


def test_a_filtered_or_disabled_index_is_no_key(server: Server) -> None:
    gap("sys.indexes shows no filters there, and no index can be disabled")
    full = server.table("filtered", "a int NOT NULL, b int NOT NULL")
    server.execute(f"CREATE UNIQUE INDEX part ON {full} (a) WHERE b > 0", f"CREATE UNIQUE INDEX off ON {full} (b)")
    server.execute(f"ALTER INDEX off ON {full} DISABLE")
    assert describe(server, "filtered").key == ()


def test_a_view_is_read_and_has_no_key(server: Server) -> None:
    server.table("viewed", "a int NOT NULL PRIMARY KEY, b varchar(9)", "(1, 'x')")
    server.execute("CREATE VIEW dbo.the_view AS SELECT b, a FROM dbo.viewed")
    described = describe(server, "the_view")
    assert ([column.name for column in described.columns], described.key) == (["b", "a"], ())
    for route in ROUTES:
        assert extract(server, "the_view", (route,)).rows() == [("x", 1)]


def test_a_synonym_is_what_it_stands_for_in_another_database_too(server: Server) -> None:
    gap("synonyms do not exist there")
    server.table("base", "a int NOT NULL PRIMARY KEY", "(1)")
    with own_database(f"{server.database}_other") as other:
        other.table("far", "b int NOT NULL PRIMARY KEY", "(2)")
        server.execute(
            "CREATE SYNONYM dbo.near FOR dbo.base",
            f"CREATE SYNONYM dbo.away FOR [{other.database}].dbo.far",
            "CREATE SYNONYM dbo.nothing FOR dbo.gone",
            "CREATE SYNONYM dbo.linked FOR [srv].[db].dbo.t",
        )
        assert (describe(server, "near").key, describe(server, "away").key) == (("a",), ("b",))
        for route in ROUTES:
            assert extract(server, "near", (route,)).rows() == [(1,)]
            assert extract(server, "away", (route,)).rows() == [(2,)]
    with pytest.raises(SourceTableMissing, match=r"a synonym for"):
        describe(server, "nothing")
    with pytest.raises(SourceTableMissing, match="another server"):
        describe(server, "linked")


def test_a_schema_of_ones_own_and_another_case_are_found(server: Server) -> None:
    server.execute("CREATE SCHEMA [Other one]", "CREATE TABLE [Other one].[Mixed] (Id int NOT NULL PRIMARY KEY)")
    assert [column.name for column in describe(server, "MIXED", "other ONE").columns] == ["Id"]
    with pytest.raises(SourceTableMissing):
        describe(server, "Mixed")


def test_source_database_says_which_database(server: Server) -> None:
    server.table("by_database", "a int NOT NULL PRIMARY KEY", "(1)")
    for url in (server.url.set(database=None), server.url.set(database="master")):
        for route in ROUTES:
            with opened(url, (route,)) as extractor:
                table = named("by_database", database=server.database)
                columns = extractor.describe(table).columns
                assert [frame.rows() for frame in extractor.read(table, columns, 10)] == [[(1,)]]


def test_a_missing_table_is_named_with_the_setting(server: Server) -> None:
    for schema in (None, "dbo", "nowhere"):
        with pytest.raises(SourceTableMissing, match=r"SRC\.missing: .*\[missing\].*UDM_SOURCE_SRC"):
            describe(server, "missing", schema)


def test_a_procedure_is_no_table(server: Server) -> None:
    server.execute("CREATE PROCEDURE dbo.doing AS SELECT 1 AS a")
    with pytest.raises(SourceTableMissing):
        describe(server, "doing")


def test_a_table_that_went_between_description_and_read_is_missing(server: Server) -> None:
    full = server.table("going", "a int NOT NULL PRIMARY KEY")
    with opened(server) as extractor:
        columns = extractor.describe(named("going")).columns
        server.execute(f"DROP TABLE {full}")
        with pytest.raises(SourceTableMissing, match=r"SRC\.going: "):
            list(extractor.read(named("going"), columns, 10))


def test_a_table_that_the_login_may_not_read_is_told_with_the_grant(server: Server) -> None:
    server.table("secret", "a int NOT NULL PRIMARY KEY, b int", "(1, 2)")
    login, password = f"udm_poor_{os.getpid()}", "Poor-tests-1"
    server.create(f"CREATE LOGIN {login} WITH PASSWORD = '{password}'")
    server.execute(f"CREATE USER {login} FOR LOGIN {login}")
    poor = server.url.set(username=login, password=password)
    try:
        columns = describe(server, "secret").columns
        with opened(poor) as extractor, pytest.raises(SourceTableMissing, match=r"SRC\.secret: .*grant SELECT.*UDM_SOURCE_SRC"):
            extractor.describe(named("secret"))
        server.execute(f"GRANT SELECT ON dbo.secret TO {login}")
        for route in ROUTES:
            assert extract(poor, "secret", (route,)).rows() == [(1, 2)]
        if not babelfish():  # it knows no rights on columns
            server.execute(f"DENY SELECT ON dbo.secret (b) TO {login}")
            with opened(poor) as extractor, pytest.raises(SourceTableMissing, match=r"SRC\.secret: .*not read all"):
                list(extractor.read(named("secret"), columns, 10))
    finally:
        server.execute(f"REVOKE SELECT ON dbo.secret FROM {login}", f"DROP USER {login}", f"DROP LOGIN {login}")


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"password": "geheim"}, SourceRefused, "refuses user"),
        ({"database": "nowhere"}, (SourceRefused, SourceUnavailable), "nowhere"),
        ({"host": "127.0.0.1", "port": 1}, SourceUnavailable, "refuses connections|did not answer|cannot be logged in"),
    ],
)
def test_a_source_that_cannot_be_entered_says_why_and_never_the_password(
    server: Server, change: dict[str, Any], error: type[Exception], says: str
) -> None:
    url = server.url.set(**change).update_query_dict({"login_timeout": "3"})
    with open_extractor(Server(url=url).entry) as extractor, pytest.raises(error, match=says) as caught:
        extractor.describe(named("any"))
    assert "UDM_SOURCE_SRC" in str(caught.value)
    assert "Source SRC" in str(caught.value)
    for secret in ("geheim", str(server.url.password), "://", "PWD"):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_session_names_its_program(server: Server) -> None:
    server.numbers("watched", 20_000)
    seen = "SELECT program_name FROM sys.dm_exec_sessions WHERE program_name IN ('udm-pipeline', 'MSSQL-Python')"
    before = len(server.execute(seen))
    for route, program in ((ConnectorXRoute, "udm-pipeline"), (ArrowRoute, "MSSQL-Python")):
        with opened(server, (route,)) as extractor:
            frames = extractor.read(named("watched"), extractor.describe(named("watched")).columns, 1000)
            next(frames)
            programs = [name for (name,) in server.execute(seen)]
            assert program in programs
            assert len(programs) > before
            list(frames)


@pytest.fixture(scope="module")
def long_table(server: Server) -> str:
    """30,000 rows, 12 MB on the wire."""
    server.numbers("long_table", 30_000)
    return "long_table"


def reading(extractor: SQLServerExtractor, table: str, batch_rows: int = 1000) -> Iterator[pl.DataFrame]:
    return extractor.read(named(table), extractor.describe(named(table)).columns, batch_rows)


@EITHER
def test_rows_that_change_during_the_read_are_those_of_one_snapshot(server: Server, route: type[Route]) -> None:
    full = server.numbers("busy", 12_000)
    expected = extract(server, "busy", (ArrowRoute,)).sort("id")
    with opened(server, (route,)) as extractor:
        frames = reading(extractor, "busy")
        first = next(frames)
        server.execute(f"DELETE FROM {full} WHERE id > 6000", f"INSERT INTO {full} VALUES (0, 'late')")
        assert pl.concat([first, *frames]).sort("id").equals(expected)


@EITHER
def test_rows_that_the_source_did_not_count_are_incomplete(server: Server, route: type[Route]) -> None:
    """A view that shows other rows each time it is looked at."""
    server.execute("DROP VIEW IF EXISTS dbo.tossed")
    server.numbers("coins", 2_000)
    server.execute("CREATE VIEW dbo.tossed AS SELECT id FROM dbo.coins WHERE ABS(CHECKSUM(NEWID())) % 2 = 0")
    # That 2,000 tosses come out alike twice has a chance of one in fifty.
    with pytest.raises(IncompleteExtract, match=r"SRC\.tossed: the source counted \d+ rows and delivered \d+"):
        [extract(server, "tossed", (route,)) for _ in range(5)]


@EITHER
def test_a_connection_cut_in_mid_read_is_an_error_and_no_short_extract(
    server: Server, long_table: str, route: type[Route]
) -> None:
    proxy = Proxy(server.url)
    try:
        with opened(server.url.set(host="127.0.0.1", port=proxy.port), (route,)) as extractor:
            frames = reading(extractor, long_table)
            next(frames)
            proxy.cut()
            with pytest.raises(SourceUnavailable, match=rf"{route.name} broke the read off after \d+ rows") as caught:
                list(frames)
    finally:
        proxy.close()
    assert "after 0 rows" not in str(caught.value)


def test_a_connection_cut_before_the_first_row_is_tried_by_the_other_route_and_told(
    server: Server, long_table: str, logged: Records
) -> None:
    """Both fail, and both are named."""
    with opened(server) as extractor:
        columns = extractor.describe(named(long_table)).columns
    proxy = Proxy(server.url)
    url = server.url.set(host="127.0.0.1", port=proxy.port)
    try:
        with opened(url) as extractor:
            extractor.describe(named(long_table))
            limited = Proxy(server.url, limit=10_000)
            extractor._source = opened(url.set(port=limited.port))._source
            with pytest.raises(SourceUnavailable, match=r"SRC\.long_table: mssql-python broke the read off after 0 rows"):
                list(extractor.read(named(long_table), columns, 1000))
            limited.close()
    finally:
        proxy.close()
    [warning] = [message for message in logged.messages() if "reads the table instead" in message]
    assert "SRC.long_table: ConnectorX failed" in warning


def test_a_panic_before_the_first_row_is_a_warning_and_the_other_route_reads(
    server: Server, monkeypatch: pytest.MonkeyPatch, logged: Records, capfd: pytest.CaptureFixture[str]
) -> None:
    """A real one: more digits than ConnectorX's decimals have."""
    server.table("panics", "id int NOT NULL PRIMARY KEY, n decimal(38,0)", f"(1, {'9' * 38})")
    monkeypatch.setitem(rules.CONNECTORX, "decimal", None)
    assert extract(server, "panics").rows() == [(1, Decimal("9" * 38))]
    [warning] = logged.messages(30)
    assert warning.startswith("SRC.panics: ConnectorX failed")
    assert warning.endswith("mssql-python reads the table instead")
    assert "99999" not in warning
    assert capfd.readouterr() == ("", "")


def test_a_panic_after_rows_were_delivered_names_its_route_and_delivers_nothing_twice(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = server.numbers("late_panic", 30_000)
    server.execute(f"ALTER TABLE {full} ADD n decimal(38,0)", f"UPDATE {full} SET n = {'9' * 38} WHERE id = 30000")
    monkeypatch.setitem(rules.CONNECTORX, "decimal", None)
    delivered: list[int] = []
    with opened(server) as extractor:
        frames = (frame.get_column("id").to_list() for frame in reading(extractor, "late_panic", 500))
        with pytest.raises(SourceUnavailable, match=r"ConnectorX broke the read off.* after \d+ rows") as caught:
            [delivered.extend(ids) for ids in frames]  # type: ignore[func-returns-value]
    assert 0 < len(delivered) == len(set(delivered)) < 30_000
    assert "9" * 10 not in str(caught.value)


def test_connectorx_reads_a_table_once(server: Server) -> None:
    """It runs a query twice; the first time is answered without rows."""
    server.numbers("once", 10_000)  # of 400 bytes each
    proxy = Proxy(server.url)
    try:
        with opened(server.url.set(host="127.0.0.1", port=proxy.port), (ConnectorXRoute,)) as extractor:
            assert sum(frame.height for frame in reading(extractor, "once")) == 10_000
    finally:
        proxy.close()
    assert 4_000_000 < proxy.passed < 6_000_000


@EITHER
def test_interrupt_ends_a_read_in_mid_stream(server: Server, long_table: str, route: type[Route]) -> None:
    with opened(server, (route,)) as extractor:
        frames = reading(extractor, long_table)
        next(frames)
        extractor.interrupt()
        with pytest.raises(Interrupted, match=r"SRC\.long_table"):
            list(frames)
        with pytest.raises(Interrupted):
            extractor.describe(named(long_table))


def slow_view(server: Server) -> str:
    """A view whose first row takes some seconds."""
    server.execute("DROP VIEW IF EXISTS dbo.slow")
    server.numbers("few", 8_000)  # a fast server joined 4,000 in less than the tests wait
    server.execute(
        "CREATE VIEW dbo.slow AS SELECT COUNT_BIG(*) AS n FROM dbo.few AS a CROSS JOIN dbo.few AS b WHERE a.id * 3 + b.id = -7",
    )
    return "slow"


@EITHER
def test_interrupt_ends_a_statement_that_has_sent_nothing_yet(server: Server, route: type[Route]) -> None:
    if route is ArrowRoute:
        gap("a statement that runs there takes no notice of a cancellation, for which the driver waits")
    slow = slow_view(server)
    failed: list[BaseException] = []
    with opened(server, (route,)) as extractor:
        columns = [Column(name="n", type=integer(64), source_type="bigint")]

        def read() -> None:
            try:
                list(extractor.read(named(slow), columns, 10))
            except BaseException as error:  # noqa: BLE001 - handed to the test
                failed.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(1.5)
        began = time.monotonic()
        extractor.interrupt()
        thread.join(10)
        assert time.monotonic() - began < 3
    assert isinstance(failed[0], Interrupted)


def test_a_source_that_sends_nothing_within_the_query_timeout_is_unavailable(server: Server) -> None:
    slow = slow_view(server)
    url: URL = server.url.update_query_dict({"query_timeout": "1"})
    columns = [Column(name="n", type=integer(64), source_type="bigint")]
    told = pytest.raises(SourceUnavailable, match=r"sent nothing for 1 seconds.*query_timeout")
    with opened(url, (ConnectorXRoute,)) as extractor, told:
        list(extractor.read(named(slow), columns, 10))


def test_other_threads_run_while_the_source_is_read(server: Server, long_table: str) -> None:
    gaps: list[float] = []
    done = threading.Event()

    def tick() -> None:
        last = time.monotonic()
        while not done.wait(0.01):
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    ticker = threading.Thread(target=tick)
    ticker.start()
    for route in ROUTES:
        extract(server, long_table, (route,))
    done.set()
    ticker.join()
    assert max(gaps) < 2
