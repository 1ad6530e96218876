"""Parts of Oracle tables with the real driver: windows and keys by binds of the right types, ranges side by side as of one SCN.

The server is the stand-in of `test_oracle_extractor.py`: what goes over the wire is proven, what Oracle makes of it is not.
"""

# ruff: noqa: DTZ001 - Oracle's dates have no zone

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import oracledb
import polars as pl
import pytest
from sqlalchemy.engine import make_url

from extract.extractor import SourceTable, open_extractor
from extract.oracle_extractor import OracleExtractor
from extract.oracle_extractor.connection import open_connection
from extract.oracle_extractor.ranges import RangeSessions
from extract.selection import Between, WithKeys
from extract.source_connections import SourceConnections
from model.errors import IncompleteExtract, Interrupted, PipelineError, SourceUnavailable
from sources.limits import Limits
from sources.registry import Source
from tests.contract.conftest import Records
from tests.contract.test_oracle_extractor import ID, TABLE, Database, extractor, ids
from tests.oracle_stand_in import CHAR, DATE, NUMBER, RAW, TIMESTAMP, VARCHAR, Rows, StandIn, oracle_date, oracle_number

POSTED = ("POSTED", "DATE", None, 7, None, None, 0, "Y")
HINTED = replace(TABLE, index_hint="IX_POSTED", date_column="POSTED", partition_on="ID")
SCN = 2**53 + 1


def on_the_wire(kind: int, form: int, value: bytes) -> re.Pattern[bytes]:
    """A request with a bind of a type and a character set's form (1: the database's, 2: the national one), and with a value."""
    sets = {0: rb"\0\0", 1: rb"\x02\x03\x69\x01", 2: rb"\x02\x03\x69\x02"}[form]
    described = re.escape(bytes([kind])) + rb"\x01\0\0\x01.\0\0\0\0" + sets
    return re.compile(described + rb".*" + re.escape(bytes([len(value)]) + value), re.DOTALL)


def test_a_window_is_one_range_with_the_hint_and_its_count_is_of_the_same_rows() -> None:
    table = replace(HINTED, partition_on=None)
    rows = [[oracle_number(1), oracle_date(datetime(2026, 7, 31, 10))]]
    with extractor(Database([ID, POSTED], Rows(columns=[("C0", NUMBER), ("C1", DATE)], batches=[rows]))) as (found, server):
        columns = found.describe(table).columns
        window = Between(column=columns[1], start=datetime(2026, 7, 31), end=datetime(2026, 8, 1))
        frame = pl.concat(found.read(table, columns, 100, window))
        count, read = server.statements[-2:]
        sent = server.requests[-4:]
    assert frame["POSTED"].to_list() == [datetime(2026, 7, 31, 10)]
    where = 'FROM "OSIBANK"."ACCT" t WHERE t."POSTED" >= :v0 AND t."POSTED" < :v1'
    assert count == f"SELECT /*+ INDEX(t IX_POSTED) */ COUNT(*) {where}"
    assert read == f'SELECT /*+ INDEX(t IX_POSTED) */ t."ID" AS C0, t."POSTED" AS C1 {where}'
    ends = b"\x07" + oracle_date(datetime(2026, 7, 31)) + b"\x07" + oracle_date(datetime(2026, 8, 1))
    bound = [request for request in sent if ends in request]
    assert len(bound) == 2  # DATEs, for the count and for the rows
    assert all(on_the_wire(12, 0, oracle_date(datetime(2026, 8, 1))).search(request) for request in bound)


def test_a_selection_of_which_fewer_rows_come_than_were_counted_is_no_extract() -> None:
    with extractor(Database([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(1)]), count=2)) as (found, _):
        columns = found.describe(TABLE).columns
        keys = WithKeys(columns=columns, keys=pl.DataFrame({"ID": [1, 2]}, {"ID": columns[0].type.dtype}))
        with pytest.raises(IncompleteExtract, match="counted 2 rows and delivered 1"):
            list(found.read(TABLE, columns, 100, keys))


KEYS: list[tuple[Sequence[object], int, object, tuple[int, int, bytes]]] = [
    (("CHAR", None, 4, None, None, 4, "N"), CHAR, "ab  ", (96, 1, b"ab  ")),
    (("VARCHAR2", None, 40, None, None, 40, "N"), VARCHAR, "ü' OR 1=1", (1, 1, "ü' OR 1=1".encode())),
    (("NCHAR", None, 8, None, None, 4, "N"), CHAR, "Ω   ", (96, 2, "Ω   ".encode("utf-16-be"))),
    (("NVARCHAR2", None, 40, None, None, 20, "N"), VARCHAR, "Ω", (1, 2, "Ω".encode("utf-16-be"))),
    (("RAW", None, 16, None, None, 0, "N"), RAW, b"\0\xff", (23, 0, b"\0\xff")),
    (("NUMBER", None, 22, 38, 2, 0, "N"), NUMBER, Decimal("9" * 36 + ".25"), (2, 0, oracle_number(Decimal("9" * 36 + ".25")))),
    (("NUMBER", None, 22, None, None, 0, "N"), VARCHAR, "-0.5", (2, 0, oracle_number(Decimal("-0.5")))),
    (("DATE", None, 7, None, None, 0, "N"), DATE, datetime(2026, 7, 1, 9), (12, 0, oracle_date(datetime(2026, 7, 1, 9)))),
    (
        ("TIMESTAMP(6)", None, 11, None, 6, 0, "N"),
        TIMESTAMP,
        datetime(2026, 7, 1, 9, 0, 0, 123_456),
        (180, 0, oracle_date(datetime(2026, 7, 1, 9)) + (123_456_000).to_bytes(4, "big")),
    ),
]


@pytest.mark.parametrize(("declared", "kind", "key", "bound"), KEYS, ids=[str(case[0][0]) for case in KEYS])
def test_keys_are_bound_in_the_type_of_their_column(
    declared: Sequence[object], kind: int, key: object, bound: tuple[int, int, bytes]
) -> None:
    answer = Rows(columns=[("C0", kind)], national=declared[0] in {"NCHAR", "NVARCHAR2"})
    with extractor(Database([("K", *declared)], answer, count=0)) as (found, server):
        columns = found.describe(TABLE).columns
        keys = pl.DataFrame({"K": [key]}, {"K": columns[0].type.dtype})
        assert not list(found.read(TABLE, columns, 100, WithKeys(columns=columns, keys=keys)))
        assert server.statements[-1].endswith('WHERE t."K" IN (:v0)')
        bound_twice = [request for request in server.requests if on_the_wire(*bound).search(request)]
    assert len(bound_twice) == 2


def test_many_keys_are_asked_for_in_several_statements_of_one_transaction() -> None:
    database = Database([ID], Rows(columns=[("C0", NUMBER)]), count=0)
    with extractor(database) as (found, server):
        columns = found.describe(TABLE).columns
        keys = pl.DataFrame({"ID": [*range(1500), 3]}, {"ID": columns[0].type.dtype})
        assert not list(found.read(TABLE, columns, 100, WithKeys(columns=columns, keys=keys)))
        began = server.statements.index("SET TRANSACTION READ ONLY")
        asked = [statement for statement in server.statements[began:] if " IN (" in statement]
        assert server.statements.count("SET TRANSACTION READ ONLY") == 1
    assert [statement.count(":v") for statement in asked] == [1000, 500, 1000, 500]


# --- Ranges -----------------------------------------------------------------------------------------------------------


class Ranged(Database):
    """A table of 300 rows by ID, each range of which is answered by its binds' place among the ranges."""

    def __init__(self) -> None:
        super().__init__([ID], Rows(columns=[("C0", NUMBER)], batches=[ids(100)]))
        self.answers["GET_SYSTEM_CHANGE_NUMBER"] = [number(SCN)]
        self.answers["MIN("] = [bounds(0, 299, 300, 0)]


def number(value: int) -> Rows:
    return Rows(columns=[("N", NUMBER)], batches=[[[oracle_number(value)]]])


def bounds(*values: int) -> Rows:
    columns = [(name, NUMBER) for name in ("MIN", "MAX", "ROWS", "NULLS")]
    return Rows(columns=columns, batches=[[[oracle_number(value) for value in values]]])


SPLIT = replace(TABLE, partition_on="id")


def by_ranges(
    database: Database,
    table: SourceTable = SPLIT,
    connections: int = 4,
    then: Callable[[OracleExtractor, StandIn], None] = lambda *_: None,
) -> tuple[list[pl.DataFrame], StandIn]:
    with StandIn(answer=database) as server:
        source = Source(name="DNA", url=make_url(server.url), limits=Limits(max_connections=connections))
        held = SourceConnections()
        with held.one(source, lambda _: None), OracleExtractor(source, held) as found:
            columns = found.describe(table).columns
            server.statements.clear()
            then(found, server)
            frames = list(found.read(table, columns, 50))
            with held.further(source, 9) as free:
                assert free == connections - 1
    return frames, server


def test_ranges_are_read_by_sessions_of_their_own_as_of_one_scn(logged: Records) -> None:
    table = replace(HINTED, partition_on="ID", date_column=None)
    frames, server = by_ranges(Ranged(), table)
    assert sum(frame.height for frame in frames) == 300
    place, hint = 'FROM "OSIBANK"."ACCT" AS OF SCN :scn t', "/*+ INDEX(t IX_POSTED) */"
    planned = [statement for statement in server.statements if "all_" not in statement and "USERENV" not in statement]
    assert planned[0] == "SELECT DBMS_FLASHBACK.GET_SYSTEM_CHANGE_NUMBER FROM dual"
    assert planned[1] == f'SELECT MIN(t."ID"), MAX(t."ID"), COUNT(*), COUNT(*) - COUNT(t."ID") {place}'
    assert sum(statement.startswith("ALTER SESSION") for statement in planned) == 3
    assert sorted(statement for statement in planned[2:] if "ALTER SESSION" not in statement) == [
        f'SELECT {hint} t."ID" AS C0 {place} WHERE t."ID" < :v0 OR t."ID" IS NULL',
        f'SELECT {hint} t."ID" AS C0 {place} WHERE t."ID" >= :v0',
        f'SELECT {hint} t."ID" AS C0 {place} WHERE t."ID" >= :v0 AND t."ID" < :v1',
    ]
    scn = bytes([len(oracle_number(SCN))]) + oracle_number(SCN)
    assert sum(scn in request for request in server.requests if b"AS OF SCN" in request) == 4
    assert "DNA.ACCT: was read in 3 ranges of ID" in logged.messages(20)


def test_rows_that_the_ranges_lack_are_no_extract() -> None:
    database = Ranged()
    database.answers["MIN("] = [bounds(0, 299, 301, 0)]
    with pytest.raises(IncompleteExtract, match="counted 301 rows, and its ranges delivered 300"):
        by_ranges(database)


@pytest.mark.parametrize(
    ("part", "ending", "why"),
    [
        ("GET_SYSTEM_CHANGE_NUMBER", (904, "ORA-00904: x"), r"the login has no EXECUTE on SYS\.DBMS_FLASHBACK \(ORA-00904;"),
        ("MIN(", (1031, "ORA-01031: x"), r'the login has no FLASHBACK on "OSIBANK"\."ACCT" \(ORA-01031; docs/oracle_grants\.sql'),
        ("MIN(", (8187, "ORA-08187: x"), r"it cannot be read as of an SCN \(ORA-08187\)"),
    ],
)
def test_without_the_rights_it_is_one_stream_and_a_line_says_which(
    part: str, ending: tuple[int, str], why: str, logged: Records
) -> None:
    database = Ranged()
    database.answers[part] = [Rows(columns=[("N", NUMBER)], ending=ending)]
    frames, server = by_ranges(database)
    assert sum(frame.height for frame in frames) == 100
    assert "SET TRANSACTION READ ONLY" in server.statements
    [line] = [message for message in logged.messages(20) if "one stream" in message]
    assert re.search(why, line)


@pytest.mark.parametrize("connections", [2, 3])
def test_the_cap_of_connections_holds(connections: int, logged: Records) -> None:
    database = Ranged()
    database.answers["MIN("] = [bounds(0, 199, 200, 0)]
    frames, server = by_ranges(database, connections=connections)
    ranges = sum("AS OF SCN" in statement and "AS C0" in statement for statement in server.statements)
    assert ranges == (2 if connections == 3 else 0)
    alone = [message for message in logged.messages(20) if "SOURCE_MAX_CONNECTIONS leaves no connections" in message]
    assert bool(alone) == (connections == 2)
    assert len(frames) >= 1


@pytest.mark.parametrize(("code", "place"), [(1555, "AS C0"), (8181, "MIN(")])
def test_a_state_that_is_gone_makes_the_read_start_over(code: int, place: str) -> None:
    database = Ranged()
    database.answers[place] = [Rows(columns=[("C0", NUMBER)], ending=(code, f"ORA-{code:05}: secret"))]
    with pytest.raises(SourceUnavailable, match=rf"^DNA\.ACCT: .*snapshot too old\) \(ORA-{code:05}\)"):
        by_ranges(database)


def waiting(count: int) -> Ranged:
    database = Ranged()
    database.answers["AS C0"] = [Rows(columns=[("C0", NUMBER)], waits=True)] * count
    return database


@pytest.mark.parametrize("hanging", [3, 2])
def test_an_interrupt_ends_all_ranges(hanging: int) -> None:
    """All hang, or one has ended."""

    def then(found: OracleExtractor, server: StandIn) -> None:
        def stop() -> None:
            server.waiting.wait(10)
            threading.Event().wait(0.3)
            found.interrupt()

        threading.Thread(target=stop, daemon=True).start()

    with pytest.raises(Interrupted):
        by_ranges(waiting(hanging), then=then)


def test_an_error_of_one_range_ends_the_others() -> None:
    database = waiting(2)
    failing = Rows(columns=[("C0", NUMBER)], ending=(1722, "ORA-01722: secret"))
    database.answers = {"< :v0": [failing], **database.answers}
    with pytest.raises(PipelineError, match="ORA-01722"):
        by_ranges(database)


def test_a_break_that_is_ahead_of_its_statement_ends_it_all_the_same() -> None:
    """As where one range fails in the moment in which another is about to send its statement."""
    with StandIn(answer=waiting(1)) as server:
        connection = open_connection(Source(name="SRC", url=make_url(server.url)))
        ended: list[str] = []

        def execute() -> None:
            try:
                connection.cursor().execute("SELECT 1 AS C0 FROM t")
            except oracledb.Error as error:
                ended.append(str(error))

        connection.cancel()
        thread = threading.Thread(target=execute, daemon=True)
        thread.start()
        thread.join(20)
        assert "ORA-01013" in "".join(ended)


def test_a_session_that_comes_too_late_reads_nothing() -> None:
    with StandIn(answer=Ranged()) as server:
        sessions = RangeSessions(Source(name="DNA", url=make_url(server.url)))
        sessions.stop()
        with pytest.raises(Interrupted), sessions.one(TABLE):
            pass


def test_the_seam_hands_the_cap_on_and_a_selection_is_one_stream() -> None:
    database = Ranged()
    with StandIn(answer=database) as server:
        source = Source(name="DNA", url=make_url(server.url))
        held = SourceConnections()
        with held.further(source, 3), open_extractor(source, held) as found:
            columns = found.describe(SPLIT).columns
            assert sum(frame.height for frame in found.read(SPLIT, columns, 50)) == 100
        with open_extractor(source, SourceConnections()) as found:
            window = Between(column=columns[0], start=0, end=100)
            assert sum(frame.height for frame in found.read(SPLIT, columns, 50, window)) == 100
        assert not any("SCN" in statement for statement in server.statements)
