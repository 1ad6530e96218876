"""Where rows wait between extraction and load: in memory up to a limit, beyond it as Parquet in a private folder.

The folder belongs to one run: it is 0700, its files 0600, it is removed at the end, and a folder that a killed run left is
removed by the next run that finds nobody holding its lock file. No file is begun for which the disk has no room.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import polars as pl

from model.errors import TerminalError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows refuses to delete a file that is open, which serves as well
    fcntl = None  # type: ignore[assignment]

_PREFIX = "udm-spool-"
_LOCK = "held"
_FILE_BYTES = 64 * 1024 * 1024
_FRAME_ROWS = 50_000
# What is left free beside a file: other tables of the run write theirs meanwhile, and the disk is not ours alone.
_RESERVE_BYTES = 2 * _FILE_BYTES


class SpoolFolder:
    """The run's private folder; a context manager. Created when the first table needs it."""

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._folder: Path | None = None
        self._lock: IO[bytes] | None = None
        self._mutex = threading.Lock()

    def __enter__(self) -> Self:
        remove_abandoned(self._parent)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._lock is not None:
            self._lock.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def new_table(self) -> Path:
        """A new private subfolder for one table's files."""
        with self._mutex:
            if self._folder is None:
                self._parent.mkdir(parents=True, exist_ok=True)
                self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
                (self._folder / _LOCK).touch(mode=0o600)
                self._lock = (self._folder / _LOCK).open("wb")
                if fcntl is not None:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Path(tempfile.mkdtemp(dir=self._folder))


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove spool folders that no living run holds; returns them."""
    removed = []
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if fcntl is not None:
                with (folder / _LOCK).open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
            removed.append(folder)
    return removed


def compacted(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy that holds its own text and bytes: a selection of rows shares, and so keeps alive, those of the frame it is from."""
    copy = pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), schema=frame.schema)
    return copy if isinstance(copy, pl.DataFrame) else copy.to_frame()


def _lengths(frame: pl.DataFrame) -> int:
    """Bytes of the lengths that Parquet writes before each text and binary value, beyond what polars counts."""
    return 4 * frame.height * sum(dtype in {pl.String, pl.Binary} for dtype in frame.dtypes)


class Spool:
    """One table's rows in the order they were appended; a context manager that gives back memory and disk."""

    def __init__(self, folder: SpoolFolder, limit_bytes: int, *, reserve_bytes: int = _RESERVE_BYTES) -> None:
        self._run_folder = folder
        self._limit = limit_bytes
        self._reserve = reserve_bytes
        self._held: list[pl.DataFrame] = []
        self._held_bytes = 0
        self._files: list[Path] = []
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back memory and disk."""
        self._held.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def files(self) -> int:
        """How many Parquet files hold rows."""
        return len(self._files)

    def append(self, frame: pl.DataFrame) -> None:
        """Keep a frame.

        Raises:
            TerminalError: the disk has no room; names the folder, how much is missing, and the setting that moves it.
        """
        if frame.is_empty():
            return
        self._held.append(frame)
        self._held_bytes += int(frame.estimated_size())
        if self._held_bytes > self._limit:
            self._spill()
            # Once on disk there is no use in holding much: from here on a file is written as soon as it has a good size.
            self._limit = min(self._limit, _FILE_BYTES)

    def _spill(self) -> None:
        while self._held:
            group, size = [], 0
            while self._held and size < _FILE_BYTES:
                group.append(self._held.pop(0))
                size += int(group[-1].estimated_size())
            self._write(group, size + sum(_lengths(frame) for frame in group))
        self._held_bytes = 0

    def _write(self, frames: list[pl.DataFrame], size: int) -> None:
        if self._folder is None:
            self._folder = self._run_folder.new_table()
        path = self._folder / f"{len(self._files):06}.parquet"
        try:
            self._check_room(self._folder, size)
            path.touch(mode=0o600)
            pl.concat(frames).write_parquet(path, compression="uncompressed", statistics=False)
        except (OSError, pl.exceptions.ComputeError) as error:
            # Polars raises the one when it opens the file and the other when it writes to it.
            raise TerminalError(
                f"The spool {self._folder} cannot be written: {getattr(error, 'strerror', None) or error}; "
                f"{shutil.disk_usage(self._folder).free:,} bytes are free there and {size:,} more are needed.",
                remedy="Make room, or set SPOOL_DIR to a folder on a larger disk.",
            ) from error
        self._files.append(path)

    def _check_room(self, folder: Path, size: int) -> None:
        free = shutil.disk_usage(folder).free
        missing = size + self._reserve - free
        if missing > 0:
            raise TerminalError(
                f"The spool {folder} has no room: about {size:,} bytes are to be written, {self._reserve:,} are to stay free, "
                f"{free:,} are free: {missing:,} bytes are missing.",
                remedy="Make room, or set SPOOL_DIR to a folder on a larger disk.",
            )

    def empty(self) -> None:
        """Forget all rows: what fills it starts over."""
        self._held.clear()
        self._held_bytes = 0
        for path in self._files:
            path.unlink()
        self._files.clear()

    def frames(self) -> Iterator[pl.DataFrame]:
        """All rows again, in order; may be called more than once."""
        for path in self._files:
            yield pl.read_parquet(path, memory_map=False)
        yield from _joined(self._held)


def _joined(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Small frames put together: whoever takes them does the same work once a frame, and a day of few changes has many."""
    small: list[pl.DataFrame] = []
    rows = 0
    for frame in frames:
        small.append(frame)
        rows += frame.height
        if rows >= _FRAME_ROWS:
            yield small[0] if len(small) == 1 else pl.concat(small)
            small, rows = [], 0
    if small:
        yield pl.concat(small)


