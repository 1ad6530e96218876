"""The sessions that read ranges of one table side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from extract.extractor import SourceTable
from extract.oracle_extractor.session import OracleSession
from sources.registry import Source


class RangeSessions:
    """Opened by the threads that read, one each; broken off together from any thread."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.RLock()  # `stop` is called by signal handlers
        self._open: set[OracleSession] = set()
        self._stopped = False

    @contextmanager
    def one(self, table: SourceTable) -> Iterator[OracleSession]:
        """A session while the block runs.

        Raises:
            Interrupted: they were stopped.
        """
        session = OracleSession(self._source)
        try:
            with self._lock:
                self._open.add(session)
                if self._stopped:
                    session.interrupt()
            session.check_interrupt(table)
            yield session
        finally:
            with self._lock:
                self._open.discard(session)
            session.close()

    def stop(self) -> None:
        """Break off what they read; a session that is opened later reads nothing."""
        with self._lock:
            self._stopped = True
            for session in self._open:
                session.interrupt()
