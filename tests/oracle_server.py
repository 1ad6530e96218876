"""An Oracle for the tests: the one that UDM_TEST_ORACLE_URL names, else one that Docker starts, else none, with the reason."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from sqlalchemy.engine import URL, make_url

from tests.mssql_server import why_no_docker

_IMAGE = "gvenzl/oracle-free:23-slim-faststart"


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleServer:
    """`url` logs in as an administrator of a pluggable database; None where there is no server, and `why` says it."""

    url: URL | None
    why: str = ""


@cache
def oracle_server() -> OracleServer:
    """The server of this test process."""
    if text := os.environ.get("UDM_TEST_ORACLE_URL"):
        return OracleServer(url=make_url(text))
    if why := why_no_docker():
        return OracleServer(url=None, why=f"UDM_TEST_ORACLE_URL is not set, and {why}")
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - a machine without Docker needs nothing of this
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    password = "Udm-tests-1"
    container = (
        DockerContainer(_IMAGE)
        .with_env("ORACLE_PASSWORD", password)
        .with_exposed_ports(1521)
        .waiting_for(LogMessageWaitStrategy("DATABASE IS READY TO USE!").with_startup_timeout(300))
    )
    container.start()  # testcontainers removes it when this process has ended
    return OracleServer(
        url=URL.create(
            "oracle",
            username="system",
            password=password,
            host=container.get_container_host_ip(),
            port=int(container.get_exposed_port(1521)),
            query={"service_name": "FREEPDB1"},
        )
    )
