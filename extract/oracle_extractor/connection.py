"""From a source's URL to a session of Oracle's: read-only by use, named, in UTC, with time-outs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import oracledb
from sqlalchemy.engine import URL

from extract.oracle_extractor.errors import translated
from model.errors import ConfigurationError
from sources.registry import Source

PROGRAM = "udm-pipeline"
# What the server writes as text must not follow its own settings; instants WITH LOCAL TIME ZONE are shown in the session's zone.
# ALTER SESSION SET of these needs no right.
SESSION = (
    "ALTER SESSION SET TIME_ZONE = '+00:00' NLS_CALENDAR = 'GREGORIAN' NLS_NUMERIC_CHARACTERS = '.,'"
    " NLS_COMP = 'BINARY' NLS_SORT = 'BINARY'"
)
PORT = 1521
# What ConnectorX's form of the URL can say, and the time-outs, which are python-oracledb's alone.
_CONNECTORX_OPTIONS = {"service_name", "tcp_connect_timeout", "call_timeout", "connectorx"}
_OPTIONS = _CONNECTORX_OPTIONS | {"protocol", "wallet_location", "ssl_server_cert_dn"}
_MODULE_BYTES = 48
_KEEPALIVE_MINUTES = 2
_LOGIN_TAKES = 3  # times as long, at most, as a connection of TCP may
_LOADING = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleLogin:
    """What a source's URL says. Time-outs are seconds; `call_timeout` is for one round trip, 0 for none."""

    host: str
    user: str
    port: int = PORT
    service: str | None = None
    sid: str | None = None
    protocol: str = "tcp"
    wallet: str | None = None
    certificate_dn: str | None = None
    connect_timeout: int = 20
    call_timeout: int = 3_600

    @property
    def is_alias(self) -> bool:
        """Whether the host is a name in tnsnames.ora, as SQLAlchemy takes it too."""
        return self.service is None and self.sid is None


def login_of(source: Source) -> OracleLogin:
    """A source's URL, read and checked.

    Raises:
        ConfigurationError: it lacks a user or a host, or has an option that is unknown or given twice.
    """
    url, variable = source.url, f"UDM_SOURCE_{source.name}"
    for option, value in url.query.items():
        if option not in _OPTIONS or not isinstance(value, str):
            raise ConfigurationError(
                f"{variable}: oracle sources do not take {option!r} behind '?', or not twice.",
                remedy=f"Known are {', '.join(sorted(_OPTIONS))}.",
            )
    if not url.username or not url.host:
        raise ConfigurationError(
            f"{variable} names no {'user' if url.host else 'host'}.", remedy="Write oracle://user@host:1521/?service_name=NAME."
        )
    if url.database and "service_name" in url.query:
        raise ConfigurationError(f"{variable} names a SID and a service.", remedy="Keep /?service_name=NAME, without the SID.")
    protocol = _text(url, "protocol") or "tcp"
    if protocol not in {"tcp", "tcps"}:
        raise ConfigurationError(f"{variable}: this protocol is neither tcp nor tcps.", remedy="Correct it behind the '?'.")
    return OracleLogin(
        host=url.host,
        user=url.username,
        port=url.port or PORT,
        service=_text(url, "service_name"),
        sid=url.database or None,
        protocol=protocol,
        wallet=_text(url, "wallet_location"),
        certificate_dn=_text(url, "ssl_server_cert_dn"),
        connect_timeout=_seconds(variable, url, "tcp_connect_timeout", 20, least=1),
        call_timeout=_seconds(variable, url, "call_timeout", 3_600, least=0),
    )


def _text(url: URL, option: str) -> str | None:
    value = url.query.get(option)
    return value if isinstance(value, str) and value else None


def _seconds(variable: str, url: URL, option: str, default: int, *, least: int) -> int:
    text = _text(url, option)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and least <= int(text) <= 86_400):  # noqa: PLR2004 - a day
        raise ConfigurationError(
            f"{variable}: {option} is not a number of seconds.", remedy=f"Write one from {least} to 86400 behind the '?'."
        )
    return int(text)


def open_connection(source: Source) -> oracledb.Connection:
    """A session of the source.

    Raises:
        ConfigurationError: the URL cannot be used.
        SourceRefused: the login is refused.
        SourceUnavailable: the database does not answer.
    """
    login = login_of(source)
    password = None if source.url.password is None else str(source.url.password)
    with translated(f"Source {source.name}", source.name):
        if source.client_folder is not None:
            with _LOADING:  # once in a process: a second call with the same folder does nothing
                oracledb.init_oracle_client(lib_dir=str(source.client_folder), driver_name=PROGRAM)
        connection = connected_within(
            login.connect_timeout * _LOGIN_TAKES,
            lambda: oracledb.connect(
                dsn=login.host if login.is_alias else None, user=login.user, password=password, params=_parameters(login)
            ),
        )
        connection.call_timeout = login.call_timeout * 1_000
        with connection.cursor() as cursor:
            cursor.execute(SESSION)
    return connection


def connected_within(seconds: float, connect: Callable[[], oracledb.Connection]) -> oracledb.Connection:
    """The connection, or a TimeoutError: a host that takes the connection and then says nothing would be waited for without end,
    since python-oracledb's time-out ends with TCP's connection.
    """
    result: queue.Queue[oracledb.Connection | BaseException] = queue.Queue(1)
    late = threading.Event()

    def run() -> None:
        try:
            connection = connect()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            result.put(error)
            return
        result.put(connection)
        if late.is_set():
            connection.close()

    threading.Thread(target=run, name="oracle login", daemon=True).start()
    try:
        found = result.get(timeout=seconds)
    except queue.Empty:
        late.set()
        raise TimeoutError from None
    if isinstance(found, BaseException):
        raise found
    return found


def _parameters(login: OracleLogin) -> oracledb.ConnectParams:
    place: oracledb.ConnectParams = oracledb.ConnectParams(
        tcp_connect_timeout=login.connect_timeout,
        expire_time=_KEEPALIVE_MINUTES,
        program=PROGRAM,
        protocol=login.protocol,
        wallet_location=login.wallet,
        ssl_server_cert_dn=login.certificate_dn,
    )
    if not login.is_alias:
        place.set(host=login.host, port=login.port, service_name=login.service, sid=login.sid)
    return place


def module_of(table: object) -> str:
    """What V$SESSION.MODULE shows while a table is read; Oracle cuts it to 48 bytes, in the middle of a character if need be."""
    return f"{PROGRAM} {table}".encode()[:_MODULE_BYTES].decode(errors="ignore")


def connectorx_url(source: Source) -> str | None:
    """The source's URL in ConnectorX's form, which knows services over plain TCP only; None where it needs more, or says no.

    Source: `connect_oracle` in ConnectorX's `sources/oracle/mod.rs`.
    """
    url, login = source.url, login_of(source)
    plain = login.service is not None and url.query.keys() <= _CONNECTORX_OPTIONS
    if not plain or not url.password or url.query.get("connectorx") == "no":
        return None
    service = quote(login.service or "", safe="")
    host = f"[{login.host}]" if ":" in login.host else quote(login.host, safe="")
    user, password = quote(login.user, safe=""), quote(str(url.password), safe="")
    return f"oracle://{user}:{password}@{host}:{login.port}/{service}"
