"""From a source's URL to SQLAlchemy's engine and to ConnectorX's form of it, and what a driver's error means.

The two read the same URL with two drivers. An option that one of them would not honour is refused: a connection must not
be less safe than its URL says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL

from extract.connectorx_extractor.failures import refusal
from extract.connectorx_extractor.kinds import SourceKind
from model.errors import ConfigurationError, SourceRefused
from sources.registry import Source

# ConnectorX cannot verify the host's name, which verify-full asks for, and does not know the others.
_SSL_MODES = frozenset({"disable", "prefer", "require"})


def checked_url(source: Source, kind: SourceKind) -> URL:
    """The source's URL with what both drivers need.

    Raises:
        ConfigurationError: it lacks a user, or has an option that one of the drivers would not honour.
    """
    url = source.url
    if source.kind == "sqlite":
        return url
    variable = f"UDM_SOURCE_{source.name}"
    for option, value in url.query.items():
        if option not in kind.options or not isinstance(value, str):
            raise ConfigurationError(
                f"{variable}: {source.kind} sources do not take {option!r} behind '?', or not twice.", remedy="Remove it."
            )
    if url.query.get("sslmode", "prefer") not in _SSL_MODES:
        raise ConfigurationError(
            f"{variable}: this sslmode is none of {', '.join(sorted(_SSL_MODES))}, which are all that ConnectorX knows.",
            remedy="sslmode=require with sslrootcert verifies who signed the server's certificate.",
        )
    if not url.username:
        raise ConfigurationError(f"{variable} names no user.", remedy="Write kind://user@host/database.")
    host = url.host or (None if "host" in url.query else "localhost")
    url = url.set(host=host, database=url.database or (url.username if source.kind == "postgresql" else None))
    return url.update_query_dict({**kind.url_options(source.limits), **url.query})


def open_engine(source: Source, url: URL, kind: SourceKind) -> sa.Engine:
    """An engine that has answered once, so that a wrong login is told at once: ConnectorX would try for half a minute.

    Raises:
        SourceUnavailable, SourceRefused: it does not answer now, or not to this login; with the variable to look at.
    """
    if kind.driver != "sqlite":
        # PyMySQL takes text for Latin-1, MySQL and ConnectorX take it for UTF-8.
        password = {"password": str(url.password).encode()} if url.password and url.get_backend_name() == "mysql" else {}
        arguments = {**password, **kind.arguments(source.limits)}
        engine = sa.create_engine(url.set(drivername=kind.driver), pool_size=1, max_overflow=0, connect_args=arguments)
        if kind.patience and source.limits.query_timeout and "statement_timeout" not in str(url.query):
            _on_connect(engine, kind.patience.format(seconds=source.limits.query_timeout))
    else:
        file = Path(url.database or "")
        if not file.is_file():
            raise SourceRefused(
                f"Source {source.name}: {file} {'is not a file' if file.exists() else 'does not exist'}.",
                remedy=f"Correct UDM_SOURCE_{source.name}, or put the file there.",
            )
        uri = _sqlite_uri(url)
        engine = sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(uri, source.limits.connect_timeout, uri=True, check_same_thread=False),
            poolclass=sa.NullPool,
        )
    with translated(f"Source {source.name}", source.name, url), engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master" if kind.driver == "sqlite" else "SELECT 1")
    return engine


def _on_connect(engine: sa.Engine, statement: str) -> None:
    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, record: object) -> None:
        del record
        connection.execute(statement)
        connection.commit()


def connectorx_url(url: URL) -> str:
    """Percent-encoded, a socket's folder in the host's place; a SQLite file as a read-only URI, or it might be created."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite://{quote(_sqlite_uri(url), safe='')}"
    host = str(url.query.get("host", url.host))
    port = url.port or url.query.get("port")
    place = (f"[{host}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
    login = quote(url.username or "", safe="") + (f":{quote(str(url.password), safe='')}" if url.password else "")
    options = [f"{key}={quote(str(value), safe='')}" for key, value in url.query.items() if key not in {"host", "port"}]
    if url.get_backend_name() == "mysql":
        options.append("prefer_socket=false")  # else localhost is left for the socket that the server names: past a tunnel
    tail = quote(url.database or "", safe="") + ("?" if options else "") + "&".join(options)
    return f"{url.get_backend_name()}://{login}@{place}/{tail}"


def _sqlite_uri(url: URL) -> str:
    return f"file:{quote(url.database or '')}?mode=ro"


@contextmanager
def translated(what: str, source: str, url: URL) -> Iterator[None]:
    """SQLAlchemy's errors as the pipeline's own, with the driver's words but never a password."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        # PyMySQL's arguments are a number and a message, the others' a message.
        arguments = error.orig.args if error.orig else ()
        code = str(arguments[0] if len(arguments) > 1 else getattr(error.orig, "sqlstate", None))
        raise refusal(what, source, code, _shown(url, arguments[-1] if arguments else error.orig)) from None
    except RuntimeError as error:
        if "cryptography" not in str(error):
            raise
        raise SourceRefused(
            f"{what}: the login of UDM_SOURCE_{source} is of a kind that PyMySQL needs another package for.",
            remedy="Run 'pip install cryptography', or give the login the plugin mysql_native_password.",
        ) from None


def _shown(url: URL, message: object) -> str:
    text = " ".join(str(message).split())
    return text.replace(str(url.password), "***") if url.password else text
