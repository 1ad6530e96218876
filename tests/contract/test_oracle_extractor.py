"""Oracle sources with the real driver: what it makes of every type on the wire, of lost connections, breaks and refusals.

The server is a stand-in (`tests/oracle_stand_in.py`) whose answers are scripted: what Oracle itself makes of the SQL is for
`test_oracle.py`.
"""

# ruff: noqa: DTZ001, DTZ901 - Oracle's dates have no zone

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import oracledb
import polars as pl
import pytest
from sqlalchemy.engine import make_url

from extract.connectorx_extractor import process
from extract.connectorx_oracle_extractor import ConnectorXOracleExtractor
from extract.extractor import SourceDescription, SourceTable, open_extractor
from extract.oracle_extractor import OracleExtractor
from extract.oracle_extractor.connection import connectorx_url
from model.errors import (
    ConfigurationError,
    IncompleteExtract,
    Interrupted,
    PipelineError,
    SourceRefused,
    SourceTableMissing,
    SourceUnavailable,
    TerminalError,
    ValueNotExact,
)
from sources.registry import Source
from tests.oracle_stand_in import (
    BINARY_DOUBLE,
    BINARY_FLOAT,
    BLOB,
    CHAR,
    CLOB,
    DATE,
    NUMBER,
    PASSWORD,
    RAW,
    TIMESTAMP,
    VARCHAR,
    Rows,
    StandIn,
    oracle_date,
    oracle_double,
    oracle_number,
    oracle_timestamp,
)

TABLE = SourceTable(source="DNA", table="ACCT", schema="OSIBANK")
ID = ("ID", "NUMBER", None, 22, 10, 0, 0, "N")


def encoded(value: object) -> bytes | None:
    if value is None:
        return None
    return oracle_number(value) if isinstance(value, int) else str(value).encode()


def catalogue_rows(*rows: Sequence[object]) -> Rows:
    kinds = (VARCHAR, VARCHAR, VARCHAR, NUMBER, NUMBER, NUMBER, NUMBER, VARCHAR)
    return Rows(
        columns=[(f"C{place}", kind) for place, kind in enumerate(kinds[: len(rows[0])] if rows else kinds)],
        batches=[[[encoded(value) for value in row] for row in rows]],
    )


class Database:
    """A table by its catalogue's rows and its rows on the wire; other answers may be put before its own."""

    def __init__(self, columns: Sequence[Sequence[object]], rows: Rows, *, count: int | None = None) -> None:
        self.columns, self.rows = columns, rows
        self.count = sum(map(len, rows.batches)) if count is None else count
        self.answers: dict[str, list[Rows]] = {}

    def __call__(self, sql: str) -> Rows:
        for part, answers in self.answers.items():
            if part in sql and answers:
                return answers.pop(0)
        three = [("K", VARCHAR), ("N", VARCHAR), ("C", VARCHAR)]
        standing = {
            "ALTER SESSION": Rows(),
            "SET TRANSACTION": Rows(),
            "SYS_CONTEXT": catalogue_rows(("UDM",)),
            "FROM all_tab_columns": catalogue_rows(*self.columns),
            "FROM all_constraints": Rows(columns=three, batches=[[[b"P", b"PK", b"ID"]]]),
            "FROM all_": Rows(columns=three),
            "COUNT(*) FROM": Rows(columns=[("N", NUMBER)], batches=[[[oracle_number(self.count)]]]),
        }
        return next((answer for part, answer in standing.items() if part in sql), self.rows)


@contextmanager
def extractor(database: Database, **options: str) -> Iterator[tuple[OracleExtractor, StandIn]]:
    with StandIn(answer=database) as server:
        url = make_url(server.url).update_query_dict(options)
        with OracleExtractor(Source(name="DNA", url=url)) as found:
            yield found, server


def read(database: Database, table: SourceTable = TABLE, batch_rows: int = 1000) -> pl.DataFrame:
    with extractor(database) as (found, _):
        return pl.concat(found.read(table, found.describe(table).columns, batch_rows))


def one(declared: Sequence[object], kind: int, values: Sequence[bytes | None], **more: Any) -> Database:
    rows = Rows(columns=[("C0", kind)], batches=[[[value] for value in values]], **more)
    return Database([("V", *declared)], rows)


FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)
NINES, MINUS_NINES = Decimal("9" * 38), Decimal("-" + "9" * 38)
TYPES: list[tuple[str, Sequence[object], int, list[bytes | None], list[object]]] = [
    (
        "NUMBER(38,0)",
        ("NUMBER", None, 22, 38, 0, 0, "Y"),
        NUMBER,
        [oracle_number(NINES), oracle_number(MINUS_NINES), oracle_number(0), None],
        [NINES, MINUS_NINES, Decimal(0), None],
    ),
    (
        "NUMBER(38,10)",
        ("NUMBER", None, 22, 38, 10, 0, "Y"),
        NUMBER,
        [oracle_number(Decimal(text)) for text in ("1234567890123456789012345678.0123456789", "-0.0000000001", "12.5", "100")],
        [Decimal(text) for text in ("1234567890123456789012345678.0123456789", "-0.0000000001", "12.5", "100")],
    ),
    ("NUMBER(2,5)", ("NUMBER", None, 22, 2, 5, 0, "Y"), NUMBER, [oracle_number(Decimal("0.00012"))], [Decimal("0.00012")]),
    ("NUMBER(3,-2)", ("NUMBER", None, 22, 3, -2, 0, "Y"), NUMBER, [oracle_number(12300)], [Decimal(12300)]),
    (
        "NUMBER",
        ("NUMBER", None, 22, None, None, 0, "Y"),
        VARCHAR,
        [b"1", b".5", b"-.5", b"1E+125", None],
        ["1", "0.5", "-0.5", "1E+125", None],
    ),
    (
        "BINARY_DOUBLE",
        ("BINARY_DOUBLE", None, 8, None, None, 0, "Y"),
        BINARY_DOUBLE,
        [oracle_double(value) for value in (0.1, -1.5, 5e-324, float("inf"), float("-inf"))],
        [0.1, -1.5, 5e-324, float("inf"), float("-inf")],
    ),
    (
        "BINARY_FLOAT",
        ("BINARY_FLOAT", None, 4, None, None, 0, "Y"),
        BINARY_FLOAT,
        [oracle_double(value, ">f") for value in (0.25, -1.5)],
        [0.25, -1.5],
    ),
    ("CHAR(4)", ("CHAR", None, 4, None, None, 4, "Y"), CHAR, [b"a   ", b"    ", None], ["a   ", "    ", None]),
    (
        "VARCHAR2(40)",
        ("VARCHAR2", None, 40, None, None, 40, "Y"),
        VARCHAR,
        ["ä\t\n😀".encode(), b"\0", b"x" * 30_000, None],
        ["ä\t\n😀", "\0", "x" * 30_000, None],
    ),
    ("RAW(3)", ("RAW", None, 3, None, None, 0, "Y"), RAW, [b"\0\xff\n", None], [b"\0\xff\n", None]),
    (
        "DATE",
        ("DATE", None, 7, None, None, 0, "Y"),
        DATE,
        [oracle_date(FIRST), oracle_date(LAST), oracle_date(datetime(2026, 3, 29, 2, 30, 1)), None],
        [FIRST, LAST, datetime(2026, 3, 29, 2, 30, 1), None],
    ),
    (
        "TIMESTAMP(6)",
        ("TIMESTAMP(6)", None, 11, None, 6, 0, "Y"),
        TIMESTAMP,
        [oracle_timestamp(datetime.max), oracle_timestamp(datetime(1969, 12, 31, 23, 59, 59, 999_999)), oracle_timestamp(FIRST)],
        [datetime.max, datetime(1969, 12, 31, 23, 59, 59, 999_999), FIRST],
    ),
    (
        "TIMESTAMP(6) WITH LOCAL TIME ZONE",
        ("TIMESTAMP(6) WITH LOCAL TIME ZONE", None, 11, None, 6, 0, "Y"),
        TIMESTAMP,
        [oracle_timestamp(datetime(2026, 7, 1, 10))],
        [datetime(2026, 7, 1, 10, tzinfo=UTC)],
    ),
    (
        "TIMESTAMP(9)",
        ("TIMESTAMP(9)", None, 11, None, 9, 0, "Y"),
        VARCHAR,
        [b"2026-07-01 10:00:00.123456789", b"-0044-03-15 00:00:00.000000000"],
        ["2026-07-01 10:00:00.123456789", "-0044-03-15 00:00:00.000000000"],
    ),
]


@pytest.mark.parametrize(("declared", "row", "kind", "sent", "wanted"), TYPES, ids=[case[0] for case in TYPES])
def test_what_is_on_the_wire_arrives(
    declared: str, row: Sequence[object], kind: int, sent: list[bytes | None], wanted: list[object]
) -> None:
    frame = read(one(row, kind, sent))
    assert frame["V"].to_list() == wanted


def test_nan_arrives() -> None:
    frame = read(one(("BINARY_DOUBLE", None, 8, None, None, 0, "Y"), BINARY_DOUBLE, [oracle_double(float("nan"))]))
    assert frame["V"].is_nan().all()


def test_national_text_arrives() -> None:
    database = one(("NVARCHAR2", None, 40, None, None, 20, "Y"), VARCHAR, ["Ωmega😀".encode("utf-16-be")], national=True)
    assert read(database)["V"].to_list() == ["Ωmega😀"]


@pytest.mark.parametrize(("declared", "kind", "empty"), [("CLOB", CLOB, ""), ("BLOB", BLOB, b"")])
def test_an_empty_lob_is_not_null(declared: str, kind: int, empty: str | bytes) -> None:
    text = b"x" * 100_000
    rows = Rows(columns=[("C0", kind), ("C1", NUMBER)], batches=[[[None, oracle_number(1)], [None, None], [text, None]]])
    frame = read(Database([("V", declared, None, 4000, None, None, 0, "Y")], rows))
    assert frame["V"].to_list() == [empty, None, text if kind == BLOB else text.decode()]


@pytest.mark.parametrize(
    "declared", [("DATE", None, 7, None, None, 0, "Y"), ("TIMESTAMP(6)", None, 11, None, 6, 0, "Y")], ids=["DATE", "TIMESTAMP"]
)
def test_a_date_before_christ_is_refused_by_its_column(declared: Sequence[object]) -> None:
    kind = DATE if declared[0] == "DATE" else TIMESTAMP
    fine = Rows(columns=[("C0", kind), ("C1", kind)], batches=[[[oracle_date(LAST), oracle_date((-44, 3, 15, 0, 0, 0))]]])
    database = Database([("A", *declared), ("B", *declared)], fine)
    database.answers["< DATE '0001-01-01'"] = [Rows(columns=[("A", NUMBER), ("B", NUMBER)], batches=[[[None, oracle_number(1)]]])]
    with pytest.raises(ValueNotExact, match=r"^DNA\.ACCT: column 'B' holds a date outside of the years 1 to 9999"):
        read(database)


def test_a_number_beyond_its_declaration_is_refused_without_its_digits() -> None:
    database = one(("NUMBER", None, 22, 4, 2, 0, "Y"), NUMBER, [oracle_number(Decimal("98765.4321"))])
    with pytest.raises(ValueNotExact, match=r"'V' \(NUMBER\(4,2\)\)") as caught:
        read(database)
    assert "98765" not in str(caught.value)


def test_text_that_is_no_utf_8_is_refused_and_does_not_reach_polars() -> None:
    with pytest.raises(
        ValueNotExact, match=r"column 'V' \(VARCHAR2\(40\)\) holds text that is not valid in its character set"
    ) as caught:
        read(one(("VARCHAR2", None, 40, None, None, 40, "Y"), VARCHAR, [b"good", b"secret\xff"]))
    assert "secret" not in str(caught.value)


def test_half_a_surrogate_pair_is_refused_by_its_column() -> None:
    with pytest.raises(ValueNotExact, match=r"column 'V' \(NVARCHAR2\(20\)\) holds text that is not valid"):
        read(one(("NVARCHAR2", None, 40, None, None, 20, "Y"), VARCHAR, [b"\xd8\x00"], national=True))


def test_large_values_are_not_gathered_into_large_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extract.oracle_extractor.statement._LARGE_ROWS", 2)
    rows = [[b"x", None], [b"y", None]]
    answer = Rows(columns=[("C0", CLOB), ("C1", NUMBER)], batches=[rows, rows, rows])
    with extractor(Database([("V", "CLOB", None, 4000, None, None, 0, "Y")], answer)) as (found, _):
        frames = list(found.read(TABLE, found.describe(TABLE).columns, 1000))
    assert [frame.height for frame in frames] == [2, 2, 2]


def ids(count: int) -> list[list[bytes | None]]:
    return [[oracle_number(value)] for value in range(count)]


def test_the_description_has_columns_and_key() -> None:
    with extractor(Database([ID], Rows())) as (found, server):
        described = found.describe(TABLE)
    assert isinstance(described, SourceDescription)
    assert (described.columns[0].source_type, described.key) == ("NUMBER(10,0)", ("ID",))
    assert b"udm-pipeline DNA.ACCT" in b"".join(server.requests)  # V$SESSION.MODULE


def test_a_read_is_one_transaction_of_its_own_with_its_count_first() -> None:
    with extractor(Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(3)]))) as (found, server):
        columns = found.describe(TABLE).columns
        list(found.read(TABLE, columns, 100))
        began = server.statements.index("SET TRANSACTION READ ONLY")
    assert [statement for statement in server.statements[began:] if "all_" not in statement and "USERENV" not in statement] == [
        "SET TRANSACTION READ ONLY",
        'SELECT COUNT(*) FROM "OSIBANK"."ACCT" t',
        'SELECT t."ID" AS C0 FROM "OSIBANK"."ACCT" t',
    ]


def test_rows_come_in_batches() -> None:
    database = Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(5), ids(5), ids(2)]))
    with extractor(database) as (found, _):
        frames = list(found.read(TABLE, found.describe(TABLE).columns, 5))
    assert [frame.height for frame in frames] == [5, 5, 2]


@pytest.mark.parametrize("counted", [2, 4])
def test_fewer_or_more_rows_than_counted_are_no_extract(counted: int) -> None:
    with pytest.raises(IncompleteExtract, match=rf"counted {counted} rows and delivered 3"):
        read(Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(3)]), count=counted))


def test_an_empty_table_gives_no_frame() -> None:
    with extractor(Database([ID], Rows(columns=[("C0", NUMBER)]), count=0)) as (found, _):
        assert not list(found.read(TABLE, found.describe(TABLE).columns, 100))


@pytest.mark.parametrize(
    ("ending", "raised", "said"),
    [
        ((1555, "ORA-01555: snapshot too old, secret"), SourceUnavailable, "snapshot too old.*ORA-01555.*UNDO_RETENTION"),
        ((3113, "ORA-03113: end-of-file secret"), SourceUnavailable, "connection was lost"),
        ((942, "ORA-00942: table or view does not exist secret"), SourceTableMissing, "ORA-00942.*GRANT SELECT.*UDM_SOURCE_DNA"),
        ((1031, "ORA-01031: insufficient privileges secret"), SourceTableMissing, "ORA-01031"),
        ((1722, "ORA-01722: invalid number secret"), TerminalError, "ORA-01722"),
        ((1013, "ORA-01013: user requested cancel"), SourceUnavailable, "someone cancelled"),
    ],
)
def test_an_error_in_mid_read_says_what_it_means_and_no_word_of_the_drivers(
    ending: tuple[int, str], raised: type[PipelineError], said: str
) -> None:
    database = Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(5), ids(2)], ending=ending))
    with extractor(database) as (found, _):
        frames = found.read(TABLE, found.describe(TABLE).columns, 5)
        assert next(frames).height == 5
        with pytest.raises(raised, match=said) as caught:
            list(frames)
    assert type(caught.value) is raised
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("DNA.ACCT: ")


def test_a_connection_that_breaks_in_mid_row_is_no_short_extract() -> None:
    database = Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(5), ids(2)], cut=True))
    with extractor(database) as (found, _):
        frames = found.read(TABLE, found.describe(TABLE).columns, 5)
        next(frames)
        with pytest.raises(SourceUnavailable, match=r"connection was lost.*DPY-4011"):
            list(frames)


def test_a_statement_that_runs_is_broken_off_from_another_thread() -> None:
    database = Database([ID], Rows())
    with extractor(database) as (found, server):
        columns = found.describe(TABLE).columns
        database.answers['AS C0 FROM "OSIBANK"'] = [Rows(waits=True)]

        def stop() -> None:
            server.waiting.wait(10)
            found.interrupt()

        threading.Thread(target=stop, daemon=True).start()
        with pytest.raises(Interrupted):
            list(found.read(TABLE, columns, 100))
        with pytest.raises(Interrupted):
            list(found.read(TABLE, columns, 100))


def test_a_call_that_takes_too_long_says_which_option_to_raise() -> None:
    database = Database([ID], Rows())
    with extractor(database, call_timeout="1") as (found, _):
        columns = found.describe(TABLE).columns
        database.answers["COUNT(*)"] = [Rows(waits=True)]
        with pytest.raises(SourceUnavailable, match=r"call_timeout=SECONDS behind the '\?' of UDM_SOURCE_DNA"):
            list(found.read(TABLE, columns, 100))


POSTED = ("POSTED", "DATE", None, 7, None, None, 0, "Y")


def test_days_are_read_one_by_one_and_empty_ones_are_skipped() -> None:
    table = SourceTable(source="DNA", table="ACCT", schema="OSIBANK", index_hint="IX_POSTED", date_column="posted")
    database = Database([ID, POSTED], Rows(), count=3)

    def day(*instants: datetime | None) -> Rows:
        rows = [[oracle_number(1), oracle_date(instant) if instant else None] for instant in instants]
        return Rows(columns=[("C0", NUMBER), ("C1", DATE)], batches=[rows])

    least = [oracle_date(datetime(2020, 2, 3, 4)), oracle_date(datetime(2026, 7, 31)), None]
    database.answers["MIN("] = [Rows(columns=[("M", DATE)], batches=[[[value]]]) for value in least]
    database.answers["AS C0"] = [day(datetime(2020, 2, 3, 4)), day(datetime(2026, 7, 31)), day(None)]
    with extractor(database) as (found, server):
        frames = list(found.read(table, found.describe(table).columns, 1000))
        rows = [statement for statement in server.statements if "AS C0" in statement or "MIN(" in statement]
    assert [frame.height for frame in frames] == [3]  # small days come together
    assert frames[0]["POSTED"].to_list() == [datetime(2020, 2, 3, 4), datetime(2026, 7, 31), None]
    hint = "/*+ INDEX(t IX_POSTED) */"
    assert f'SELECT {hint} MIN(t."POSTED") FROM "OSIBANK"."ACCT" t' in rows
    assert rows[-1].endswith('WHERE t."POSTED" IS NULL')
    assert all(hint in statement for statement in rows)
    # The binds are DATEs: 7 bytes, of the day's beginning and of the next one's.
    sent = b"".join(server.requests)
    assert b"\x07" + oracle_date(datetime(2020, 2, 3)) + b"\x07" + oracle_date(datetime(2020, 2, 4)) in sent
    assert b"\x07" + oracle_date(datetime(2026, 7, 31)) + b"\x07" + oracle_date(datetime(2026, 8, 1)) in sent


def test_a_date_column_that_is_not_there_is_told() -> None:
    table = SourceTable(source="DNA", table="ACCT", index_hint="IX", date_column="WHEN")
    with pytest.raises(TerminalError, match="no column WHEN, which SourceAggregateColumnName names"):
        read(Database([ID], Rows(columns=[("C0", NUMBER)])), table)


def test_a_column_that_is_no_date_is_read_whole() -> None:
    table = SourceTable(source="DNA", table="ACCT", index_hint="IX", date_column="ID")
    assert read(Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(3)])), table).height == 3


# --- Logging in -------------------------------------------------------------------------------------------------------


def refused(url: str, **options: Any) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        OracleExtractor(Source(name="DNA", url=make_url(url), **options))
    assert PASSWORD not in str(caught.value)
    assert "pwsecret" not in str(caught.value)
    return caught.value


def test_a_wrong_password_is_told_at_once_and_never_shown() -> None:
    with StandIn(answer=Database([ID], Rows())) as server:
        error = refused(server.url.replace(PASSWORD, "pwsecret"))
    assert isinstance(error, SourceRefused)
    assert "ORA-01017" in str(error)
    assert "UDM_SOURCE_DNA" in str(error)


def test_the_session_is_set_up_and_says_who_it_is() -> None:
    with extractor(Database([ID], Rows())) as (_, server):
        assert server.statements[0].startswith("ALTER SESSION SET TIME_ZONE = '+00:00' NLS_CALENDAR = 'GREGORIAN'")
        connect, login = server.requests[:2]
    assert b"(SERVICE_NAME=test)" in connect
    assert b"AUTH_PROGRAM_NM" in login
    assert b"udm-pipeline" in login


def test_a_sid_and_a_name_of_tnsnames_ora_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(answer=Database([ID], Rows())) as server:
        OracleExtractor(Source(name="DNA", url=make_url(server.url).set(database="CORE", query={}))).close()
        assert b"(SID=CORE)" in server.requests[0]
        port = make_url(server.url).port
        place = f"(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT={port}))(CONNECT_DATA=(SERVICE_NAME=by.alias)))"
        (tmp_path / "tnsnames.ora").write_text(f"CORE_ALIAS = {place}\n")
        monkeypatch.setattr(oracledb.defaults, "config_dir", str(tmp_path))
        server.requests.clear()
        OracleExtractor(Source(name="DNA", url=make_url(f"oracle://udm:{PASSWORD}@core_alias"))).close()
        assert b"(SERVICE_NAME=by.alias)" in server.requests[0]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_closed_port_and_an_unknown_host_are_told() -> None:
    error = refused(f"oracle://u:pwsecret@127.0.0.1:{closed_port()}/?service_name=x")
    assert isinstance(error, SourceUnavailable)
    assert "nothing answers at that host and port" in str(error)
    error = refused("oracle://u:pwsecret@no-such-host.invalid:1521/?service_name=x")
    assert isinstance(error, SourceUnavailable)
    assert "no machine has that name" in str(error)


@contextmanager
def listener(answer: bytes | None) -> Iterator[int]:
    """Answers the first packet with bytes, or with nothing at all until it is left."""
    left = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(4096)
                if answer is None:
                    left.wait(30)
                else:
                    client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        left.set()


def refusal(code: int) -> bytes:
    text = f"(DESCRIPTION=(ERR={code})(VSNNUM=318767104))".encode()
    return struct.pack(">HHBBHHH", 12 + len(text), 0, 4, 0, 0, 0x2200, len(text)) + text


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "connection was lost"),
        (refusal(12514), "does not know that service or SID.*service_name in UDM_SOURCE_DNA"),
        (refusal(12505), "does not know that service or SID"),
        (refusal(12528), r"the database is not open \(ORA-12528\)"),
        (refusal(12519), "takes no further session.*WORKERS"),
    ],
)
def test_what_a_listener_refuses_is_told(answer: bytes, said: str) -> None:
    with listener(answer) as port:
        error = refused(f"oracle://u:pwsecret@127.0.0.1:{port}/?service_name=x")
    assert isinstance(error, SourceUnavailable)
    with pytest.raises(SourceUnavailable, match=said):
        raise error


def test_a_host_that_takes_the_connection_and_says_nothing_is_not_waited_for_without_end() -> None:
    with listener(None) as port:
        error = refused(f"oracle://u:pwsecret@127.0.0.1:{port}/?service_name=x&tcp_connect_timeout=1")
    assert "nothing answered in time" in str(error)


def test_a_missing_password_and_a_missing_service_say_what_to_set() -> None:
    assert "UDM_SOURCE_DNA_PASSWORD_FILE" in str(refused("oracle://u@127.0.0.1:1/?service_name=x"))
    assert "oracle://user@host:1521/?service_name=NAME" in str(refused("oracle://u:pwsecret@no-alias"))


@pytest.mark.parametrize(
    "url",
    [
        "oracle://127.0.0.1/?service_name=x",
        "oracle://u:pwsecret@h/?service_name=x&unknown=1",
        "oracle://u:pwsecret@h/SID?service_name=x",
        "oracle://u:pwsecret@h/?service_name=x&protocol=udp",
        "oracle://u:pwsecret@h/?service_name=x&call_timeout=soon",
        "oracle://u:pwsecret@h/?service_name=x&service_name=y",
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    assert isinstance(refused(url), ConfigurationError)


# --- The other route --------------------------------------------------------------------------------------------------


def test_where_no_client_is_the_seam_reads_by_python_oracledb() -> None:
    database = Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(3)]))
    with StandIn(answer=database) as server, open_extractor(Source(name="DNA", url=make_url(server.url))) as found:
        assert isinstance(found, ConnectorXOracleExtractor)
        frames = list(found.read(TABLE, found.describe(TABLE).columns, 100))
    assert [frame.height for frame in frames] == [3]


@pytest.mark.parametrize(
    ("url", "theirs"),
    [
        ("oracle://u:p%40:@h:1522/?service_name=a.b&call_timeout=9", "oracle://u:p%40%3A@h:1522/a.b"),
        ("oracle://u:p@[::1]/?service_name=s", "oracle://u:p@[::1]:1521/s"),
        ("oracle://u:p@h/SID", None),
        ("oracle://u:p@h/?service_name=s&protocol=tcps", None),
        ("oracle://u:p@h/?service_name=s&connectorx=no", None),
        ("oracle://u@h/?service_name=s", None),
        ("oracle://u:p@alias", None),
    ],
)
def test_connectorx_gets_no_url_that_it_would_read_otherwise(url: str, theirs: str | None) -> None:
    assert connectorx_url(Source(name="DNA", url=make_url(url))) == theirs


def as_connectorx(
    monkeypatch: pytest.MonkeyPatch, folder: Path, frames: Sequence[pl.DataFrame], ending: str = ""
) -> tuple[list[pl.DataFrame], Database]:
    """What is read where ConnectorX's process, its program replaced by one that sends these frames, comes to this end."""
    for place, frame in enumerate(frames):
        frame.write_ipc_stream(folder / f"{place}.arrow")
    program = folder / "child.py"
    program.write_text(
        "import os, struct, sys; from pathlib import Path\nsys.stdin.read(); folder = Path(sys.argv[0]).parent\n"
        "def send(payload, size): os.write(1, struct.pack('<q', size) + payload)\n"
        f"for place in range({len(frames)}):\n"
        "    payload = (folder / f'{place}.arrow').read_bytes(); send(payload, len(payload))\n"
        f"words = {ending!r}.encode(); send(words, -len(words))\n"
    )
    monkeypatch.setattr(process, "_PROGRAM", program)
    amount = ("AMOUNT", "NUMBER", None, 22, 12, 2, 0, "Y")
    database = Database([ID, amount, ("N", "NUMBER", None, 22, None, None, 0, "Y")], Rows(), count=0)
    with StandIn(answer=database) as server, ConnectorXOracleExtractor(Source(name="DNA", url=make_url(server.url))) as found:
        columns = found.describe(TABLE).columns
        monkeypatch.setattr(found, "_source", Source(name="DNA", url=make_url(server.url), client_folder=folder))
        return list(found.read(TABLE, columns, 100)), database


def sent_by_connectorx(count: int, *numbers: int) -> pl.DataFrame:
    """As ConnectorX types them: whole numbers in 64 bits, others as decimals of scale 10."""
    cents = pl.Series([Decimal(f"{number}.25") for number in numbers], dtype=pl.Decimal(38, 10))
    return pl.DataFrame({"N": [count] * len(numbers), "C0": list(numbers), "C1": cents, "C2": [".5"] * len(numbers)})


def test_both_routes_give_the_same_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    frames, _ = as_connectorx(monkeypatch, tmp_path, [sent_by_connectorx(3, 1, 2), sent_by_connectorx(3, 3)])
    assert pl.concat(frames).rows() == [(Decimal(n), Decimal(f"{n}.25"), "0.5") for n in (1, 2, 3)]
    assert frames[0].schema == {"ID": pl.Decimal(10, 0), "AMOUNT": pl.Decimal(12, 2), "N": pl.String()}


def test_connectorx_that_delivers_fewer_rows_than_it_counted_is_no_extract(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(IncompleteExtract, match="counted 4 rows and delivered 2"):
        as_connectorx(monkeypatch, tmp_path, [sent_by_connectorx(4, 1, 2)])


def test_connectorx_that_breaks_off_in_mid_read_is_no_second_reading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"after 2 rows \(ORA-01555\).*connectorx=no") as caught:
        as_connectorx(monkeypatch, tmp_path, [sent_by_connectorx(4, 1, 2)], "panicked: ORA-01555 secret")
    assert "secret" not in str(caught.value)


def test_an_empty_answer_of_connectorx_is_checked_by_a_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    frames, database = as_connectorx(monkeypatch, tmp_path, [])
    assert (frames, database.count) == ([], 0)


def test_a_folder_without_a_client_is_told(tmp_path: Path) -> None:
    # In a process of its own: the driver stays in the mode of its first connection.
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    program = (
        "import sys; from pathlib import Path; from sqlalchemy.engine import make_url\n"
        "from sources.registry import Source; from extract.oracle_extractor import OracleExtractor\n"
        "source = Source(name='DNA', url=make_url('oracle://u:p@h/?service_name=x'), client_folder=Path(sys.argv[1]))\n"
        "try: OracleExtractor(source)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.startswith("TerminalError Source DNA: the Oracle client cannot be loaded (DPI-1047).")


def test_connectorx_that_fails_before_a_row_came_is_a_warning_and_the_other_route_reads(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real ConnectorX, which finds no client here; thin mode stands for the thick one that such a source would log in by."""
    from extract import connectorx_oracle_extractor as other  # noqa: PLC0415

    database = Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(3)]))
    with StandIn(answer=database) as server, ConnectorXOracleExtractor(Source(name="DNA", url=make_url(server.url))) as found:
        columns = found.describe(TABLE).columns
        monkeypatch.setattr(found, "_source", Source(name="DNA", url=make_url(server.url), client_folder=tmp_path))
        assert other.suits(found._source, TABLE, columns)
        with caplog.at_level("WARNING", logger="udm.oracle"):
            frames = list(found.read(TABLE, columns, 100))
    assert [frame.height for frame in frames] == [3]
    [record] = caplog.records
    assert record.getMessage() == "DNA.ACCT: ConnectorX failed (DPI-1047); oracle_extractor reads the table instead"


@pytest.mark.parametrize(("found", "led"), [(["T", "I"], True), (["T", "P"], True), (["T"], False), ([], None)])
def test_an_index_or_partitions_by_a_column_are_known_of_tables_alone(found: list[str], led: bool | None) -> None:
    database = Database([ID], Rows())
    database.answers["FROM all_tables"] = [Rows(columns=[("K", VARCHAR)], batches=[[[kind.encode()] for kind in found]])]
    with extractor(database) as (opened, server):
        assert opened.is_led_to_by(TABLE, opened.describe(TABLE).columns[0]) is led
    assert "k.column_name = :led_by" in server.statements[-1]
