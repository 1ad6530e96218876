"""What only PostgreSQL has: its ways of failing to connect, its locks, its cancel requests, its errors that quote values."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, localcontext
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from connections import open_target, postgresql_target
from connections.postgresql_connect import check_server, engine_of
from connections.postgresql_errors import TRANSIENT, why_not_connected
from connections.postgresql_hashes import by_block, by_key, copy_hashes
from connections.postgresql_lock import lock_key
from connections.postgresql_statements import index_name
from connections.postgresql_target import PostgreSQLTarget
from connections.target import Databases
from data_load.schema_utils import create_table, typed
from model.control import CONTROL
from model.errors import IntegrityError, TableHeld, TargetUnavailable, TransientError, ValueNotExact
from model.names import TableName
from model.types import TIME, UUID, Column, decimal, integer
from tests.contract.backends import POSTGRESQL, settings_for
from tests.contract.large import Large
from tests.contract.pipeline import Pipeline, opened_pipeline
from tests.postgresql_server import postgresql_server

SECRET = "hunter2secret"
DATABASES = Databases(stage="UDM_Stage", bronze="UDM_Bronze", general="General")


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with opened_pipeline(POSTGRESQL, tmp_path) as opened:
        yield opened


@pytest.fixture
def target(pipeline: Pipeline) -> PostgreSQLTarget:
    assert isinstance(pipeline.target, PostgreSQLTarget)
    return pipeline.target


def refused(url: URL) -> str:
    with pytest.raises(TargetUnavailable) as caught:
        PostgreSQLTarget(url, DATABASES)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "part"), [("nowhere.invalid", 5432, "host name is unknown"), ("127.0.0.1", 1, "nothing answers")]
)
def test_a_server_that_is_not_there_is_named_with_the_remedy_and_without_the_password(host: str, port: int, part: str) -> None:
    message = refused(URL.create("postgresql", "udm", SECRET, host, port, "warehouse"))
    assert part in message
    assert "UDM_TARGET" in message
    assert host in message


def test_a_missing_database_is_named_and_not_created() -> None:
    url = postgresql_server().url.set(database="no_such_database")
    assert "never creates databases" in refused(url)
    assert "never creates databases" in refused(url)


# https://www.postgresql.org/docs/14/client-authentication-problems.html
@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f'FATAL: password authentication failed for user "udm" {SECRET}', "UDM_TARGET_PASSWORD_FILE"),
        ('FATAL: no pg_hba.conf entry for host "10.0.0.1", user "udm", database "w", no encryption', "sslmode=require"),
        ("connection failed: server does not support SSL, but SSL was required", "sslmode=disable"),
        ('FATAL: no pg_hba.conf entry for host "10.0.0.1", user "udm", database "w", SSL encryption', "pg_hba.conf"),
        ("FATAL: sorry, too many clients already", "Try again later"),
        (f"something nobody has seen yet {SECRET}", "something nobody has seen yet ***"),
    ],
)
def test_each_way_a_log_in_can_fail_has_its_remedy(text: str, part: str) -> None:
    url = URL.create("postgresql", "udm", SECRET, "dbhost", 5432, "w")
    message = str(why_not_connected(url, psycopg.OperationalError(text)))
    assert part in message
    assert SECRET not in message
    assert "dbhost" in message


class Answers:
    """An engine whose server says this of itself."""

    def __init__(self, *row: object) -> None:
        self._engine = sa.create_engine("sqlite://")
        self._row = row

    def connect(self) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def execute(self, _: object) -> Any:
        return self

    def one(self) -> Any:
        return self._row


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ((130021, "13.21", "UTF8", "off"), "Use PostgreSQL 14 or later"),
        ((160000, "16.0", "LATIN1", "off"), "ENCODING 'UTF8'"),
        ((160000, "16.0", "UTF8", "on"), "primary server"),
    ],
)
def test_a_server_that_will_not_do_is_refused_at_once(row: tuple[object, ...], part: str) -> None:
    with pytest.raises(TargetUnavailable, match=part):
        check_server(URL.create("postgresql", "udm", SECRET, "dbhost"), Answers(*row))  # type: ignore[arg-type]


def test_a_user_that_may_not_create_schemas_is_told_the_grant(tmp_path: Path) -> None:
    url = POSTGRESQL.empty(tmp_path)
    postgresql_server().execute(f"DROP ROLE IF EXISTS weak_{tmp_path.name}", f"CREATE ROLE weak_{tmp_path.name} LOGIN")
    with pytest.raises(TargetUnavailable, match="GRANT CREATE ON DATABASE"):
        open_target(settings_for(url.set(username=f"weak_{tmp_path.name}"), tmp_path))


def test_two_first_runs_that_start_at_the_same_time_both_find_everything_created(tmp_path: Path) -> None:
    url = POSTGRESQL.empty(tmp_path)
    together = threading.Barrier(4)

    def opened(_: int) -> int:
        together.wait()
        target = open_target(settings_for(url, tmp_path))
        with target.engine.connect() as connection:
            held = target.catalogue(connection, "General")
        target.close()
        return len(held)

    with ThreadPoolExecutor(4) as pool:
        assert min(pool.map(opened, range(4))) > len(CONTROL.tables)


def test_a_session_is_what_the_pipeline_relies_on_whatever_the_database_is_set_to(tmp_path: Path) -> None:
    url = POSTGRESQL.empty(tmp_path)
    hostile = {"timezone": "Asia/Kolkata", "datestyle": "German", "bytea_output": "escape", "idle_session_timeout": "1s"}
    for name, value in hostile.items():
        postgresql_server().execute(f"ALTER DATABASE {url.database} SET {name} = '{value}'")
    engine = engine_of(url)
    query = "SELECT current_setting('TimeZone'), current_setting('idle_session_timeout'), current_setting('application_name')"
    with engine.connect() as connection:
        assert tuple(connection.execute(sa.text(query)).one()) == ("UTC", "0", "udm-pipeline")
    engine.dispose()


def test_the_planner_is_told_what_a_random_page_costs_unless_the_url_says_so(tmp_path: Path) -> None:
    url = POSTGRESQL.empty(tmp_path)
    query = sa.text("SELECT current_setting('random_page_cost'), current_setting('jit'), current_setting('TimeZone')")
    for options, expected in ({}, ("1.1", "off", "UTC")), ({"options": "-c random_page_cost=3"}, ("3", "off", "UTC")):
        engine = engine_of(url.update_query_dict(options))
        with engine.connect() as connection:
            assert tuple(connection.execute(query).one()) == expected
        engine.dispose()


def test_a_held_table_names_its_holder(target: PostgreSQLTarget) -> None:
    with target.lock_table("dna", "acct") as session, session.begin() as connection:
        pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with pytest.raises(TableHeld, match=rf"server process {pid} \(udm-pipeline"), target.lock_table("dna", "acct"):
            pass
        with target.lock_table("dna", "acct_type"):
            pass
    with target.lock_table("dna", "acct"):
        pass


def test_a_promotion_whose_session_lost_the_lock_is_not_begun(target: PostgreSQLTarget) -> None:
    """SQLAlchemy would connect anew in silence, and two runs would promote one table."""
    with target.lock_table("dna", "acct") as session:
        with session.begin() as connection:
            pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with target.recorder.begin() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with pytest.raises(sa.exc.OperationalError) as lost, session.begin():
            pass
        assert target.is_transient(lost.value)
        with pytest.raises(TransientError, match="lock was lost"), session.begin():
            pass


def test_lock_keys_differ_and_stay_the_same() -> None:
    assert lock_key(("ab", "c")) != lock_key(("a", "bc"))
    assert lock_key(("UDM_Stage", "dna", "acct")) == 2391061155930054929


def test_interrupt_stops_a_statement_in_another_thread_and_leaves_idle_sessions_be(target: PostgreSQLTarget) -> None:
    with target.engine.connect() as idle, ThreadPoolExecutor(1) as pool:
        idle.execute(sa.text("SELECT 1"))

        def wait() -> None:
            with target.engine.connect() as connection:
                connection.execute(sa.text("SELECT pg_sleep(60)"))

        waiting = pool.submit(wait)
        started = time.monotonic()
        while not waiting.done() and time.monotonic() - started < 20:
            target.interrupt()
            time.sleep(0.05)
        with pytest.raises(sa.exc.OperationalError, match="QueryCanceled"):
            waiting.result()
        assert time.monotonic() - started < 20
        assert idle.execute(sa.text("SELECT 2")).scalar_one() == 2


def test_a_data_error_quotes_no_value(target: PostgreSQLTarget) -> None:
    """Also not where SQLAlchemy's error, its cause and their traceback are shown whole."""
    with target.engine.connect() as connection:
        connection.execute(sa.text("CREATE TEMP TABLE t (id int PRIMARY KEY, v text NOT NULL)"))
        connection.execute(sa.text(f"INSERT INTO t VALUES (1, '{SECRET}')"))
        for statement in ("INSERT INTO t VALUES (2, NULL)", f"SELECT CAST(v AS int) FROM t WHERE v <> '{SECRET[::-1]}'"):
            with pytest.raises(sa.exc.DBAPIError) as caught, connection.begin_nested():
                connection.execute(sa.text(statement))
            assert SECRET not in str(caught.value)
            assert SECRET not in str(caught.value.orig)
            assert "Failing row" not in str(caught.value)


def refused_state(state: str) -> psycopg.Error:
    return psycopg.errors.lookup(state)("text")


@pytest.mark.parametrize("state", [*sorted(TRANSIENT), "08006", "08001"])
def test_what_may_pass_by_itself_is_transient(target: PostgreSQLTarget, state: str) -> None:
    error = refused_state(state)
    assert target.is_transient(error)
    assert target.is_transient(sa.exc.DBAPIError("SELECT 1", None, error))


@pytest.mark.parametrize("state", ["42501", "42601", "22P02", "23505", "57014"])
def test_what_stays_is_not_transient(target: PostgreSQLTarget, state: str) -> None:
    assert not target.is_transient(refused_state(state))
    assert not target.is_transient(ValueError())


def test_a_deadlock_is_transient(target: PostgreSQLTarget) -> None:
    first = threading.Barrier(2)

    def cross(one: int, other: int) -> BaseException | None:
        try:
            with target.engine.begin() as connection:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": one})
                first.wait()
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": other})
        except sa.exc.DBAPIError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        errors = [error for error in pool.map(cross, (1, 2), (2, 1)) if error is not None]
    assert [target.is_transient(error) for error in errors] == [True]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TIME, "12:00:00.1234567"), (TIME, "12:00"), (TIME, "24:00:01"), (TIME, "12:00:00.50"),
        (UUID, "A0000000-0000-0000-0000-000000000000"), (UUID, "{a0000000-0000-0000-0000-000000000000}"),
    ],
)  # fmt: skip
def test_text_that_stands_for_a_time_or_a_uuid_is_refused_where_it_would_come_back_otherwise(
    target: PostgreSQLTarget, kind: Any, value: str
) -> None:
    name = TableName(database="UDM_Stage", schema="ops", table="PromotionMarker")
    column = Column(name="The Column", type=kind)
    with target.engine.connect() as connection:
        connection.execute(sa.text(f'ALTER TABLE {target.quoted(name)} ADD COLUMN "The Column" {target.type_text(kind)}'))
        with pytest.raises(ValueNotExact, match="'The Column'") as caught:
            target.bulk_load(connection, name, [column], [pl.DataFrame({"The Column": [value]})])
    assert value not in str(caught.value)


DECIMALS = [(1, 0), (1, 1), (4, 2), (9, 4), (16, 0), (17, 1), (18, 2), (18, 17), (19, 3), (20, 0), (33, 16), (35, 33)]
DECIMALS += [(38, scale) for scale in (0, 1, 6, 10, 16, 22, 37, 38)]


@pytest.mark.parametrize(("precision", "scale"), DECIMALS)
def test_decimals_of_every_width_are_stored_to_the_last_digit(target: PostgreSQLTarget, precision: int, scale: int) -> None:
    chance = Random(precision * 100 + scale)
    ends = [0, 1, 10**precision - 1, *(10**power for power in range(precision)), 10_000, 10**16 - 1, 10**16 + 1]
    drawn = [chance.randrange(10 ** chance.randint(1, precision)) for _ in range(200)]
    whole = [number for number in (*ends, *drawn) if number < 10**precision]
    numbers = [*whole, *(-number for number in whole), None]
    with localcontext(prec=60):
        values = [None if number is None else Decimal(number).scaleb(-scale) for number in numbers]
    frame = pl.DataFrame({"N": range(len(values)), "D": pl.Series(values, dtype=pl.Decimal(precision, scale))})
    columns = [Column(name="N", type=integer(64)), Column(name="D", type=decimal(precision, scale))]
    name = TableName(database="UDM_Stage", schema="ops", table="Decimals")
    with target.engine.connect() as connection:
        create_table(target, connection, name, typed(target, columns))
        # In slices, whose buffers do not begin with their first row.
        target.bulk_load(connection, name, columns, [frame.slice(0, 7), frame.slice(7, 0), frame.slice(7)])
        stored = connection.execute(sa.text(f'SELECT "D"::text FROM {target.quoted(name)} ORDER BY "N"')).scalars().all()
    assert stored == [None if value is None else f"{value:f}" for value in values]


def test_a_value_that_the_server_refuses_while_loading_is_told_by_its_column_alone(target: PostgreSQLTarget) -> None:
    name = TableName(database="UDM_Stage", schema="ops", table="Strict")
    column = Column(name="The Column", type=UUID)
    frame = pl.DataFrame({"The Column": ["a0000000-0000-0000-0000-000000000000"]})
    with target.engine.connect() as connection:
        connection.execute(sa.text(f'CREATE TABLE {target.quoted(name)} ("The Column" date)'))
        with pytest.raises(ValueNotExact, match="'The Column'") as caught:
            target.bulk_load(connection, name, [column], [frame])
    assert "a0000000" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_only_a_staging_table_that_a_promotion_in_chunks_resumes_from_outlasts_a_crash(
    pipeline: Pipeline, target: PostgreSQLTarget
) -> None:
    created: list[str] = []

    def noted(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.lstrip().startswith("CREATE") and "_staging_" in statement:
            created.append(statement.split()[1])

    sa.event.listen(target.engine, "before_cursor_execute", noted)
    pipeline.source.execute("CREATE TABLE T (ID INTEGER PRIMARY KEY)", "INSERT INTO T SELECT i FROM range(100) t(i)")
    pipeline.load("T")
    pipeline.source.execute("INSERT INTO T SELECT i FROM range(100, 200) t(i)")
    pipeline.load("T", max_tx_rows=30)
    assert created == ["UNLOGGED", "TABLE"]


def test_hashes_are_read_back_from_an_index_alone_or_from_the_table_in_order(
    pipeline: Pipeline, target: PostgreSQLTarget
) -> None:
    rows = "SELECT i, i FROM range(10000) t(i)"
    pipeline.source.execute("CREATE TABLE T (ID INTEGER PRIMARY KEY, V VARCHAR)", f"INSERT INTO T {rows}")
    pipeline.load("T")
    stage = target.quoted(pipeline.name("stage", "T"))
    query = f"SELECT _key_hash, _row_hash, _hash_layout FROM {stage} WHERE _cdc_is_current = true"
    ways = (by_key(query), by_block(query.replace(" FROM", ", ctid FROM"), stage))
    with target.engine.connect() as connection:
        session: Any = connection.connection.driver_connection
        read = [list(copy_hashes(session, way, 1_000)) for way in ways]
        plans = ["\n".join(line for (line,) in session.execute(f"EXPLAIN (ANALYZE) {way}")) for way in ways]
        plain = session.execute(f"{query} ORDER BY 1").fetchall()
    for frames in read:
        assert sorted(pl.concat(frames).rows()) == plain
    assert len(read[0]) >= 9
    assert pl.concat(read[0]).get_column("_key_hash").is_sorted()
    assert "Index Only Scan" in plans[0]
    assert "Heap Fetches: 0" in plans[0]
    assert "Tid Range Scan" in plans[1]


def test_a_later_run_reads_the_index_until_it_is_gone_or_too_many_rows_must_be_looked_up(
    pipeline: Pipeline, target: PostgreSQLTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noted(connection: Any, query: str, rows: int) -> Iterator[pl.DataFrame]:
        read.append("table" if "ctid" in query else "index")
        return copy_hashes(connection, query, rows)

    monkeypatch.setattr(postgresql_target, "copy_hashes", noted)
    rows = "SELECT i, i FROM range(10000) t(i)"
    pipeline.source.execute("CREATE TABLE T (ID INTEGER PRIMARY KEY, V VARCHAR)", f"INSERT INTO T {rows}")
    stage = pipeline.name("stage", "T")
    pipeline.load("T")
    assert pipeline.load("T").unchanged == 10_000
    with target.engine.begin() as connection:
        # Every row was dead once: no page is visible to all until it is vacuumed.
        connection.execute(sa.text(f"ALTER TABLE {target.quoted(stage)} SET (autovacuum_enabled = off)"))
        connection.execute(sa.text(f"UPDATE {target.quoted(stage)} SET _cdc_batch_id = _cdc_batch_id"))
        connection.execute(sa.text(f"ANALYZE {target.quoted(stage)}"))
    assert pipeline.load("T").unchanged == 10_000
    target.settle(stage)
    assert pipeline.load("T").unchanged == 10_000
    with target.engine.begin() as connection:
        connection.execute(sa.text(f'DROP INDEX "{target.schema(stage.database, stage.schema)}"."ux_T_cdc_current"'))
    assert pipeline.load("T").unchanged == 10_000
    assert read == ["index", "table", "index", "table"]


BROKEN_HASHES = (
    "NULL::bytea AS _key_hash, '\\x00'::bytea AS _row_hash",
    "repeat('x', 15)::bytea AS _key_hash, repeat('x', 17)::bytea AS _row_hash",
    "repeat('x', 16)::bytea AS _key_hash, NULL::bytea AS _row_hash",
)


@pytest.mark.parametrize("hashes", BROKEN_HASHES)
def test_a_current_row_without_hashes_is_an_error(target: PostgreSQLTarget, hashes: str) -> None:
    query = f"SELECT {hashes}, 1::bigint AS _hash_layout, '(0,1)'::tid AS ctid FROM generate_series(1, 3)"
    ways = [by_block(query, "pg_class"), *([] if "NULL::bytea AS _key_hash" in hashes else [by_key(query)])]
    for way in ways:
        with target.engine.connect() as connection, pytest.raises(IntegrityError):
            list(copy_hashes(connection.connection.driver_connection, way, 10))  # type: ignore[arg-type]


def test_a_hint_for_psql_shows_no_password(target: PostgreSQLTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_url", URL.create("postgresql", "udm", SECRET, "dbhost", 5432, "w"))
    hint = target.query_hint(TableName(database="UDM_Bronze", schema="DNA", table="ACCT_scd2_python"))
    assert hint == """psql 'postgresql://udm@dbhost:5432/w' -c 'SELECT * FROM "UDM_Bronze.DNA"."ACCT_scd2_python" LIMIT 5'"""


def test_index_names_are_short_enough_and_differ_where_only_their_ends_do() -> None:
    one, other = (index_name("ux", "t" * 60 + end, "one_active") for end in ("ä", "ö"))
    assert one != other
    assert max(len(name.encode()) for name in (one, other)) <= 63
    assert index_name("ux", "ACCT_cdc", "current") == "ux_ACCT_cdc_current"


def test_a_row_hash_of_stored_rows_survives_a_column_that_vanishes(pipeline: Pipeline) -> None:
    """The rows are read back by a server-side cursor and hashed anew: every type, at its ends."""
    columns = (
        "ID INTEGER PRIMARY KEY, GONE INTEGER, A UBIGINT, B DECIMAL(38,37), C FLOAT, D TIME, E UUID, F BLOB, G TIMESTAMPTZ, "
        "H DATE, I VARCHAR, J BOOLEAN, K UTINYINT, L TIMESTAMP"
    )
    values = (
        "(1, 1, 18446744073709551615, 9.9999999999999999999999999999999999999, 0.1, '24:00:00', "
        "'ffffffff-ffff-ffff-ffff-ffffffffffff', '\\x00'::BLOB, '9999-12-31 23:59:59.999999+00', '0001-01-01', '', true, 255, "
        "'0001-01-01 00:00:00.000001')"
    )
    pipeline.source.execute(f"CREATE TABLE T ({columns})", f"INSERT INTO T VALUES {values}")
    pipeline.load("T")
    pipeline.source.execute("ALTER TABLE T DROP COLUMN GONE")
    result = pipeline.load("T")
    assert (result.changed, result.unchanged) == (0, 1)


def test_a_windows_promotion_looks_its_keys_up_however_much_bronze_holds(
    pipeline: Pipeline, target: PostgreSQLTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = Large(pipeline, monkeypatch, lookback_days=40)
    columns = "(ID INTEGER PRIMARY KEY, D DATE, V VARCHAR)"
    fill = "SELECT i, DATE '2026-03-02' + (i % 4)::INTEGER, repeat('x', 200) FROM range(20000) t(i)"
    pipeline.source.execute(f"CREATE TABLE RTXN {columns}", f"INSERT INTO RTXN {fill}")
    large.load()
    # An update, a move, an insert and a delete.
    pipeline.source.execute(
        "UPDATE RTXN SET V = 'changed' WHERE ID = 4",
        "UPDATE RTXN SET D = DATE '2026-03-05' WHERE ID = 8",
        "DELETE FROM RTXN WHERE ID = 12",
        "INSERT INTO RTXN VALUES (20000, DATE '2026-03-05', 'new')",
    )
    with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for layer in ("stage", "bronze"):
            connection.execute(sa.text(f"VACUUM ANALYZE {target.quoted(pipeline.name(layer, 'RTXN'))}"))
    plans: list[str] = []

    def explained(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "SELECT")) and "RTXN_" in statement:
            cursor.execute(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    sa.event.listen(target.engine, "before_cursor_execute", explained)
    result = large.load()
    assert (result.inserted, result.updated, result.deleted) == (1, 2, 1)
    assert len([plan for plan in plans if plan.startswith("Update on")]) >= 4
    # Whether Bronze is empty is asked of its first row.
    scans = [plan.replace('Seq Scan on "_staging_', "") for plan in plans if not plan.startswith("Limit")]
    assert [plan for plan in scans if "Seq Scan on" in plan] == []
