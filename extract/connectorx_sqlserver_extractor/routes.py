"""The two drivers that bring rows: ConnectorX in a process of its own, mssql-python in this one. Both send the same statement.

mssql-python is the one that always can: it reads every type that travels, and honours every option of a URL.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar
from urllib.parse import quote

import polars as pl

from connections.mssql_login import APPLICATION, Login
from extract.connectorx_extractor.process import ReaderProcess, ReadFailed
from extract.connectorx_sqlserver_extractor.rules import Rule, carried_by_connectorx
from extract.connectorx_sqlserver_extractor.statement import Statement
from extract.connectorx_sqlserver_extractor.stops import Stops

# ConnectorX's own words for the place of a value that it could not read, and SQL Server's number of an error.
_PLACE = re.compile(r"position: \(\d+, (\d+)\)")
_NUMBER = re.compile(r"\(code: (\d+), state: \d+, class: \d+\)")


class RouteFailed(Exception):
    """A driver gave up. `why` is safe to show; `place` counts the columns from 0 where the driver names one."""

    def __init__(self, why: str, place: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.place = place


class Route(ABC):
    """A driver that reads one table's statement."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def can(cls, login: Login, rules: Sequence[Rule]) -> bool:
        """Whether it honours what the login asks for and carries every column exactly."""

    @classmethod
    @abstractmethod
    def frames(cls, login: Login, database: str, statement: Statement, rows: int, stops: Stops) -> Iterator[pl.DataFrame]:
        """Frames of about `rows` rows, the control column ahead of the others.

        Raises:
            RouteFailed: the driver or its connection did.
        """


class ConnectorXRoute(Route):
    """ConnectorX, suspended while the consumer is busy, killed to interrupt."""

    name = "ConnectorX"

    @classmethod
    def can(cls, login: Login, rules: Sequence[Rule]) -> bool:
        """Only plain logins by password: a connection must not be less safe, nor lead elsewhere, than its URL says."""
        more = login.host_name_in_certificate or login.multi_subnet_failover or login.application_intent
        plain = bool(login.user) and login.encrypt in {"yes", "no"} and not more
        return plain and all(carried_by_connectorx(rule) for rule in rules)

    @classmethod
    def frames(cls, login: Login, database: str, statement: Statement, rows: int, stops: Stops) -> Iterator[pl.DataFrame]:
        """What the process sends."""
        order = {"url": connectorx_url(login, database), "query": statement.batch, "session": None, "rows": rows}
        reader = ReaderProcess(order)
        try:
            with stops.watched(reader.kill):
                for frame in reader.frames():
                    with reader.suspended():
                        yield frame
        except ReadFailed as failure:
            words = str(failure)
            place, number = _PLACE.search(words), _NUMBER.search(words)
            # Of its own words none: they may quote a value.
            why = f"error {number[1]}" if number else "its process ended or it could not read a value"
            raise RouteFailed(why, int(place[1]) - 1 if place else None) from None
        finally:
            reader.close()


class ArrowRoute(Route):
    """mssql-python's Arrow reader."""

    name = "mssql-python"

    @classmethod
    def can(cls, login: Login, rules: Sequence[Rule]) -> bool:
        """Always."""
        del login, rules
        return True

    @classmethod
    def frames(cls, login: Login, database: str, statement: Statement, rows: int, stops: Stops) -> Iterator[pl.DataFrame]:
        """What the reader yields."""
        import mssql_python  # noqa: PLC0415 - a run whose tables all go by ConnectorX needs no second driver

        from connections.mssql_arrow import cancel, connect  # noqa: PLC0415 - likewise

        try:
            connection = connect(login, database)
            try:
                cursor = connection.cursor()
                with stops.watched(partial(cancel, cursor)):
                    for setting in statement.session:
                        cursor.execute(setting)
                    cursor.execute(statement.rows)
                    # Another thread may cancel only; closing the reader there while it is closed here ends the process.
                    for batch in cursor.arrow_reader(rows):
                        yield pl.DataFrame(batch)
            finally:
                with suppress(Exception):
                    connection.close()
        except (GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except mssql_python.Error as error:
            raise RouteFailed(error.driver_error.lower()) from None  # one of a fixed list; the server's text may quote a value
        except BaseException as error:  # noqa: BLE001 - a panic of its native parts is one
            raise RouteFailed(type(error).__name__) from None


def connectorx_url(login: Login, database: str) -> str:
    """A login as ConnectorX reads it, percent-encoded. Holds the password."""
    options = {
        "encrypt": str(login.encrypt == "yes").lower(),
        "trust_server_certificate": str(login.trust_server_certificate).lower(),
        "appname": APPLICATION,
    }
    who = f"{quote(login.user, safe='')}:{quote(login.password, safe='')}"
    tail = "&".join(f"{name}={value}" for name, value in options.items())
    return f"mssql://{who}@{login.host}:{login.port}/{quote(database, safe='')}?{tail}"


# In the order in which they are tried.
ROUTES: tuple[type[Route], ...] = (ConnectorXRoute, ArrowRoute)
