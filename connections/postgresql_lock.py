"""A table's lock on PostgreSQL: an advisory lock that a session holds, and the promotions in that very session.

Source: https://www.postgresql.org/docs/14/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import psycopg
import sqlalchemy as sa

from model.errors import TableHeld, TransientError

# A 64-bit key shows in pg_locks as two halves and objsubid 1.
_THIS_LOCK = (
    "locktype = 'advisory' AND objsubid = 1 AND granted AND (classid::bigint << 32 | objid::bigint) = :key "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_OURS = sa.text(f"SELECT count(*) FROM pg_locks WHERE {_THIS_LOCK} AND pid = pg_backend_pid()")  # noqa: S608 - a constant
_HOLDER = sa.text(
    "SELECT a.pid, a.application_name, coalesce(a.client_hostname, host(a.client_addr), 'a local socket'), a.backend_start "  # noqa: S608 - a constant
    f"FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid WHERE {_THIS_LOCK.replace('database =', 'l.database =')}"
)


class LockedSession:
    """The session that holds a table's lock."""

    def __init__(self, connection: sa.Connection, key: int, table: str) -> None:
        self._connection = connection
        self._key = key
        self._table = table

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction of the session, begun with the proof that it still holds the lock.

        SQLAlchemy connects anew, in silence, where a connection was lost, and a pooler between us and the server may hand out
        another one; neither has the lock.

        Raises:
            TransientError: the lock is lost.
        """
        with self._connection.begin():
            if not self._connection.execute(_OURS, {"key": self._key}).scalar_one():
                raise TransientError(
                    f"{self._table}: the session that held the table's lock was lost.",
                    remedy="Nothing was promoted by this statement; run the table again. A pooler in transaction mode "
                    "(PgBouncer) loses locks: connect to the server itself.",
                )
            yield self._connection


@contextmanager
def advisory_lock(engine: sa.Engine, names: Sequence[str], table: str) -> Iterator[LockedSession]:
    """Hold the lock that `names` give, on a connection of its own.

    Raises:
        TableHeld: another session holds it, which is named.
    """
    key = lock_key(names)
    with engine.connect() as connection, _freed(connection):
        with connection.begin():
            taken = connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
            holder = None if taken else connection.execute(_HOLDER, {"key": key}).first()
        if not taken:
            raise TableHeld(f"{table} is being loaded by another run{_described(holder)}.")
        yield LockedSession(connection, key, table)


@contextmanager
def _freed(connection: sa.Connection) -> Iterator[None]:
    """Give up the session's locks at the end of the block, and the session, which frees them for certain.

    Closing alone frees them a little later, when the server has seen it; a run that follows at once would find them held.
    """
    session = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    connection.detach()  # from the pool: it is closed with the block
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            session.rollback()
            session.execute("SELECT pg_advisory_unlock_all()")
            session.commit()


def lock_key(names: Sequence[str]) -> int:
    """A signed 64-bit key; the lengths keep ("ab", "c") from being ("a", "bc")."""
    text = "".join(f"{len(name)}:{name}" for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _described(holder: sa.Row[Any] | None) -> str:
    if holder is None:
        return ", which has just ended"
    pid, application, host, since = tuple(holder)
    return f": server process {pid} ({application or 'unnamed'}, from {host}, connected since {since:%Y-%m-%d %H:%M:%S} UTC)"
