"""What only SQL Server has: logins and their failures, first runs at once, its lock, its rights."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from config import Settings
from connections import open_target
from connections.mssql_lock import RELEASE
from model.errors import TableHeld, TargetUnavailable
from model.ops import PIPELINE_BATCH
from tests.contract.large import Large, at, day
from tests.contract.mssql_backend import MSSQL
from tests.contract.pipeline import Pipeline, opened_pipeline
from tests.mssql_server import babelfish, mssql_server

pytestmark = pytest.mark.mssql
BACKEND = MSSQL()
LONG = "\N{CYRILLIC CAPITAL LETTER ZHE}?\N{GRINNING FACE}" * 3_000
SCRIPT = Path(__file__).parents[2] / "docs" / "mssql_grants.sql"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[URL]:
    """Three empty databases."""
    made = BACKEND.empty(tmp_path)
    yield made
    BACKEND.dispose(made)


@pytest.fixture
def settings(url: URL, tmp_path: Path) -> Settings:
    return BACKEND.settings(url, tmp_path)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with opened_pipeline(BACKEND, tmp_path) as opened:
        yield opened


def with_login(settings: Settings, **changes: str) -> Settings:
    return replace(settings, target=settings.target.set(**changes))  # type: ignore[arg-type]


def test_first_runs_that_start_together_all_succeed(settings: Settings) -> None:
    with ThreadPoolExecutor(3) as pool:
        targets = list(pool.map(lambda _: open_target(settings), range(3)))
    for target in targets:
        with target.engine.connect() as connection:
            assert ("ops", "pipelineeventlog") in target.catalogue(connection, settings.general_db)
        target.close()


def test_workers_that_want_one_schema_at_once_all_get_it(pipeline: Pipeline) -> None:
    stage = pipeline.target.databases.stage
    with ThreadPoolExecutor(4) as pool:
        for number in range(5):
            list(pool.map(pipeline.target.create_schema, [stage] * 4, [f"SOURCE{number}"] * 4))
    with pipeline.target.engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT name FROM [{stage}].sys.schemas WHERE name LIKE 'source%'")).all()
    assert len(found) == 5


def test_a_missing_database_is_named_and_created_only_when_asked_for(settings: Settings, url: URL) -> None:
    missing = replace(settings, stage_db=f"{settings.stage_db}_more")
    with pytest.raises(TargetUnavailable, match=missing.stage_db) as caught:
        open_target(missing)
    assert "--create-databases" in caught.value.remedy
    open_target(missing, create_databases=True).close()
    open_target(missing).close()
    BACKEND.execute(url, "General", f"USE master; DROP DATABASE {missing.stage_db}")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": "not the password"}, "refuses user"),
        ({"username": "nobody_of_that_name"}, "refuses user nobody_of_that_name"),
        ({"port": 9}, "refuses connections"),
    ],
)
def test_a_login_that_fails_says_why_and_shows_no_password(settings: Settings, changes: dict[str, str], says: str) -> None:
    quick = replace(settings, target=settings.target.update_query_dict({"login_timeout": "5"}))
    with pytest.raises(TargetUnavailable, match=says) as caught:
        open_target(with_login(quick, **changes))
    assert "not the password" not in str(caught.value)
    assert str(settings.target.password) not in str(caught.value)


def test_a_certificate_of_nobody_known_is_not_trusted_by_itself(settings: Settings) -> None:
    with pytest.raises(TargetUnavailable, match="certificate"):
        open_target(replace(settings, target=settings.target.difference_update_query(["trust_server_certificate"])))


def test_a_table_is_held_against_other_sessions_and_free_when_its_session_ends(pipeline: Pipeline) -> None:
    other = open_target(pipeline.settings)
    try:
        with pipeline.target.lock_table("dna", "acct") as session:
            with pytest.raises(TableHeld), other.lock_table("dna", "acct"):
                pytest.fail("held twice")
            with session.begin() as connection:
                connection.execute(sa.text("SELECT 1")).all()
            with pytest.raises(TableHeld), other.lock_table("dna", "acct"):
                pytest.fail("a commit gave the lock back")
        with other.lock_table("dna", "acct"):
            pass
    finally:
        other.close()


def test_a_lock_whose_release_fails_ends_with_its_session(pipeline: Pipeline) -> None:
    """A session left open would hold the table for as long as the process lives."""

    def broken(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement == RELEASE:
            raise RuntimeError

    sa.event.listen(pipeline.target.engine, "before_cursor_execute", broken)
    with pytest.raises(RuntimeError), pipeline.target.lock_table("dna", "acct"):
        pass
    sa.event.remove(pipeline.target.engine, "before_cursor_execute", broken)
    for attempt in range(50):
        try:
            with pipeline.target.lock_table("dna", "acct"):
                return
        except TableHeld:
            time.sleep(0.1 * bool(attempt))
    pytest.fail("still held")


def test_a_lock_whose_session_was_lost_fails_with_that_error_and_logs_in_for_nothing(pipeline: Pipeline) -> None:
    """A login to release what is gone would fail in the first error's place while the server restarts."""
    server = mssql_server().url
    assert server is not None
    opened: list[object] = []

    def lose_it() -> None:
        with pipeline.target.lock_table("dna", "acct") as session:
            with session.begin() as connection:
                number = connection.execute(sa.text("SELECT @@SPID")).scalar_one()
            BACKEND._run(server, "master", f"KILL {number}")
            sa.event.listen(pipeline.target.engine, "connect", lambda *arguments: opened.append(arguments))
            with session.begin() as connection:
                connection.execute(sa.text("SELECT 1"))

    with pytest.raises(sa.exc.DBAPIError) as caught:
        lose_it()
    assert pipeline.target.is_transient(caught.value)
    assert opened == []


def test_an_interrupt_ends_what_runs_on_the_data_sessions(pipeline: Pipeline) -> None:
    threading.Timer(1, pipeline.target.interrupt).start()
    started = time.monotonic()
    with pytest.raises(sa.exc.DBAPIError), pipeline.target.engine.connect() as connection:
        connection.execute(sa.text("WAITFOR DELAY '00:00:30'"))
    assert time.monotonic() - started < 15


def test_no_null_is_a_parameter_of_which_pyodbc_would_ask_the_server_for_the_type(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a transaction, which may end with the question: Babelfish then loses what came before."""
    sent: list[tuple[str, object]] = []

    def keep(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        sent.append((statement, parameters))

    for engine in (pipeline.target.engine, pipeline.target.recorder):
        sa.event.listen(engine, "after_cursor_execute", keep)
    large = Large(pipeline, monkeypatch, lookback_days=3)
    large.fill((1, day(2), "a"), (2, day(3), None), (3, None, "c"))
    assert large.load().inserted == 3
    large.fill((1, day(2), "b"), (2, day(3), None))
    changed = large.load()
    assert (changed.updated, changed.deleted) == (1, 1)
    assert [statement for statement, parameters in sent if "None" in repr(parameters)] == []
    assert any("[ErrorMessage]=NULL" in statement for statement, _ in sent)


def test_a_transaction_with_nulls_keeps_all_of_its_parts(pipeline: Pipeline) -> None:
    target = pipeline.target
    batches = target.own(PIPELINE_BATCH)
    begun = {"BatchId": 901, "RunBatchId": None, "StartedAt": at(2026, 3, 2), "HostName": "h", "ProcessId": 1, "Command": LONG}
    with target.recorder.begin() as connection:
        connection.execute(sa.insert(batches), [begun, {**begun, "BatchId": 902}])
        connection.execute(sa.update(batches).values(ExitStatus=0, EndedAt=None).where(batches.c.BatchId == 901))
        connection.execute(sa.update(batches).values(ExitStatus=None, EndedAt=at(2026, 3, 2)).where(batches.c.BatchId == 902))
    query = sa.select(batches.c.ExitStatus, batches.c.EndedAt, batches.c.Command).order_by(batches.c.BatchId)
    with target.recorder.connect() as connection:
        assert connection.execute(query.where(batches.c.BatchId > 900)).all() == [(0, None, LONG), (None, at(2026, 3, 2), LONG)]


def test_the_session_has_the_settings_that_the_statements_rely_on(pipeline: Pipeline) -> None:
    properties = "CAST(SESSIONPROPERTY('QUOTED_IDENTIFIER') AS int), CAST(SESSIONPROPERTY('ANSI_NULLS') AS int)"
    query = f"SELECT {properties}, program_name FROM sys.dm_exec_sessions WHERE session_id = @@SPID"
    with pipeline.target.engine.connect() as connection:
        assert tuple(connection.execute(sa.text(query)).one()) == (1, 1, "udm-pipeline")


def test_the_grant_script_gives_no_more_than_it_says() -> None:
    granted = re.findall(r"^GRANT (.*?) (?:ON|TO)\b", SCRIPT.read_text(), re.MULTILINE)
    assert sorted(set(granted)) == ["CONNECT, CREATE SCHEMA, CREATE TABLE", "SELECT, INSERT, UPDATE, ALTER"]


@pytest.mark.skipif(babelfish(), reason="the test server has no CREATE SCHEMA right to grant, and DDL there wants dbo")
def test_a_login_with_the_scripts_rights_loads_and_updates_a_table(pipeline: Pipeline, tmp_path: Path) -> None:
    settings, login, password = pipeline.settings, f"udm_{tmp_path.name[-20:]}".replace("-", "_"), "Least-rights-1"
    text = SCRIPT.read_text().replace("<password>", password).replace("[udm]", f"[{login}]")
    for name, real in {"UDM_Stage": "stage_db", "UDM_Bronze": "bronze_db", "General": "general_db"}.items():
        text = text.replace(f"[{name}]", f"[{getattr(settings, real)}]")
    server = mssql_server().url
    assert server is not None
    BACKEND._run(server, "master", *(part for part in re.split(r"^GO$", text, flags=re.MULTILINE) if part.strip()))
    pipeline.target.close()
    pipeline.settings = with_login(settings, username=login, password=password)
    pipeline.target = open_target(pipeline.settings)
    pipeline.source.table("ACCT", "ID INTEGER PRIMARY KEY, V INTEGER", [(1, 1), (2, 2)])
    assert pipeline.load("ACCT").inserted == 2
    pipeline.source.table("ACCT", "ID INTEGER PRIMARY KEY, V INTEGER", [(1, 1), (2, 3)])
    assert pipeline.load("ACCT").updated == 1
