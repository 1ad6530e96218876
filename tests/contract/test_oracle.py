"""Oracle itself as a source: what its SQL makes of every type, its catalogue, its snapshots. Skipped where there is no Oracle."""

# ruff: noqa: DTZ001, DTZ901 - Oracle's dates have no zone

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import oracledb
import polars as pl
import pytest
from sqlalchemy.engine import URL

from extract.extractor import SourceTable
from extract.oracle_extractor import OracleExtractor
from extract.oracle_extractor.connection import open_connection
from extract.selection import Between, WithKeys
from model.errors import SourceRefused, SourceTableMissing, UnsupportedType, ValueNotExact
from sources.registry import Source
from tests.contract.conftest import Records
from tests.oracle_server import oracle_server


@pytest.fixture(scope="module")
def admin() -> Iterator[oracledb.Connection]:
    server = oracle_server()
    if server.url is None:
        pytest.skip(f"No Oracle: {server.why}.")
    connection = open_connection(Source(name="ADMIN", url=server.url))
    yield connection
    connection.close()


class Place:
    """A schema with its owner's session, and a login that may read what it is granted."""

    def __init__(self, admin: oracledb.Connection, url: URL) -> None:
        self.admin = admin
        self.owner, self.reader = (f"UDM_{secrets.token_hex(4).upper()}" for _ in range(2))
        self.password = "Udm" + secrets.token_hex(8)
        self.run(f'CREATE USER {self.owner} IDENTIFIED BY "{self.password}" QUOTA UNLIMITED ON users DEFAULT TABLESPACE users')
        self.run(f'CREATE USER {self.reader} IDENTIFIED BY "{self.password}"')
        self.run(f"GRANT CREATE SESSION TO {self.reader}")
        self.url = url.set(username=self.reader, password=self.password)

    def run(self, *statements: str) -> None:
        with self.admin.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        self.admin.commit()

    def table(self, name: str, columns: str, *rows: str, grant: bool = True) -> SourceTable:
        """A table of the owner's, with rows of SQL expressions, that the reader may read."""
        quoted = f'{self.owner}."{name}"'
        self.run(f"CREATE TABLE {quoted} ({columns})")
        self.run(*(f"INSERT INTO {quoted} VALUES ({row})" for row in rows))
        if grant:
            self.run(f"GRANT READ ON {quoted} TO {self.reader}")
        return SourceTable(source="DNA", table=name, schema=self.owner)

    def extractor(self) -> OracleExtractor:
        return OracleExtractor(Source(name="DNA", url=self.url))

    def read(self, table: SourceTable, rows: int = 1000) -> pl.DataFrame:
        with self.extractor() as extractor:
            return pl.concat(extractor.read(table, extractor.describe(table).columns, rows))

    def drop(self) -> None:
        self.run(f"DROP USER {self.reader} CASCADE", f"DROP USER {self.owner} CASCADE")


@pytest.fixture
def place(admin: oracledb.Connection) -> Iterator[Place]:
    server = oracle_server()
    assert server.url
    found = Place(admin, server.url)
    yield found
    found.drop()


NINES = "9" * 38
# A type, the SQL of its values, and what must arrive.
VALUES: list[tuple[str, list[str], list[Any]]] = [
    ("NUMBER(38)", [NINES, f"-{NINES}", "0", "NULL"], [Decimal(NINES), Decimal(f"-{NINES}"), Decimal(0), None]),
    ("NUMBER(38,10)", [f"{'1' * 28}.0123456789"], [Decimal(f"{'1' * 28}.0123456789")]),
    ("NUMBER(2,5)", ["0.00012"], [Decimal("0.00012")]),
    ("NUMBER(3,-2)", ["12345"], [Decimal(12300)]),
    ("INTEGER", ["7"], [Decimal(7)]),
    (
        "NUMBER",
        ["0.1", "-.5", NINES, "1e125", "-1e-130", "12345678901234567890.12345678901234567890", "1/3", "NULL"],
        ["0.1", "-0.5", NINES, "1E+125", "-1E-130", "12345678901234567890.1234567890123456789", "0." + "3" * 40, None],
    ),
    ("FLOAT", ["0.1", "1e20"], ["0.1", "100000000000000000000"]),
    (
        "BINARY_DOUBLE",
        ["0.1d", "BINARY_DOUBLE_INFINITY", "-BINARY_DOUBLE_INFINITY", "5e-324d"],
        [0.1, float("inf"), float("-inf"), 5e-324],
    ),
    ("BINARY_FLOAT", ["0.25f", "NULL"], [0.25, None]),
    ("CHAR(4)", ["'a'", "' '", "''"], ["a   ", "    ", None]),
    ("VARCHAR2(40 CHAR)", ["UNISTR('\\00e4\\d83d\\de00')", "CHR(9)||CHR(10)||'x '", "CHR(0)"], ["ä😀", "\t\nx ", "\0"]),
    ("NVARCHAR2(20)", ["UNISTR('\\03a9\\d83d\\de00')"], ["Ω😀"]),
    ("NCHAR(3)", ["N'a'"], ["a  "]),
    (
        "CLOB",
        ["EMPTY_CLOB()", "NULL", "TO_CLOB(RPAD('x', 4000, 'x')) || RPAD('y', 4000, 'y')"],
        ["", None, "x" * 4000 + "y" * 4000],
    ),
    ("NCLOB", ["EMPTY_CLOB()", "N'a'"], ["", "a"]),
    ("LONG", ["'text'", "NULL"], ["text", None]),
    ("RAW(3)", ["HEXTORAW('00FF0A')", "NULL"], [b"\0\xff\n", None]),
    ("BLOB", ["EMPTY_BLOB()", "NULL", "HEXTORAW('00FF')"], [b"", None, b"\0\xff"]),
    ("LONG RAW", ["HEXTORAW('00FF')"], [b"\0\xff"]),
    (
        "DATE",
        ["DATE '0001-01-01'", "TO_DATE('9999-12-31 23:59:59', 'YYYY-MM-DD HH24:MI:SS')"],
        [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)],
    ),
    ("TIMESTAMP(6)", ["TIMESTAMP '9999-12-31 23:59:59.999999'"], [datetime.max]),
    ("TIMESTAMP(0)", ["TIMESTAMP '1969-12-31 23:59:59'"], [datetime(1969, 12, 31, 23, 59, 59)]),
    (
        "TIMESTAMP(9)",
        ["TIMESTAMP '2026-07-01 10:00:00.123456789'", "TIMESTAMP '-0044-03-15 00:00:00'", "NULL"],
        ["2026-07-01 10:00:00.123456789", "-0044-03-15 00:00:00.000000000", None],
    ),
    (
        "TIMESTAMP(6) WITH TIME ZONE",
        ["TIMESTAMP '2026-07-01 10:00:00.5 -07:30'", "TIMESTAMP '2026-07-01 10:00:00 Europe/Berlin'", "NULL"],
        ["2026-07-01 10:00:00.500000000 -07:30", "2026-07-01 10:00:00.000000000 +02:00 Europe/Berlin", None],
    ),
    (
        "TIMESTAMP(6) WITH LOCAL TIME ZONE",
        ["TIMESTAMP '2026-07-01 10:00:00 +02:00'", "NULL"],
        [datetime(2026, 7, 1, 8, tzinfo=UTC), None],
    ),
    (
        "TIMESTAMP(9) WITH LOCAL TIME ZONE",
        ["TIMESTAMP '2026-07-01 10:00:00.123456789 +02:00'", "NULL"],
        ["2026-07-01 08:00:00.123456789 +00:00", None],
    ),
    ("INTERVAL DAY(2) TO SECOND(6)", ["INTERVAL '-1 02:03:04.5' DAY TO SECOND", "NULL"], ["-000000001 02:03:04.500000000", None]),
    ("INTERVAL YEAR(4) TO MONTH", ["INTERVAL '12-3' YEAR TO MONTH"], ["+000000012-03"]),
    ("ROWID", ["'AAAAECAABAAAAgiAAA'"], ["AAAAECAABAAAAgiAAA"]),
    ("UROWID", ["'AAAAECAABAAAAgiAAA'"], ["AAAAECAABAAAAgiAAA"]),
    ("BOOLEAN", ["TRUE", "FALSE", "NULL"], [True, False, None]),
    ("JSON", ["'{\"a\": [1, null]}'", "NULL"], ['{"a":[1,null]}', None]),
    ("XMLTYPE", ["XMLTYPE('<a>x</a>')", "NULL"], ["<a>x</a>", None]),
]


@pytest.mark.parametrize(("declared", "sent", "wanted"), VALUES, ids=[case[0] for case in VALUES])
def test_every_type_arrives_exact(place: Place, declared: str, sent: list[str], wanted: list[Any]) -> None:
    try:
        table = place.table("T", f"N NUMBER(4), V {declared}", *(f"{number}, {value}" for number, value in enumerate(sent)))
    except oracledb.DatabaseError as error:
        if declared in {"BOOLEAN", "JSON"} and error.args[0].code in {902, 907}:
            pytest.skip(f"This Oracle has no {declared}.")
        raise
    frame = place.read(table).sort("N")
    assert frame["V"].to_list() == wanted


def test_nan_arrives(place: Place) -> None:
    assert place.read(place.table("T", "V BINARY_DOUBLE", "BINARY_DOUBLE_NAN"))["V"].is_nan().all()


@pytest.mark.parametrize("declared", ["DATE", "TIMESTAMP(6)"])
def test_a_date_before_christ_is_refused_by_its_column(place: Place, declared: str) -> None:
    table = place.table("T", f"A DATE, B {declared}", "DATE '2026-01-01', DATE '-0044-03-15'")
    with pytest.raises(ValueNotExact, match="column 'B' holds a date outside of the years 1 to 9999"):
        place.read(table)


def test_types_without_an_exact_route_are_refused_by_name(place: Place) -> None:
    place.run(f"CREATE TYPE {place.owner}.ADDRESS_T AS OBJECT (street VARCHAR2(10))")
    table = place.table("T", f"A {place.owner}.ADDRESS_T")
    with place.extractor() as extractor, pytest.raises(UnsupportedType, match=rf"'A' has the type {place.owner}\.ADDRESS_T"):
        extractor.describe(table)
    with place.extractor() as extractor, pytest.raises(UnsupportedType, match="'A' has the type BFILE"):
        extractor.describe(place.table("U", "A BFILE"))


def test_keys_come_from_the_catalogue(place: Place) -> None:
    keyed = place.table("K", "A NUMBER(4), B NUMBER(4), CONSTRAINT KPK PRIMARY KEY (B, A)")
    place.table("U", "A NUMBER(4) NOT NULL, B NUMBER(4), C NUMBER(4) NOT NULL")
    place.run(
        f"CREATE UNIQUE INDEX {place.owner}.U1 ON {place.owner}.U (A, C)",
        f"CREATE UNIQUE INDEX {place.owner}.U2 ON {place.owner}.U (B)",
        f"CREATE UNIQUE INDEX {place.owner}.U3 ON {place.owner}.U (A * 2)",
    )
    with place.extractor() as extractor:
        assert extractor.describe(keyed).key == ("B", "A")
        assert extractor.describe(SourceTable(source="DNA", table="u", schema=place.owner.lower())).key == ("A", "C")


def test_views_synonyms_and_names_of_every_kind(place: Place) -> None:
    odd = place.table("Mixed Case$#", '"select" NUMBER(4), "Größe" DATE', "1, SYSDATE")
    assert place.read(odd).columns == ["select", "Größe"]
    owner = place.owner
    place.run(
        f'CREATE VIEW {owner}.V AS SELECT "select" AS N, "select" + 1 AS M FROM {owner}."Mixed Case$#"',
        f"GRANT READ ON {owner}.V TO {place.reader}",
        f"CREATE SYNONYM {place.reader}.S FOR {owner}.V",
    )
    frame = place.read(SourceTable(source="DNA", table="s"))
    assert frame.to_dicts() == [{"N": Decimal(1), "M": "2"}]  # an expression is a NUMBER without precision


def test_virtual_columns_come_as_values_and_hidden_ones_do_not(place: Place) -> None:
    table = place.table("T", "A NUMBER(4), B NUMBER(5) AS (A * 2), C NUMBER(4) INVISIBLE", grant=True)
    place.run(f"INSERT INTO {place.owner}.T (A) VALUES (3)")
    assert place.read(table).to_dicts() == [{"A": Decimal(3), "B": Decimal(6)}]


def test_a_read_sees_one_instant_and_holds_no_lock(place: Place) -> None:
    table = place.table("T", "A NUMBER(6)")
    place.run(f"INSERT INTO {place.owner}.T SELECT LEVEL FROM dual CONNECT BY LEVEL <= 10000")
    with place.extractor() as extractor:
        frames = extractor.read(table, extractor.describe(table).columns, 1000)
        first = next(frames)
        place.run(f"DELETE FROM {place.owner}.T", f"ALTER TABLE {place.owner}.T ADD (B NUMBER(4))")
        assert first.height + sum(frame.height for frame in frames) == 10_000


def test_days_come_once_each_through_the_index_and_as_one_snapshot(place: Place) -> None:
    place.table(
        "T",
        "ID NUMBER(6), POSTED DATE",
        "1, DATE '2020-02-03'",
        "2, TO_DATE('2020-02-03 23:59:59', 'YYYY-MM-DD HH24:MI:SS')",
        "3, DATE '2026-07-31'",
        "4, NULL",
        "5, DATE '9999-12-31'",
    )
    place.run(f"CREATE INDEX {place.owner}.IX_POSTED ON {place.owner}.T (POSTED)")
    table = SourceTable(source="DNA", table="T", schema=place.owner, index_hint="IX_POSTED", date_column="POSTED")
    with place.extractor() as extractor:
        columns = extractor.describe(table).columns
        frames = list(extractor.read(table, columns, 1))
    assert sorted(map(int, pl.concat(frames)["ID"])) == [1, 2, 3, 4, 5]
    assert len(frames) >= 4


def some(place: Place, table: SourceTable, selection: Any) -> list[int]:
    with place.extractor() as extractor:
        frames = list(extractor.read(table, extractor.describe(table).columns, 1000, selection))
    return sorted(int(number) for frame in frames for number in frame["N"])


@pytest.mark.parametrize(
    "declared", ["DATE", "TIMESTAMP(6)", "TIMESTAMP(9)", "TIMESTAMP(6) WITH TIME ZONE", "TIMESTAMP(9) WITH LOCAL TIME ZONE"]
)
def test_a_window_is_half_open_whatever_the_type_of_its_column(place: Place, declared: str) -> None:
    moments = ("2026-06-30 23:59:59", "2026-07-01 00:00:00", "2026-07-01 23:59:59", "2026-07-02 00:00:00")
    values = [f"CAST(TIMESTAMP '{moment} +00:00' AS {declared})" for moment in moments]
    rows = [f"{number}, {value}" for number, value in enumerate([*values, "NULL"])]
    table = place.table("T", f"N NUMBER(4), V {declared}", *rows)
    with place.extractor() as extractor:
        column = extractor.describe(table).columns[1]
    zone = UTC if "ZONE" in declared else None
    window = Between(column=column, start=datetime(2026, 7, 1, tzinfo=zone), end=datetime(2026, 7, 2, tzinfo=zone))
    assert some(place, table, window) == [1, 2]
    assert some(place, table, Between(column=column)) == [4]


COMPARED = [case for case in VALUES if not re.search("LOB|LONG|JSON|XML|ROWID", case[0])]


@pytest.mark.parametrize(("declared", "sent", "wanted"), COMPARED, ids=[case[0] for case in COMPARED])
def test_a_key_of_every_type_that_is_compared_finds_its_row(
    place: Place, declared: str, sent: list[str], wanted: list[Any]
) -> None:
    try:
        table = place.table("T", f"N NUMBER(4), V {declared}", *(f"{number}, {value}" for number, value in enumerate(sent)))
    except oracledb.DatabaseError as error:
        if declared == "BOOLEAN" and error.args[0].code in {902, 907}:
            pytest.skip(f"This Oracle has no {declared}.")
        raise
    with place.extractor() as extractor:
        column = extractor.describe(table).columns[1]
    for number, value in enumerate(wanted):
        if value is not None:
            keys = pl.DataFrame({"V": [value]}, {"V": column.type.dtype})
            assert number in some(place, table, WithKeys(columns=(column,), keys=keys))


def test_ranges_are_of_one_instant_and_the_missing_grants_are_told(place: Place, logged: Records) -> None:
    table = replace(place.table("T", "N NUMBER(6), V VARCHAR2(9)"), partition_on="N")
    place.run(
        f"INSERT INTO {place.owner}.T SELECT NULLIF(LEVEL, 7), 'x' FROM dual CONNECT BY LEVEL <= 9000",
        f"CREATE VIEW {place.owner}.W AS SELECT * FROM {place.owner}.T",
        f"GRANT READ ON {place.owner}.W TO {place.reader}",
    )
    for grant, missing in (
        (None, "EXECUTE on SYS.DBMS_FLASHBACK"),
        (f"GRANT EXECUTE ON sys.dbms_flashback TO {place.reader}", "FLASHBACK on"),
        (f"GRANT FLASHBACK ON {place.owner}.T TO {place.reader}", "was read in 3 ranges of N"),
        (f"GRANT FLASHBACK ON {place.owner}.W TO {place.reader}", "was read in 3 ranges of N"),
    ):
        if grant:
            place.run(grant)
        asked = replace(table, table="W") if grant and ".W " in grant else table
        with place.extractor() as extractor:
            frames = extractor.read(asked, extractor.describe(asked).columns, 500)
            first = next(frames)
            place.run(f"UPDATE {place.owner}.T SET N = N + 1")
            frame = pl.concat([first, *frames])
        assert frame.height == frame["N"].n_unique() == 9000
        assert any(missing in message for message in logged.messages(20))


def test_the_session_says_who_it_is(place: Place) -> None:
    table = place.table("T", "A NUMBER(4)", "1")
    with place.extractor() as extractor, place.admin.cursor() as cursor:
        frames = extractor.read(table, extractor.describe(table).columns, 10)
        next(frames)
        cursor.execute("SELECT program, module FROM v$session WHERE username = :name", name=place.reader)
        assert cursor.fetchall() == [("udm-pipeline", "udm-pipeline DNA.T")]


def test_what_may_not_be_read_and_who_may_not_log_in_is_told(place: Place) -> None:
    hidden = place.table("HIDDEN", "A NUMBER(4)", grant=False)
    with place.extractor() as extractor, pytest.raises(SourceTableMissing, match="UDM_SOURCE_DNA"):
        extractor.describe(hidden)
    right = place.url
    place.url = right.set(password="wrong")
    with pytest.raises(SourceRefused, match="ORA-01017"):
        place.extractor()
    place.url = right
    place.run(f"ALTER USER {place.reader} ACCOUNT LOCK")
    with pytest.raises(SourceRefused, match=r"locked \(ORA-28000\)"):
        place.extractor()
    place.run(f"ALTER USER {place.reader} ACCOUNT UNLOCK", f"REVOKE CREATE SESSION FROM {place.reader}")
    with pytest.raises(SourceRefused, match="ORA-01045"):
        place.extractor()
