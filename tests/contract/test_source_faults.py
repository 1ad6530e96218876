"""A source that breaks off, falls silent, or is killed: the extract starts over, or fails cleanly; it is never short."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from sources.registry import Source
from tests.contract.backends import DuckDB
from tests.contract.conftest import Records
from tests.contract.pipeline import opened_pipeline
from tests.contract.proxy import Fault, Proxy, proxy_before
from tests.contract.source_server import SourceServer, source_server
from tests.contract.source_warehouse import ROWS, Warehouse, changes

RANGES = pytest.mark.parametrize("partition_on", [None, "id"])


@pytest.fixture(scope="module")
def server() -> Iterator[SourceServer]:
    with source_server() as started:
        yield started


@pytest.fixture
def proxy(server: SourceServer) -> Iterator[Proxy]:
    with proxy_before(server.socket) as opened:
        yield opened


@pytest.fixture
def warehouse(server: SourceServer, proxy: Proxy, tmp_path: Path) -> Iterator[Warehouse]:
    """The first day is loaded, the second one waits."""
    server.execute(
        "DROP TABLE IF EXISTS big",
        "CREATE TABLE big (id int PRIMARY KEY, v text)",
        f"INSERT INTO big SELECT i, repeat(md5(i::text), 9) FROM generate_series(1, {ROWS}) i",
    )
    with opened_pipeline(DuckDB(), tmp_path) as pipeline:
        source = server.source(proxy.port, query_timeout=2, connect_timeout=2)
        opened = Warehouse(pipeline=pipeline, source=source)
        by_ranges(opened, None)
        assert opened.load().inserted == ROWS
        server.execute(
            "DELETE FROM big WHERE id <= 10",
            f"INSERT INTO big SELECT i, 'new' FROM generate_series({ROWS + 1}, {ROWS + 5}) i",
            "UPDATE big SET v = 'changed' WHERE id BETWEEN 101 AND 107",
        )
        yield opened


def by_ranges(warehouse: Warehouse, partition_on: str | None) -> None:
    config = TableConfig(source="PG", table="big", source_schema="public", partition_on=partition_on)
    warehouse.pipeline.configs["big"] = config


@RANGES
@pytest.mark.parametrize("fault", ["close", "reset", "stall"])
def test_a_connection_that_breaks_in_mid_read_costs_a_retry(
    warehouse: Warehouse, proxy: Proxy, fault: Fault, partition_on: str | None, logged: Records
) -> None:
    by_ranges(warehouse, partition_on)
    proxy.arm(fault)
    changes(warehouse.load())
    assert proxy.broken == 1
    assert warehouse.extracts() == [("FAILED", "SourceUnavailable"), ("SUCCESS", None)]
    [line] = [message for message in logged.messages(30) if "attempt 1 of 3" in message]
    assert "the extract failed (SourceUnavailable: PG.big: the source broke the read off after" in line
    assert ("nothing came for 2 seconds (SOURCE_QUERY_TIMEOUT)" in line) == (fault == "stall")
    warehouse.check_exact()


@RANGES
def test_a_connection_that_breaks_each_time_fails_the_table_and_changes_nothing(
    warehouse: Warehouse, proxy: Proxy, partition_on: str | None
) -> None:
    by_ranges(warehouse, partition_on)
    before = warehouse.digest()
    proxy.arm("reset", times=1_000)
    message = warehouse.failed_clean(before)
    assert "the extract failed 3 times" in message
    assert "UDM_SOURCE_PG" in message
    assert warehouse.extracts() == [("FAILED", "SourceUnavailable")] * 3
    proxy.arm("reset", times=0)
    changes(warehouse.load())
    warehouse.check_exact()


@RANGES
def test_a_server_killed_in_mid_read_costs_a_retry_when_it_comes_back(
    warehouse: Warehouse, server: SourceServer, proxy: Proxy, partition_on: str | None
) -> None:
    by_ranges(warehouse, partition_on)
    before = warehouse.digest()
    killed = threading.Event()

    def kill_in_mid_read() -> None:
        proxy.wait_until_handed(2_000_000)
        server.kill()
        killed.set()

    killer = threading.Thread(target=kill_in_mid_read)
    killer.start()
    try:
        message = warehouse.failed_clean(before, retry_attempts=2)
    finally:
        killer.join()
        server.start()
    assert killed.is_set()
    assert "the extract failed 2 times" in message
    assert warehouse.extracts() == [("FAILED", "SourceUnavailable")] * 2

    def kill_and_start() -> None:
        kill_in_mid_read()
        server.start()

    killer = threading.Thread(target=kill_and_start)
    killer.start()
    changes(warehouse.load(retry_attempts=20, retry_seconds=0.2))
    killer.join()
    assert warehouse.extracts()[0] == ("FAILED", "SourceUnavailable")
    assert warehouse.extracts()[-1] == ("SUCCESS", None)
    warehouse.check_exact()


def test_a_source_that_is_not_up_yet_is_asked_again(warehouse: Warehouse, proxy: Proxy) -> None:
    proxy.refusing = True
    timer = threading.Timer(0.5, lambda: setattr(proxy, "refusing", False))
    timer.start()
    changes(warehouse.load(retry_attempts=20, retry_seconds=0.2))
    timer.join()
    assert ("FAILED", "SourceUnavailable") in warehouse.extracts()


@pytest.mark.parametrize("trouble", ["login", "right", "table"])
def test_what_a_person_has_to_change_is_not_tried_again(warehouse: Warehouse, server: SourceServer, trouble: str) -> None:
    before = warehouse.digest()
    source = warehouse.source
    if trouble == "login":
        server.execute("DROP ROLE IF EXISTS nobody", "CREATE ROLE nobody NOLOGIN")
        source = Source(name="PG", url=source.url.set(username="nobody"))
    elif trouble == "right":
        server.execute("DROP ROLE IF EXISTS poor", "CREATE ROLE poor LOGIN")
        source = Source(name="PG", url=source.url.set(username="poor"))
    else:
        server.execute("ALTER TABLE big RENAME TO gone")
    message = Warehouse(pipeline=warehouse.pipeline, source=source).failed_clean(before)
    assert "UDM_SOURCE_PG" in message
    assert "times" not in message
    [(status, error)] = warehouse.extracts()
    assert (status, error) == ("FAILED", "SourceRefused" if trouble == "login" else "SourceTableMissing")
    server.execute("DROP TABLE IF EXISTS gone")


def test_an_interrupt_while_the_source_is_waited_for_ends_the_run_at_once(warehouse: Warehouse, proxy: Proxy) -> None:
    proxy.refusing = True
    runs: list[RunContext] = []
    timer = threading.Timer(0.5, lambda: runs[0].cancellation.request())  # noqa: PLW0108 - it is there only then
    timer.start()
    started = time.monotonic()
    result = warehouse.run(retry_seconds=100.0, around=runs.append)
    timer.join()
    assert time.monotonic() - started < 20
    assert "interrupted" in result.message
    assert len(warehouse.extracts()) == 1


def test_a_held_file_is_waited_for_and_a_missing_one_is_not(tmp_path: Path) -> None:
    with opened_pipeline(DuckDB(), tmp_path) as pipeline:
        pipeline.source.path.unlink()
        assert "does not exist" in pipeline.fail("ACCT", retry_seconds=0.0)
        query = 'SELECT count(*) FROM {ops}."PipelineEventLog" WHERE "BatchId" = :batch AND "EventType" = \'EXTRACT\''
        assert pipeline.query(query, batch=pipeline.batch) == [(1,)]
