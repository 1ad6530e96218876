"""Runs `main_small_tables.py` and kills its own process at the N-th point where it may change something.

    python kill_driver.py RECORD N ARGUMENT…

A point is every statement before it is executed, every commit before and after it, and what goes round SQLAlchemy: bulk
loads (before, at each frame, while a utility is at work, after), schemas that are created, and the closing of the target.
Each is appended to the file RECORD, one line a point, before the process dies. N = 0 kills at none of them.
"""

from __future__ import annotations

import itertools
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from sqlalchemy import Engine, event  # noqa: E402
from sqlalchemy.engine.default import DefaultDialect  # noqa: E402

from connections.duckdb_target import DuckDBTarget  # noqa: E402
from connections.mssql_target import MSSQLTarget  # noqa: E402
from connections.postgresql_target import PostgreSQLTarget  # noqa: E402
from data_load import bcp_loader, bcp_process, bulk_engines  # noqa: E402


class Points:
    """Counts the points, records each, and dies at the one that was asked for."""

    def __init__(self, record: Path, fatal: int) -> None:
        self._file = os.open(record, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._fatal = fatal
        self._numbers = itertools.count(1)
        self._mutex = threading.Lock()

    def reached(self, name: str) -> None:
        """One point further."""
        with self._mutex:
            number = next(self._numbers)
            os.write(self._file, (" ".join(name.split()) + "\n").encode())
            if number == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)


def install(points: Points) -> None:
    """Hook every way in which a run reaches the target."""

    def before_statement(connection: object, cursor: object, statement: str, *rest: object) -> None:
        points.reached(statement)

    event.listen(Engine, "before_cursor_execute", before_statement)
    commit = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        points.reached("COMMIT, before")
        commit(self, connection)  # type: ignore[no-untyped-call]
        points.reached("COMMIT, after")

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    for target in (DuckDBTarget, PostgreSQLTarget, MSSQLTarget):
        for name in ("create_schema", "settle", "close"):
            setattr(target, name, _around(points, name, getattr(target, name)))
    setattr(bcp_loader, "load", _loading(points, bulk_engines.load))  # noqa: B010 - where it is called from
    answer = bcp_process._answer

    def answered(*arguments: Any) -> None:
        answer(*arguments)
        points.reached("BULK LOAD, the utility is at work")

    bcp_process._answer = answered  # type: ignore[assignment]


def _loading(points: Points, load: Callable[..., None]) -> Callable[..., None]:
    def loading(target: Any, name: Any, columns: Any, frames: Any, *rest: Any) -> None:
        def observed() -> Iterator[Any]:
            for frame in frames:
                points.reached("BULK LOAD, a frame")
                yield frame

        points.reached("BULK LOAD, before")
        load(target, name, columns, observed(), *rest)
        points.reached("BULK LOAD, after")

    return loading


def _around(points: Points, name: str, function: Callable[..., object]) -> Callable[..., object]:
    def wrapped(*arguments: object) -> object:
        points.reached(f"CALL {name}, before")
        result = function(*arguments)
        points.reached(f"CALL {name}, after")
        return result

    return wrapped


if __name__ == "__main__":
    record, fatal, *arguments = sys.argv[1:]
    install(Points(Path(record), int(fatal)))
    sys.argv = [str(ROOT / "main_small_tables.py"), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")
