"""Chunks as statements see them, and how a chunk's transaction is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import sqlalchemy as sa

from connections.target import Target
from model.chunks import KeyRange


class Again(Protocol):
    """Runs a transaction until it is in, or raises what stopped it; `is_in` reads whether it is, on a session still alive."""

    def __call__(self, transaction: Callable[[], None], is_in: Callable[[], bool]) -> None:
        """Run it."""


def once(transaction: Callable[[], None], is_in: Callable[[], bool]) -> None:
    """One attempt."""
    del is_in
    transaction()


def within(target: Target, key_hash: sa.ColumnElement[Any], keys: KeyRange) -> list[sa.ColumnElement[bool]]:
    """The conditions that a key lies in a range; none for the whole of the keys."""
    conditions = []
    if keys.lower is not None:
        conditions.append(key_hash >= target.binary_literal(keys.lower))
    if keys.upper is not None:
        conditions.append(key_hash < target.binary_literal(keys.upper))
    return conditions
