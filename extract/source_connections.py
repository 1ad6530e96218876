"""How many connections a run has open to each source, over all its workers and partitions."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sources.registry import Source

LOG = logging.getLogger("udm.extraction")
_LOOK_AGAIN_SECONDS = 0.1


class SourceConnections:
    """Counts connections by source and keeps them below its limit; one object a run, shared between threads.

    Whoever opens an extractor holds `one`. An extractor that reads ranges side by side takes `further` ones, and holds no two
    of its own without asking.
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._mutex = threading.Lock()

    @contextmanager
    def one(self, source: Source, wait: Callable[[float], None]) -> Iterator[None]:
        """Hold a connection's place while the block runs; until there is one, `wait` so many seconds again and again."""
        if not self._take(source, 1):
            most = source.limits.max_connections
            LOG.info("%s: waits for one of the %d connections that SOURCE_MAX_CONNECTIONS allows", source.name, most)
            while not self._take(source, 1):
                wait(_LOOK_AGAIN_SECONDS)
        try:
            yield
        finally:
            self._give_back(source, 1)

    @contextmanager
    def further(self, source: Source, wanted: int) -> Iterator[int]:
        """Hold as many of `wanted` further places as are free at this moment, perhaps none; their number."""
        taken = self._take(source, wanted)
        try:
            yield taken
        finally:
            self._give_back(source, taken)

    def _take(self, source: Source, wanted: int) -> int:
        with self._mutex:
            taken = max(min(wanted, source.limits.max_connections - self._open[source.name]), 0)
            self._open[source.name] += taken
            return taken

    def _give_back(self, source: Source, taken: int) -> None:
        with self._mutex:
            self._open[source.name] -= taken
