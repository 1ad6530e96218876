"""A SQL Server for the tests: the one that UDM_TEST_MSSQL_URL names, else one that Docker starts, else none, with the reason."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

import pytest
from sqlalchemy.engine import URL, make_url

from connections.mssql_login import login_of
from connections.mssql_session import connect
from connections.odbc import driver_for

LEFT_OUT = pytest.StashKey[str]()
_NAMED = "UDM_TEST_MSSQL_URL"
_IMAGE = "mcr.microsoft.com/mssql/server:2022-latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`url` logs in as somebody who may create databases; None where there is no server, and `why` says it."""

    url: URL | None
    why: str = ""


@cache
def mssql_server() -> Server:
    """The server of this test process."""
    text = os.environ.get(_NAMED)
    if text:
        return Server(url=make_url(text))
    why = why_no_docker()
    if why:
        return Server(url=None, why=f"{_NAMED} is not set, and {why}")
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - a machine without Docker needs nothing of this
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    password = "Udm-tests-1"
    container = (
        DockerContainer(_IMAGE)
        .with_env("ACCEPT_EULA", "Y")
        .with_env("MSSQL_SA_PASSWORD", password)
        .with_exposed_ports(1433)
        .waiting_for(LogMessageWaitStrategy("SQL Server is now ready for client connections").with_startup_timeout(180))
    )
    container.start()  # testcontainers removes it when this process has ended
    return Server(
        url=URL.create(
            "mssql",
            username="sa",
            password=password,
            host=container.get_container_host_ip(),
            port=int(container.get_exposed_port(1433)),
            query={"trust_server_certificate": "yes"},
        )
    )


def one_is_near() -> bool:
    """Whether `mssql_server` would find one; starts none."""
    return bool(os.environ.get(_NAMED)) or not why_no_docker()


def why_no_docker() -> str:
    """Why no container can be started; empty where one can."""
    if shutil.which("docker") is None:
        return "there is no Docker"
    # Not through its Python client: that leaves its socket open where nobody answers.
    try:
        answer = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "Docker does not answer in time"
    return "Docker does not answer" if answer.returncode else ""


@cache
def babelfish() -> bool:
    """Whether it is a T-SQL server that is not SQL Server; what it does otherwise is declared where it shows."""
    server = mssql_server()
    if server.url is None:
        return False
    login = login_of(server.url)
    session = connect(login, driver_for(login), "master", autocommit=True)
    try:
        return "Babelfish" in str(session.execute("SELECT @@VERSION").fetchval())
    finally:
        session.close()
