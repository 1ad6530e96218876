"""Running a command as a process of its own and telling what it took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# ru_maxrss is in bytes on macOS and in KiB elsewhere: getrusage(2) of each.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_TAIL_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One process: seconds by the wall clock and of the processors (user and system), memory, status."""

    wall: float
    cpu: float
    peak_gb: float
    status: int


def run_measured(command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> Measurement:
    """Run ``command`` in ``folder`` with its output in the file ``log``.

    The peak is that of the largest single process: the child's own, or one of those that it waited for. Dirty
    pages of earlier work are written out first, so that nobody pays for somebody else's writes.
    """
    os.sync()
    with log.open("wb") as output:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, wait_status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
    # Reaped here, behind the back of Popen, which would otherwise warn that the child still runs.
    child.returncode = os.waitstatus_to_exitcode(wait_status)
    return Measurement(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_gb=usage.ru_maxrss * RSS_UNIT / 1e9,
        status=child.returncode,
    )


def import_seconds(python: str, modules: str, *, environment: Mapping[str, str], folder: Path, repeat: int = 3) -> float | None:
    """Least wall time of a process that only imports ``modules`` (``"a, b"``); None where it cannot."""
    command = [python, "-c", f"import {modules}"]
    runs = [run_measured(command, environment=environment, folder=folder, log=folder / "import.log") for _ in range(repeat)]
    return None if any(run.status for run in runs) else min(run.wall for run in runs)


def in_child(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` in a fresh process and return what it returns.

    Linux counts what a process held before it called exec towards its peak, and at first that is the memory of
    the one that started it. So the process that measures has to stay small, and databases are opened in here.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def tail(log: Path) -> str:
    """The last lines of a log, to show why a run failed."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])
