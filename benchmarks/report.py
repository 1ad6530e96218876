"""From single runs to the table that is printed and the JSON that is kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.measure import Measurement

_TOTAL = "TABLE_TOTAL"
_HEAD = ("day", "who", "wall s", "(least-most)", "CPU s", "peak GB", "ratio", "(least-most)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contender's load of one day in one repeat. ``steps`` are seconds by its own event log."""

    repeat: int
    day: str
    who: str
    measured: Measurement
    steps: Mapping[str, float]
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One contender's day: medians over the repeats, with the least and the greatest."""

    day: str
    who: str
    wall: tuple[float, float, float]
    cpu: float
    peak_gb: float
    ratio: tuple[float, float, float] | None
    """Its wall time in terms of ours, run by run."""
    steps: Mapping[str, float]


def summarise(runs: Iterable[Run], ours: str) -> list[Line]:
    """One line a day and contender, in the order of their first run. Runs that failed take no part."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.error is None:
            groups.setdefault((run.day, run.who), []).append(run)
    return [
        Line(
            day=day,
            who=who,
            wall=_spread([run.measured.wall for run in group]),
            cpu=median(run.measured.cpu for run in group),
            peak_gb=max(run.measured.peak_gb for run in group),
            ratio=None if who == ours else _ratio(group, groups.get((day, ours), [])),
            steps=_median_steps(group),
        )
        for (day, who), group in groups.items()
    ]


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return median(values), min(values), max(values)


def _ratio(theirs: Iterable[Run], ours: Iterable[Run]) -> tuple[float, float, float] | None:
    base = {run.repeat: run.measured.wall for run in ours}
    ratios = [run.measured.wall / base[run.repeat] for run in theirs if run.repeat in base]
    return _spread(ratios) if ratios else None


def _median_steps(group: Iterable[Run]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {}
    for run in group:
        for step, value in run.steps.items():
            seconds.setdefault(step, []).append(value)
    return {step: median(values) for step, values in seconds.items()}


def render(title: str, lines: Sequence[Line], imports: Mapping[str, float | None]) -> str:
    """The table as text: whole processes, then the steps of each day, then what importing alone takes."""
    rows = [_HEAD, *(_cells(line, repeated=_repeats_day(lines, at)) for at, line in enumerate(lines))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    table = [_align(row, widths) for row in rows]
    steps = [_steps(line) for line in lines if line.steps]
    known = [f"{who} {seconds:.2f}" for who, seconds in imports.items() if seconds is not None]
    parts = [
        [title, "Whole processes: median wall and CPU seconds, greatest peak; ratio to udm run by run.", ""],
        table,
        ["", "udm's steps, median seconds by its own event log:", *steps] if steps else [],
        ["", "Import alone, as a process, least seconds: " + ", ".join(known)] if known else [],
    ]
    return "\n".join(text for part in parts for text in part)


def _steps(line: Line) -> str:
    """The steps and, where the whole table's time is among them, what the process took outside it."""
    words = [f"{step} {seconds:.2f}" for step, seconds in line.steps.items()]
    if _TOTAL in line.steps:
        words.append(f"(process outside it {line.wall[0] - line.steps[_TOTAL]:.2f})")
    return f"{line.day:<10} " + "  ".join(words)


def _repeats_day(lines: Sequence[Line], at: int) -> bool:
    return at > 0 and lines[at - 1].day == lines[at].day


def _cells(line: Line, *, repeated: bool) -> tuple[str, ...]:
    middle, least, most = line.wall
    day = "" if repeated else line.day
    cells = (
        day,
        line.who,
        f"{middle:.2f}",
        f"({least:.2f}-{most:.2f})",
        f"{line.cpu:.2f}",
        f"{line.peak_gb:.2f}",
    )
    if line.ratio is None:
        return (*cells, "", "")
    middle, least, most = line.ratio
    return (*cells, f"{middle:.2f}x", f"({least:.2f}-{most:.2f})")


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    sized = list(zip(row, widths, strict=True))
    words = [text.ljust(width) for text, width in sized[:2]] + [text.rjust(width) for text, width in sized[2:]]
    return "  ".join(words).rstrip()


def as_json(rows: int, runs: Iterable[Run], lines: Iterable[Line], imports: Mapping[str, float | None]) -> dict[str, object]:
    """Everything that was measured, for ``json.dump``."""
    return {
        "rows": rows,
        "runs": [asdict(run) for run in runs],
        "summary": [asdict(line) for line in lines],
        "import_seconds": dict(imports),
    }
