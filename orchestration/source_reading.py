"""One source connection for a large table's many reads: kept open while they succeed, opened anew after one that failed."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from extract.extractor import Extractor, open_extractor
from orchestration.run_context import RunContext
from sources.registry import Source


class SourceReading:
    """A context manager; its place among the source's connections is held until it ends."""

    def __init__(self, run: RunContext, source: Source) -> None:
        self._run = run
        self._source = source
        self._place = ExitStack()
        self._opened = ExitStack()
        self._extractor: Extractor | None = None

    def __enter__(self) -> Self:
        self._place.enter_context(self._run.connections.one(self._source, self._run.cancellation.wait))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.let_go()
        self._place.close()

    def extractor(self) -> Extractor:
        """The extractor, opened when there is none.

        Raises:
            SourceUnavailable: the source does not answer now.
            SourceRefused: it refuses the login.
        """
        if self._extractor is None:
            extractor = self._opened.enter_context(open_extractor(self._source, self._run.connections))
            self._opened.enter_context(self._run.cancellation.watching(extractor))
            self._extractor = extractor
        return self._extractor

    def let_go(self) -> None:
        """Close it: after a failure its session is in no known state."""
        self._extractor = None
        self._opened.close()
