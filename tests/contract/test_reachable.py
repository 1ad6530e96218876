"""What a plain connection tells of a server before its driver is asked: on sockets of this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from connections import open_target
from connections.reachable import Obstacle, obstacle
from model.errors import TargetUnavailable
from tests.contract.backends import settings_for

Address = tuple[str, int]


@pytest.fixture
def listening() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.fixture
def closed() -> Address:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address: Address = server.getsockname()
    return address


@pytest.fixture
def silent() -> Iterator[Address]:
    """A port that lets a connection wait: its queue is full and nobody accepts."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        while True:
            waiting = opened.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(server.getsockname())
            except TimeoutError:
                break
        yield server.getsockname()


def named(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> tuple[str, int]:
    """A host of several addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    return "listener", 1433


def test_a_port_that_takes_connections_is_no_obstacle(listening: Address) -> None:
    assert obstacle(*listening, 5) is None


def test_a_closed_port_is_told_at_once(closed: Address) -> None:
    started = time.monotonic()
    assert obstacle(*closed, 30) is Obstacle.REFUSED
    assert time.monotonic() - started < 5


def test_a_host_of_no_such_name_is_unknown() -> None:
    assert obstacle("nowhere.invalid", 1433, 5) is Obstacle.UNKNOWN


def test_silence_is_waited_for(silent: Address) -> None:
    started = time.monotonic()
    assert obstacle(*silent, 0.3) is Obstacle.SILENT
    assert time.monotonic() - started >= 0.3


def test_one_address_of_several_is_enough_and_not_waited_for_behind_the_silent_ones(
    monkeypatch: pytest.MonkeyPatch, silent: Address, closed: Address, listening: Address
) -> None:
    host = named(monkeypatch, silent, closed, listening)
    started = time.monotonic()
    assert obstacle(*host, 30) is None
    assert time.monotonic() - started < 5


def test_an_address_that_refuses_does_not_speak_for_one_that_is_silent(
    monkeypatch: pytest.MonkeyPatch, silent: Address, closed: Address
) -> None:
    assert obstacle(*named(monkeypatch, closed, silent), 0.3) is Obstacle.SILENT


def test_a_sql_server_that_does_not_run_is_told_before_the_login_times_out(closed: Address, tmp_path: Path) -> None:
    pytest.importorskip("pyodbc", exc_type=ImportError)
    settings = settings_for(make_url(f"mssql://udm:secret@127.0.0.1:{closed[1]}/?login_timeout=30"), tmp_path)
    started = time.monotonic()
    with pytest.raises(TargetUnavailable, match="refuses connections on that port") as caught:
        open_target(settings)
    assert time.monotonic() - started < 10
    assert "Check the port" in caught.value.remedy
    assert "secret" not in str(caught.value)
