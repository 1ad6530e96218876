"""One repeat: every contender loads the same days, in turns, from an empty target on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.measure import in_child, run_measured, tail
from benchmarks.report import Run
from benchmarks.source_table import Expected, expected

DAYS = ("first", "unchanged", "changed")
FIRST = DAYS[0]
CHANGED = DAYS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The source's two states, and the one path under which every contender reads it, whatever the day."""

    rows: int
    before: Path
    after: Path
    path: Path

    def turn_to(self, day: str) -> None:
        """Make ``path`` show the source's state of ``day``."""
        link = self.path.with_suffix(".next")
        link.unlink(missing_ok=True)
        link.symlink_to(self.after if day == CHANGED else self.before)
        link.replace(self.path)


def run_repeat(repeat: int, contenders: Sequence[Contender], sources: Sources, days: Sequence[str]) -> Iterator[Run]:
    """Prepare the contenders, load the days in order and yield the runs of those in ``days``.

    The first load always takes place. A contender whose load fails, or whose history is wrong after it, has
    no further day in this repeat.
    """
    failed: set[str] = set()
    sources.turn_to(FIRST)
    for contender in contenders:
        _empty(contender)
    for day in (day for day in DAYS if day == FIRST or day in days):
        sources.turn_to(day)
        for contender in (contender for contender in contenders if contender.name not in failed):
            run = _load(repeat, day, contender, expected(sources.rows, day))
            print(_progress(run), file=sys.stderr)
            if run.error is not None:
                failed.add(contender.name)
            if run.error is not None or day in days:
                yield run


def _empty(contender: Contender) -> None:
    shutil.rmtree(contender.folder, ignore_errors=True)
    contender.folder.mkdir(parents=True)
    if contender.prepare is not None:
        contender.prepare()


def _load(repeat: int, day: str, contender: Contender, wanted: Expected) -> Run:
    place = contender.folder.parent
    log = place / f"{contender.name}_{repeat}_{day}.log"
    measured = run_measured(contender.command, environment=contender.environment, folder=place, log=log)
    steps: Mapping[str, float] = {}
    error = None
    if measured.status != 0:
        error = f"exit status {measured.status}:\n{tail(log)}"
    else:
        if contender.read_history is not None:
            found = in_child(contender.read_history, contender.folder)
            error = None if found == wanted else f"the history holds {found}, not {wanted}"
        if contender.read_steps is not None:
            steps = in_child(contender.read_steps, contender.folder)
    return Run(repeat=repeat, day=day, who=contender.name, measured=measured, steps=steps, error=error)


def _progress(run: Run) -> str:
    measured = run.measured
    line = f"{run.repeat + 1} {run.day:<9} {run.who:<10} {measured.wall:7.2f} s {measured.peak_gb:6.2f} GB"
    return line if run.error is None else f"{line}  FAILED: {run.error}"
