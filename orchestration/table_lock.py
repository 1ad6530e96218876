"""One run a table: the target's own lock, held from the first look at the table to its last write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connections.target import Session, Target
from orchestration.table_config import TableConfig


@contextmanager
def hold_table(target: Target, config: TableConfig) -> Iterator[Session]:
    """Hold a table against every other run; gives the session that its promotions belong on.

    Raises:
        TableHeld: at once, where another run holds it; the table is then SKIPPED.
    """
    # Names compare without case, as SQL Server's do.
    with target.lock_table(config.source.casefold(), config.table.casefold()) as session:
        yield session
