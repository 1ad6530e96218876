"""Faults of a server, injected at the connection of a real target: at a statement, before a COMMIT, and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from connections.target import Target

SECRET = "a customer's value"


class ServerError(Exception):
    """As a driver has it: the server's code, and a message that no log may show."""

    def __init__(self, code: str) -> None:
        super().__init__(SECRET)
        self.sqlstate = code


def deadlock() -> Exception:
    """The transaction is lost, its session is not."""
    return sa.exc.OperationalError("a statement", {}, ServerError("40P01"))


def connection_lost() -> Exception:
    """The session is gone, and its lock with it."""
    error = sa.exc.OperationalError("a statement", {}, ServerError("57P01"))
    error.connection_invalidated = True
    return error


def refused() -> Exception:
    """Stays as it is: the login lacks a permission."""
    return sa.exc.ProgrammingError("a statement", {}, ServerError("42501"))


Choose = Callable[[str], bool]


class Faults:
    """Fails at the points that are chosen, in the order in which a run reaches them.

    A point is a statement's text, or "COMMIT, before" or "COMMIT, after", which follow the statements of their transaction.
    """

    def __init__(self, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        self._error = deadlock
        self._choose: Choose = lambda _: False
        self._left = 0
        is_transient = target.is_transient
        monkeypatch.setattr(target, "is_transient", lambda error: is_injected(error) or is_transient(error))
        for engine in (target.engine, target.recorder):
            self._install(engine, monkeypatch)

    def _install(self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        commit = engine.dialect.do_commit

        def before_statement(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            self._reach(statement)

        def do_commit(connection: Any) -> None:
            self._reach("COMMIT, before")
            commit(connection)
            self._reach("COMMIT, after")

        sa.event.listen(engine, "before_cursor_execute", before_statement)
        monkeypatch.setattr(engine.dialect, "do_commit", do_commit)

    def _reach(self, point: str) -> None:
        self.seen.append(point)
        if self._left and self._choose(point):
            self._left -= 1
            raise self._error()

    @property
    def left(self) -> int:
        """How many faults are still to come."""
        return self._left

    def arm(self, choose: Choose, error: Callable[[], Exception], times: int = 1) -> None:
        """Fail at the first so many points that are chosen."""
        self.seen, self._choose, self._error, self._left = [], choose, error, times

    @contextmanager
    def at(self, choose: Choose, error: Callable[[], Exception], times: int = 1) -> Iterator[None]:
        """Fail at the first so many points that are chosen, while the block runs; all of them must be reached."""
        self.arm(choose, error, times)
        yield
        assert self._left == 0, "the fault was not reached"

    @contextmanager
    def at_number(self, number: int, error: Callable[[], Exception]) -> Iterator[None]:
        """Fail at the point of this number, from 1, if the block gets so far."""
        self.arm(lambda _: len(self.seen) == number, error)
        yield
        self._left = 0


def is_injected(error: BaseException) -> bool:
    """Whether it is one of ours that may pass."""
    return isinstance(error, sa.exc.OperationalError) and isinstance(error.orig, ServerError)


def after(point: str, *texts: str) -> Choose:
    """The first such point after a statement that holds all of the texts."""
    passed: list[bool] = []

    def choose(reached: str) -> bool:
        if all(text in reached for text in texts):
            passed.append(True)
        return bool(passed) and reached == point

    return choose
