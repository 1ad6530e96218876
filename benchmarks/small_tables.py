"""``python -m benchmarks.small_tables``: whole runs of the pipeline, beside the floor and dlt.

Per repeat every contender starts with an empty target and loads the same three days, in turns, each load as
a fresh process: the first load, the unchanged source, and the source with 1 % of its rows updated, 0.1 %
inserted and 0.1 % deleted. After each load the history is counted, so that a time stands only for work that
was done. ``--target`` measures a server instead of DuckDB, ``--columns`` a wider table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import FLOOR, PEER_MODULES, PEERS, Contender, clean_environment, floor, peer
from benchmarks.measure import import_seconds, in_child
from benchmarks.report import Run, as_json, render, summarise
from benchmarks.rounds import DAYS, Sources, run_repeat
from benchmarks.source_table import COLUMNS, write_source
from benchmarks.udm import IMPORTED, NAME, udm, udm_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 1 where a run failed or left a wrong history, else 0."""
    options = parse(arguments)
    with work_folder(options.keep) as work:
        sources = generate(work, options.rows, options.columns)
        imports = measure_imports(options, work)
        runs: list[Run] = []
        for repeat in range(options.repeat):
            contenders = line_up(options, sources.path, work, repeat)
            runs.extend(run_repeat(repeat, contenders, sources, options.days))
    lines = summarise(runs, NAME)
    print(render(f"{options.rows:,} rows x {options.columns} columns, {options.repeat} paired runs.", lines, imports))
    if options.json:
        kept = as_json(options.rows, runs, lines, imports)
        options.json.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    failed = [run for run in runs if run.error]
    for run in failed:
        print(f"FAILED, and in no median above: {run.who} on the {run.day} day of repeat {run.repeat + 1}")
    return 1 if failed else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked: ``peers`` is empty where there is no interpreter for them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_tables")
    parser.add_argument("--rows", type=_positive, default=1_000_000, help="rows of the source (%(default)s)")
    parser.add_argument("--columns", type=_wide, default=COLUMNS, help="columns of the source (%(default)s)")
    parser.add_argument("--target", metavar="URL", help="load into this server, not into DuckDB (see UDM_TARGET in .env.example)")
    parser.add_argument("--days", type=_some_of(DAYS), default=DAYS, help="those to show (all)")
    parser.add_argument("--repeat", type=_positive, default=3, help="paired runs (%(default)s)")
    parser.add_argument("--peer-python", help="an interpreter with dlt, duckdb and pyarrow")
    parser.add_argument("--peers", type=_some_of(tuple(PEERS)), default=("dlt",), help=", ".join(PEERS))
    parser.add_argument("--without-udm", action="store_true", help="measure the floor and the peers alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there, and leave everything there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every single run there")
    options = parser.parse_args(arguments)
    if not options.peer_python:
        print("No --peer-python: the peers are skipped.", file=sys.stderr)
        options.peers = ()
    elif (found := shutil.which(options.peer_python)) is None:
        parser.error(f"--peer-python {options.peer_python}: no such interpreter")
    else:
        options.peer_python = str(Path(found).absolute())
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _wide(text: str) -> int:
    number = int(text)
    if number < COLUMNS:
        raise argparse.ArgumentTypeError(f"must be at least {COLUMNS}")
    return number


def _some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A reader of names separated by commas, each of them in ``known``, whose order they get."""

    def read(text: str) -> tuple[str, ...]:
        wanted = set(text.split(","))
        if unknown := wanted.difference(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: known are {', '.join(known)}")
        return tuple(name for name in known if name in wanted)

    return read


@contextmanager
def work_folder(keep: Path | None) -> Iterator[Path]:
    """The folder for sources, targets and logs: the one to keep, or a temporary one."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="udm_bench_") as folder:
        yield Path(folder).resolve()


def generate(work: Path, rows: int, columns: int = COLUMNS) -> Sources:
    """The source's two states as files in ``work``; those that a kept folder has already are taken."""
    files = []
    for state in ("before", "after"):
        path = work / f"source_{rows}{f'x{columns}' if columns > COLUMNS else ''}_{state}.duckdb"
        if not path.exists():
            print(f"Generating {path.name} ...", file=sys.stderr)
            unfinished = path.with_suffix(".unfinished")
            unfinished.unlink(missing_ok=True)
            in_child(write_source, unfinished, rows, changed=state == "after", columns=columns)
            unfinished.replace(path)
        files.append(path)
    return Sources(rows=rows, before=files[0], after=files[1], path=work / "source.duckdb")


def line_up(options: argparse.Namespace, source: Path, work: Path, repeat: int) -> list[Contender]:
    """Everybody who takes part, in the order of their turns: first the floor, which warms the file cache."""
    suffix = f"_{int(time.time())}_{repeat}" if options.target else ""
    ours = [] if options.without_udm else [udm(sys.executable, source, work / NAME, target=options.target, suffix=suffix)]
    peers = [peer(name, options.peer_python, source, work / name) for name in options.peers]
    return [floor(sys.executable, source, work / FLOOR), *ours, *peers]


def measure_imports(options: argparse.Namespace, work: Path) -> dict[str, float | None]:
    """Seconds that a process takes which only imports what a run imports at its start."""
    seconds: dict[str, float | None] = {}
    if not options.without_udm:
        environment = udm_environment(work / "source.duckdb", work / NAME)
        seconds[NAME] = import_seconds(sys.executable, IMPORTED, environment=environment, folder=work)
    if options.peers:
        python, environment = options.peer_python, clean_environment()
        seconds["dlt"] = import_seconds(python, PEER_MODULES, environment=environment, folder=work)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
