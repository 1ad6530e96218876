"""What is running and how to stop it: for an interrupt from another thread, and for a source that sends nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import polars as pl

from model.errors import SourceUnavailable

_PATIENCE_SECONDS = 60


class Stops:
    """The things of one extractor that run now. Each is stopped by a thread of its own, for a driver may wait for its server."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()  # reentrant: `interrupt` is called by signal handlers, which may come in it
        self._running: list[Callable[[], object]] = []
        self._stopping: list[tuple[Callable[[], object], threading.Thread]] = []
        self.interrupted = False

    def begin(self, stop: Callable[[], object]) -> None:
        """`stop` is called where a stop comes from now on, and at once after an interrupt."""
        with self._mutex:
            self._running.append(stop)
            if self.interrupted:
                self.stop()

    def end(self, stop: Callable[[], object]) -> None:
        """What `stop` stops has ended. Returns when no thread is in `stop`: what it works on may be freed then."""
        with self._mutex:
            with suppress(ValueError):
                self._running.remove(stop)
            ours = [thread for one, thread in self._stopping if one == stop]
            self._stopping = [(one, thread) for one, thread in self._stopping if one != stop]
        for thread in ours:
            thread.join(_PATIENCE_SECONDS)

    @contextmanager
    def watched(self, stop: Callable[[], object]) -> Iterator[None]:
        """`stop` is called where a stop comes while the block runs."""
        self.begin(stop)
        try:
            yield
        finally:
            self.end(stop)

    def stop(self) -> None:
        """Stop what runs now."""
        with self._mutex:
            for stop in self._running:
                thread = threading.Thread(target=_quietly, args=(stop,), name="stop", daemon=True)
                thread.start()
                self._stopping.append((stop, thread))

    def interrupt(self) -> None:
        """Stop what runs, and whatever is begun from now on."""
        self.interrupted = True
        self.stop()


def _quietly(stop: Callable[[], object]) -> None:
    with suppress(Exception):  # it has just ended
        stop()


def timed(what: str, frames: Iterator[pl.DataFrame], seconds: int, stops: Stops, remedy: str) -> Iterator[pl.DataFrame]:
    """The frames, each of which has to come within `seconds` (0: whenever); the time that the consumer takes does not count.

    Raises:
        SourceUnavailable: one did not.
    """
    if not seconds:
        yield from frames
        return
    while True:
        expired = threading.Event()

        def expire(expired: threading.Event = expired) -> None:
            expired.set()
            stops.stop()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            frame = next(frames, None)
        except BaseException:
            if expired.is_set() and not stops.interrupted:
                raise SourceUnavailable(f"{what}: the source has sent nothing for {seconds} seconds.", remedy=remedy) from None
            raise
        finally:
            timer.cancel()
        if frame is None:
            return
        yield frame
