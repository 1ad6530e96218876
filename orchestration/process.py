"""The process around a run: what has to be set before polars is loaded, and how it ends."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import NoReturn

_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_DECAY = "dirty_decay_ms:10000,muzzy_decay_ms:10000"
_GARBAGE_AFTER = 50_000


def tune() -> None:
    """Set up memory for a short process that moves much data; called before anything else is imported.

    polars' allocator keeps freed pages for the next frame, and takes huge ones where the kernel gives them on request: page
    faults are a quarter of a run's CPU time otherwise. What one thread frees another reuses only within an arena, so there are
    few. `_RJEM_MALLOC_CONF` is its own variable and is obeyed where it is set.
    Source: https://jemalloc.net/jemalloc.3.html#tuning
    """
    few = f"narenas:{max(1, (os.cpu_count() or 1) // 4)},{_DECAY}"
    os.environ.setdefault("_RJEM_MALLOC_CONF", f"thp:always,{few}" if _has_huge_pages() else few)
    # Imports make hundreds of thousands of objects and no garbage.
    gc.disable()


def ready() -> None:
    """Called when all is imported: garbage is looked for from here on, but never again among what was imported."""
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER)
    gc.enable()


def leave(status: int) -> NoReturn:
    """End the process at once: taking the interpreter apart takes longer than a small table."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        sys.exit(status)  # the interpreter says what it cannot write
    os._exit(status)


def _has_huge_pages() -> bool:
    try:
        return "[never]" not in _HUGE_PAGES.read_text(encoding="ascii")
    except OSError:
        return False
