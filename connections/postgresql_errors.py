"""What PostgreSQL's errors mean: which may pass by themselves, why a connection failed, and how one is told without values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL

from model.errors import TargetUnavailable

# https://www.postgresql.org/docs/14/errcodes-appendix.html
TRANSIENT = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "53300",  # too_many_connections
        "55P03",  # lock_not_available: lock_timeout
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
    }
)
_CONNECTION_CLASS = "08"

# libpq gives no SQLSTATE for a connection that fails, only the text: https://www.postgresql.org/docs/14/libpq-connect.html
# The part of it that is looked for, what happened, and the remedy.
_REASONS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("failed to resolve host", "translate host name"), "its host name is unknown", "Correct the host in UDM_TARGET."),
    (
        ("Connection refused", "No such file or directory"),
        "nothing answers there",
        "Start the server, or correct host and port in UDM_TARGET.",
    ),
    (("timeout expired", "timed out", "No route", "unreachable"), "it cannot be reached", "Check the network and firewall."),
    (
        ("password authentication failed", "no password supplied", "password is required"),
        "the user or the password is wrong",
        "Correct the user in UDM_TARGET and the password (in UDM_TARGET, UDM_TARGET_PASSWORD or UDM_TARGET_PASSWORD_FILE).",
    ),
    (
        ("no encryption", "SSL off", "server does not support SSL", "certificate", "SSL error", "sslmode"),
        "client and server do not agree on TLS",
        "Set it in UDM_TARGET: ?sslmode=require, ?sslmode=verify-full&sslrootcert=/path/ca.pem, or ?sslmode=disable.",
    ),
    (("no pg_hba.conf entry",), "pg_hba.conf does not let this user in from here", "Ask its administrator for an entry there."),
    (("does not exist",), "the database or the user does not exist", "Create it first: the pipeline never creates databases."),
    (("permission denied for database",), "the user may not connect to the database", "GRANT CONNECT ON DATABASE … TO …;"),
    (("too many clients", "too many connections", "remaining connection slots"), "it has no connection free", "Try again later."),
    (("starting up", "shutting down", "in recovery mode"), "it is starting or stopping", "Try again later."),
)


def why_not_connected(url: URL, error: BaseException) -> TargetUnavailable:
    """A connection's failure as an error with its remedy; it shows host, port and database, never the password."""
    text = str(error)
    if url.password:
        text = text.replace(str(url.password), "***")
    for parts, what, remedy in _REASONS:
        if any(part in text for part in parts):
            return TargetUnavailable(f"The target {describe_url(url)} cannot be opened: {what}.", remedy=remedy)
    return TargetUnavailable(
        f"The target {describe_url(url)} cannot be opened: {' '.join(text.split())}",
        remedy="Check UDM_TARGET and the server's log.",
    )


def describe_url(url: URL) -> str:
    """Where a target is, for messages: nothing of the query, which may hold secrets."""
    return without_password(url).set(query={}).render_as_string()


def without_password(url: URL) -> URL:
    """As psql takes it."""
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)


def is_transient(error: BaseException) -> bool:
    """Whether trying the transaction again may succeed: by SQLSTATE, or because its connection is broken."""
    if isinstance(error, sa.exc.DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_transient(error.orig))
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        # What libpq itself finds has no SQLSTATE: the connection was closed or could not be made.
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate in TRANSIENT or error.sqlstate.startswith(_CONNECTION_CLASS)


@contextmanager
def without_values() -> Iterator[None]:
    """Take out of an error's text what may quote a row: the server's DETAIL and CONTEXT, and all of a data exception's message.

    https://www.postgresql.org/docs/14/error-style-guide.html
    """
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is not None:
            primary = error.diag.message_primary or ""
            error.args = ("the server refused a value" if error.sqlstate.startswith("22") else primary,)
        raise


class QuietCursor(psycopg.Cursor[Any]):
    """A cursor whose errors hold no customer's value."""

    def execute(self, query: Any, params: Sequence[Any] | Mapping[str, Any] | None = None, **options: Any) -> Self:
        """As psycopg's."""
        with without_values():
            return super().execute(query, params, **options)

    def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> None:
        """As psycopg's."""
        with without_values():
            super().executemany(query, params_seq, **options)
