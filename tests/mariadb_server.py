"""A MariaDB server for the tests and benchmarks, from Debian's packages: on a port of its own, and gone after use."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_TRIES = 300


def why_no_mariadb() -> str:
    """Why none can be started; empty where one can."""
    missing = [program for program in ("mariadbd", "mariadb-install-db") if shutil.which(program) is None]
    return f"no MariaDB server ({', '.join(missing)}) is installed" if missing else ""


@dataclass(slots=True, kw_only=True)
class MariaDB:
    """A server that may be killed and started again. `root` may do everything, without a password."""

    folder: Path
    port: int
    options: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = None
    root: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        # Nothing stays connected: a session that outlives a kill would fail the next statement.
        url = f"mysql+pymysql://root@127.0.0.1:{self.port}/mysql?charset=utf8mb4"
        self.root = sa.create_engine(url, poolclass=sa.NullPool)

    def execute(self, *statements: str) -> list[Any]:
        """Run statements on one session; the last one's rows."""
        rows: list[Any] = []
        with self.root.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement.replace("%", "%%"))
                rows = list(result.fetchall()) if result.returns_rows else []
        return rows

    def start(self) -> None:
        """Start it, and wait until it answers."""
        own = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder / 's'}", *self.options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["mariadbd", *_common(self.folder), *own], stdout=log, stderr=log)
        for left in range(_TRIES, 0, -1):
            try:
                self.root.connect().close()
            except sa.exc.OperationalError:
                if left == 1:
                    raise
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def mariadb_server(*options: str) -> Iterator[MariaDB]:
    """A server with further options, while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="udm-my-"))
    subprocess.run(
        ["mariadb-install-db", *_common(folder), "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = MariaDB(folder=folder, port=port, options=options)
    try:
        server.start()
        server.execute("DELETE FROM mysql.global_priv WHERE user = ''", "FLUSH PRIVILEGES")  # a fresh server's anonymous accounts
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _common(folder: Path) -> list[str]:
    account = ["--user=root"] if os.name == "posix" and os.geteuid() == 0 else []
    return ["--no-defaults", f"--datadir={folder / 'data'}", *account]
