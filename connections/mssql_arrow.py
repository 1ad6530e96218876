"""Reads from SQL Server as Arrow, through the package mssql-python, on a session of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial

import mssql_python
import polars as pl

from connections.mssql_login import Login, mssql_python_string

Watch = Callable[[Callable[[], None]], AbstractContextManager[None]]

mssql_python.pooling(enabled=False)  # a session that an interrupt ended must not come back


def connect(login: Login, database: str) -> mssql_python.Connection:
    """A new session of mssql-python."""
    return mssql_python.connect(mssql_python_string(login, database), autocommit=True, timeout=0)


def read_frames(login: Login, database: str, query: str, rows: int, watch: Watch) -> Iterator[pl.DataFrame]:
    """A query's result in frames of `rows` rows; `watch` is given what stops it from another thread."""
    connection = connect(login, database)
    try:
        cursor = connection.cursor()
        cursor.execute(query)
        reader = cursor.arrow_reader(rows)
        # Not `reader.close`: a second thread in it while this one closes the connection has ended the process.
        with watch(partial(cancel, cursor)):
            for batch in reader:
                yield pl.DataFrame(batch)
    finally:
        with suppress(mssql_python.Error):
            connection.close()


def cancel(cursor: mssql_python.Cursor) -> None:
    """Stop a statement that runs, from another thread; nothing where none does.

    The package has no public word for it. Its own reader's `close` does the same: SQLCancel is the one call that ODBC lets
    another thread make.
    """
    if cursor.hstmt is not None:
        cursor.hstmt._cancel()  # noqa: SLF001
