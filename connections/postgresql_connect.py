"""Sessions on a PostgreSQL target: how they are opened, what they are set to, and whether the server is one that will do."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL

from connections.postgresql_errors import QuietCursor, describe_url, why_not_connected
from model.errors import TargetUnavailable

_OLDEST = 140000
# Whatever the server, the database or the user is set to. A lock that DDL waits for makes all readers wait behind it.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "search_path": "pg_catalog",
    "default_transaction_isolation": "read\\ committed",
    "lock_timeout": "60s",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
# For the planner, in our sessions alone; `options` in the URL wins. With a random page at 4, the default for disks that turn, a
# promotion of 1 % of the rows reads all of Stage and Bronze instead of looking rows up. JIT costs more here than it gives.
# https://www.postgresql.org/docs/14/runtime-config-query.html
_PLANNER = {"random_page_cost": "1.1", "jit": "off"}
# https://www.postgresql.org/docs/14/libpq-connect.html#LIBPQ-PARAMKEYWORDS; what the URL says wins.
_PARAMETERS: dict[str, object] = {
    "application_name": "udm-pipeline",
    "connect_timeout": 15,
    "client_encoding": "utf8",
    "keepalives": 1,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
}


def engine_of(url: URL) -> sa.Engine:
    """An engine that has connected to nothing yet."""
    options = f"{_options(_PLANNER)} {url.query.get('options', '')} {_options(_SETTINGS)}"
    parameters = {name: value for name, value in _PARAMETERS.items() if name not in url.query}
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={**parameters, "options": options, "cursor_factory": QuietCursor},
        hide_parameters=True,
        use_native_hstore=False,  # nor look its type up, at each start
        max_overflow=-1,  # as many as the workers need, and no waiting for one another
        pool_pre_ping=True,
    )


def _options(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def check_server(url: URL, engine: sa.Engine) -> None:
    """Connect once and look at the server.

    Raises:
        TargetUnavailable: it cannot be reached, does not let us in, is too old, read-only, or not in UTF-8.
    """
    query = sa.text(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), "
        "current_setting('server_encoding'), current_setting('transaction_read_only')"
    )
    try:
        with engine.connect() as connection:
            number, version, encoding, read_only = connection.execute(query).one()
    except sa.exc.DBAPIError as error:
        raise why_not_connected(url, error.orig or error) from None
    except psycopg.Error as error:
        raise why_not_connected(url, error) from None
    where = describe_url(url)
    if number < _OLDEST:
        raise TargetUnavailable(f"The target {where} is PostgreSQL {version}.", remedy="Use PostgreSQL 14 or later.")
    if encoding != "UTF8":
        raise TargetUnavailable(
            f"The target {where} stores text as {encoding}, which does not hold every character.",
            remedy="Use a database that was created with ENCODING 'UTF8'.",
        )
    if read_only == "on":
        raise TargetUnavailable(
            f"The target {where} is read-only.", remedy="Name the primary server in UDM_TARGET, not a standby."
        )
