"""The process around a run: what has to be set before polars is loaded, and how it ends."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

_GARBAGE_AFTER = 50_000


def tune() -> None:
    """Set up memory for a short process that moves much data; called before anything else is imported.

    polars' allocator keeps freed pages for the next frame, for the kernel's clearing of new ones is a tenth to a third of a run's
    CPU time. What one thread frees another reuses only within an arena, so there are few. `_RJEM_MALLOC_CONF` is its own
    variable and is obeyed where it is set.
    Source: https://jemalloc.net/jemalloc.3.html#tuning
    """
    arenas = max(1, (os.cpu_count() or 1) // 4)
    os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{arenas},dirty_decay_ms:10000,muzzy_decay_ms:10000")
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
