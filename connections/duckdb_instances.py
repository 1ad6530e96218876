"""DuckDB's instances: each takes some 20 ms to make and as long to end, so they are made ahead, and kept for the next file.

An instance is made in memory, and has files attached, which takes a millisecond.
"""

from __future__ import annotations

import atexit
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import duckdb

_IN_MEMORY = "memory"  # the name of what an instance holds by itself
_ATTACHED = "SELECT database_name FROM duckdb_databases() WHERE path IS NOT NULL"
_SPARE: list[Future[duckdb.DuckDBPyConnection]] = []
_MUTEX = threading.Lock()


def make_ahead(count: int) -> None:
    """Begin to make so many instances in a thread of its own, the first one for a target; an error is for who takes one."""
    coming: list[Future[duckdb.DuckDBPyConnection]] = [Future() for _ in range(count)]

    def make() -> None:
        for nth, instance in enumerate(coming):
            try:
                instance.set_result(duckdb.connect() if nth else _looked_through(duckdb.connect()))
            except Exception as error:  # noqa: BLE001 - raised again where the instance is taken
                instance.set_exception(error)

    with _MUTEX:
        _SPARE.extend(coming)
    threading.Thread(target=make, name="duckdb").start()


def _looked_through(instance: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same; an instance's first look at all its columns, as a target takes it, costs as much again as making it."""
    instance.execute("SELECT count(*) FROM duckdb_columns()").fetchall()
    return instance


def take_instance() -> duckdb.DuckDBPyConnection:
    """An instance that nobody else uses, with nothing attached: one that was made ahead or kept, or a new one."""
    with _MUTEX:
        spare = _SPARE.pop(0) if _SPARE else None
    return duckdb.connect() if spare is None else spare.result()


def attach_to_read(instance: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Attach a file for reading alone, and make it the current one: what it holds is found as if it had been opened by itself.

    Raises:
        duckdb.Error: it cannot be opened, or is no DuckDB file.
    """
    path = str(file).replace("'", "''")
    # DuckDB names it after the file, as its views may; but two of one name it will not have.
    name = "AS memory_db" if file.name.split(".")[0] == _IN_MEMORY else ""
    instance.execute(f"SET temp_directory = '{path}.tmp'")
    instance.execute(f"ATTACH '{path}' {name} (READ_ONLY, TYPE duckdb)")
    [(name,)] = instance.execute(_ATTACHED).fetchall()
    instance.execute(f"USE {quote(name)}")


def give_back(instance: duckdb.DuckDBPyConnection) -> None:
    """Detach the file and keep the instance for another one; end it where it has something unfinished, or has spilled."""
    try:
        instance.execute(f"USE {_IN_MEMORY}")
        for (name,) in instance.execute(_ATTACHED).fetchall():
            instance.execute(f"DETACH {quote(name)}")
        instance.execute("RESET temp_directory")  # refused for good once it was written to
    except duckdb.Error:
        with suppress(duckdb.Error):
            instance.close()
        return
    kept: Future[duckdb.DuckDBPyConnection] = Future()
    kept.set_result(instance)
    with _MUTEX:
        _SPARE.append(kept)


@atexit.register
def _end_spare() -> None:
    """Connections that outlive the interpreter are complained of, one line each."""
    with _MUTEX:
        _SPARE.clear()


def quote(name: str) -> str:
    """A name as DuckDB's SQL spells it."""
    return '"' + name.replace('"', '""') + '"'
