"""The request to stop, as a signal makes it, and how the work hears of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from connections.target import Target
from extract.extractor import Extractor
from model.errors import Interrupted, TableHeld

_LOOK_AGAIN_SECONDS = 0.05


class Cancellation:
    """The request to stop: set by a signal, seen between steps, and passed on to what is running."""

    def __init__(self, target: Target) -> None:
        self._target = target
        # Not a threading.Event: its lock is not reentrant, and a second signal may come while the first one's handler holds it.
        self._requested = False
        self._mutex = threading.RLock()
        self._extractors: set[Extractor] = set()

    @contextmanager
    def watching(self, extractor: Extractor) -> Iterator[None]:
        """Interrupt this extractor too, while it is in use."""
        with self._mutex:
            self._extractors.add(extractor)
        try:
            yield
        finally:
            with self._mutex:
                self._extractors.discard(extractor)

    def request(self) -> None:
        """Ask every worker to stop now."""
        self._requested = True
        self._target.interrupt()
        with self._mutex:
            for extractor in self._extractors:
                extractor.interrupt()

    @property
    def requested(self) -> bool:
        """Whether the run is to stop."""
        return self._requested

    def check(self) -> None:
        """Raise Interrupted where a stop was requested."""
        if self._requested:
            raise _interrupted()

    def wait(self, seconds: float) -> None:
        """Wait so long; raise Interrupted as soon as a stop is requested."""
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_AGAIN_SECONDS))
            self.check()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What a statement raises because it was stopped is the interruption, in the log and in ops alike; its cause is kept."""
        try:
            yield
        except BaseException as error:
            if self.requested and not isinstance(error, Interrupted | TableHeld):
                raise _interrupted() from error
            raise


def _interrupted() -> Interrupted:
    return Interrupted(
        "The run was interrupted; what was not finished was rolled back.", remedy="Run it again: it goes on from there."
    )
