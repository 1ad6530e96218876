"""A MySQL source (MariaDB) that breaks off, falls silent or is killed: an extract starts over or fails, and is never short."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from orchestration.table_config import TableConfig
from sources.limits import Limits
from sources.registry import Source
from tests.contract.backends import DuckDB
from tests.contract.conftest import Records
from tests.contract.pipeline import opened_pipeline
from tests.contract.proxy import Fault, Proxy, proxy_before
from tests.contract.source_warehouse import ROWS, Warehouse, changes
from tests.mariadb_server import MariaDB, mariadb_server, why_no_mariadb

CHANGES = (
    "DELETE FROM shop.big WHERE id <= 10",
    f"INSERT INTO shop.big SELECT seq, 'new' FROM seq_{ROWS + 1}_to_{ROWS + 5}",
    "UPDATE shop.big SET v = 'changed' WHERE id BETWEEN 101 AND 107",
)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    if why := why_no_mariadb():
        pytest.skip(why)
    with mariadb_server("--skip-innodb-doublewrite") as started:
        started.execute("CREATE DATABASE shop", "CREATE USER reader IDENTIFIED BY 'geheim'", "GRANT SELECT ON shop.* TO reader")
        yield started


@pytest.fixture
def proxy(server: MariaDB) -> Iterator[Proxy]:
    with proxy_before(("127.0.0.1", server.port)) as opened:
        yield opened


@pytest.fixture
def warehouse(server: MariaDB, proxy: Proxy, tmp_path: Path) -> Iterator[Warehouse]:
    """The first day is loaded, the second one waits."""
    server.execute(
        "DROP TABLE IF EXISTS shop.big",
        "CREATE TABLE shop.big (id int PRIMARY KEY, v text)",
        f"INSERT INTO shop.big SELECT seq, repeat(md5(seq), 9) FROM seq_1_to_{ROWS}",
    )
    url = URL.create("mysql", "reader", "geheim", "127.0.0.1", proxy.port, "shop")
    with opened_pipeline(DuckDB(), tmp_path) as pipeline:
        opened = Warehouse(
            pipeline=pipeline, source=Source(name="SHOP", url=url, limits=Limits(query_timeout=2, connect_timeout=2))
        )
        pipeline.configs["big"] = TableConfig(source="SHOP", table="big")
        assert opened.load().inserted == ROWS
        server.execute(*CHANGES)
        yield opened


@pytest.mark.parametrize("fault", ["close", "reset", "stall"])
def test_a_connection_that_breaks_in_mid_read_costs_a_retry(
    warehouse: Warehouse, proxy: Proxy, fault: Fault, logged: Records
) -> None:
    proxy.arm(fault)
    changes(warehouse.load())
    assert proxy.broken == 1
    assert warehouse.extracts() == [("FAILED", "SourceUnavailable"), ("SUCCESS", None)]
    [line] = [message for message in logged.messages(30) if "attempt 1 of 3" in message]
    assert "the extract failed (SourceUnavailable: SHOP.big: the source broke the read off after" in line
    assert ("nothing came for 2 seconds (SOURCE_QUERY_TIMEOUT)" in line) == (fault == "stall")
    warehouse.check_exact()


def kill_the_statement(server: MariaDB) -> None:
    """As an administrator does: the session stays, and its answer ends with an error in the place of further rows."""
    for (session,) in server.execute(
        "SELECT id FROM information_schema.processlist WHERE user = 'reader' AND info LIKE '%UNION ALL%'"
    ):
        with suppress(sa.exc.OperationalError):  # it has ended
            server.execute(f"KILL QUERY {session}")


def test_a_statement_that_is_killed_in_mid_read_costs_a_retry(warehouse: Warehouse, server: MariaDB, proxy: Proxy) -> None:
    def step_in() -> None:
        proxy.wait_until_handed(2_000_000)
        kill_the_statement(server)

    killer = threading.Thread(target=step_in)
    killer.start()
    changes(warehouse.load())
    killer.join()
    assert warehouse.extracts() == [("FAILED", "SourceUnavailable"), ("SUCCESS", None)]
    warehouse.check_exact()


def test_a_server_killed_in_mid_read_fails_cleanly_and_costs_a_retry_when_it_comes_back(
    warehouse: Warehouse, server: MariaDB, proxy: Proxy
) -> None:
    before = warehouse.digest()

    def kill() -> None:
        proxy.wait_until_handed(2_000_000)
        server.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    message = warehouse.failed_clean(before, retry_attempts=2)
    killer.join()
    server.start()
    assert "the extract failed 2 times" in message
    assert "UDM_SOURCE_SHOP" in message
    assert warehouse.extracts() == [("FAILED", "SourceUnavailable")] * 2

    def kill_and_start() -> None:
        kill()
        server.start()

    killer = threading.Thread(target=kill_and_start)
    killer.start()
    changes(warehouse.load(retry_attempts=20, retry_seconds=0.2))
    killer.join()
    assert warehouse.extracts()[0] == ("FAILED", "SourceUnavailable")
    assert warehouse.extracts()[-1] == ("SUCCESS", None)
    warehouse.check_exact()


@pytest.mark.parametrize(
    ("statements", "error"),
    [
        (["ALTER USER reader ACCOUNT LOCK"], "SourceRefused"),
        (["REVOKE SELECT ON shop.* FROM reader"], "SourceRefused"),
        (["ALTER TABLE shop.big RENAME TO shop.gone"], "SourceTableMissing"),
    ],
)
def test_what_a_person_has_to_change_is_not_tried_again(
    warehouse: Warehouse, server: MariaDB, statements: list[str], error: str
) -> None:
    before = warehouse.digest()
    server.execute(*statements)
    try:
        message = warehouse.failed_clean(before)
    finally:
        server.execute(
            "ALTER USER reader ACCOUNT UNLOCK", "GRANT SELECT ON shop.* TO reader", "DROP TABLE IF EXISTS shop.gone"
        )
    assert "UDM_SOURCE_SHOP" in message
    assert "times" not in message
    assert "geheim" not in message
    assert warehouse.extracts() == [("FAILED", error)]
