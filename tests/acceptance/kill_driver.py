"""Runs `main_small_tables.py` again and again, each time in a process that kills itself at the N-th point where it may change
something.

    python kill_driver.py < ORDERS

An order is a line of JSON: the folder to run in, the file RECORD, N, and the command's arguments; the answer is one too: the
exit status (that of a signal is negative) and what was written. The processes are forked from this one, which has imported
everything and opened nothing: imports take longer than the run of a small table.

A point is every statement before it is executed, every commit before and after it, and what goes round SQLAlchemy: bulk
loads (before, at each frame, while a utility is at work, after), schemas that are created, and the closing of the target.
Each is appended to the file RECORD, one line a point, before the process dies. N = 0 kills at none of them.
"""

from __future__ import annotations

import faulthandler
import itertools
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import duckdb_engine  # noqa: E402, F401 - imported for the processes to come, as are psycopg and the command
import psycopg  # noqa: E402, F401
from sqlalchemy import Engine, event  # noqa: E402
from sqlalchemy.engine.default import DefaultDialect  # noqa: E402

from connections.duckdb_target import DuckDBTarget  # noqa: E402
from connections.mssql_target import MSSQLTarget  # noqa: E402
from connections.postgresql_target import PostgreSQLTarget  # noqa: E402
from data_load import bcp_loader, bcp_process, bulk_engines  # noqa: E402
from orchestration import command, small_tables  # noqa: E402, F401

PROGRAM = str(ROOT / "main_small_tables.py")
PATIENCE = 60
"""Seconds after which a run hangs; it says where and ends."""


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


def _run(folder: str, record: str, fatal: int, arguments: Sequence[str], output: Path) -> NoReturn:
    """What a forked process does."""
    status = 1
    try:
        os.chdir(folder)
        written = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(written, stream)
        faulthandler.dump_traceback_later(PATIENCE, exit=True, file=2)
        install(Points(Path(record), fatal))
        sys.argv = [PROGRAM, *arguments]
        runpy.run_path(PROGRAM, run_name="__main__")
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - it goes to the test, by `output`
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _obey(order: str) -> None:
    """Fork, wait, answer."""
    folder, record, fatal, *arguments = json.loads(order)
    output = Path(record).with_suffix(".out")
    process = os.fork()
    if process == 0:
        _run(folder, record, fatal, arguments, output)
    _, ended = os.waitpid(process, 0)
    print(json.dumps([os.waitstatus_to_exitcode(ended), output.read_text(encoding="utf-8")]), flush=True)  # noqa: T201


if __name__ == "__main__":
    # A lock that a thread held at a fork would be held for ever. polars' allocator has threads already, and is made for forks.
    assert threading.active_count() == 1
    for line in sys.stdin:
        _obey(line)
