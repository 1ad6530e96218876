"""Rows on their way to a table of ops, through the recorder; none is lost in silence and none written twice."""

from __future__ import annotations

import threading

import sqlalchemy as sa

from connections.target import Target


class OpsRows:
    """Numbers rows of one batch and keeps them until they are written. Safe to share between threads.

    A write that failed may have been committed all the same, where only the answer was lost: the next one looks which numbers
    are there.
    """

    def __init__(self, target: Target | None, table: sa.Table, number: str, batch: int) -> None:
        """`number` is the column that numbers the batch's rows; `target` None writes nothing (a dry run)."""
        self._target = target
        self._table = table
        self._number = number
        self._batch = batch
        self._mutex = threading.Lock()
        self._rows: list[dict[str, object]] = []
        self._last = 0
        self._doubtful = False

    def add(self, row: dict[str, object]) -> int:
        """Number a row and keep it; returns how many are kept."""
        with self._mutex:
            self._last += 1
            self._rows.append({"BatchId": self._batch, self._number: self._last, **row})
            return len(self._rows)

    def flush(self) -> None:
        """Write what is kept, in one transaction; rows that could not be written are kept for the next flush."""
        with self._mutex:
            rows, self._rows = self._rows, []
            if not rows or self._target is None:
                return
            try:
                with self._target.recorder.begin() as connection:
                    table = self._target.own(self._table)
                    if self._doubtful:
                        numbers = sa.select(table.c[self._number]).where(table.c.BatchId == self._batch)
                        there = set(connection.execute(numbers).scalars())
                        rows = [row for row in rows if row[self._number] not in there]
                    if rows:
                        connection.execute(sa.insert(table), rows)
            except BaseException:
                self._rows = rows
                self._doubtful = True
                raise
            self._doubtful = False
