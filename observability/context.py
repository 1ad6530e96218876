"""Which table and which step the current thread works on, carried by contextvars to events and log records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkContext:
    """What a log record is about; None outside of a table or a step."""

    source: str | None = None
    table: str | None = None
    step: str | None = None


_CURRENT: ContextVar[WorkContext] = ContextVar("udm_work_context", default=WorkContext())  # noqa: B039 - frozen


def current_context() -> WorkContext:
    """The context of the code that asks."""
    return _CURRENT.get()


@contextmanager
def table_context(source: str, table: str) -> Iterator[None]:
    """Everything inside is about this table."""
    token = _CURRENT.set(WorkContext(source=source, table=table))
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def step_context(step: str) -> Iterator[None]:
    """Everything inside belongs to this step of the table."""
    token = _CURRENT.set(replace(_CURRENT.get(), step=step))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_table() -> str:
    """`SOURCE.TABLE` of the context, for people."""
    context = current_context()
    return f"{context.source}.{context.table}"
