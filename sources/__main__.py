"""Command line of the sample sources: `python -m sources next-day`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model.errors import ConfigurationError, PipelineError
from sources.sample import SAMPLE_SOURCES, DaySummary, next_day
from sources.sample.files import sample_path

_FOLDER = Path("udm_data") / "sources"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit status: 0 done, 1 a sample file cannot be used, 2 wrong usage or settings."""
    options = _parser().parse_args(arguments)
    folder: Path = options.folder
    missing = sorted(source.name for source in SAMPLE_SOURCES if not sample_path(folder, source.name).exists())
    try:
        summaries = next_day(folder)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    if missing:
        print(f"Generated the sample sources {', '.join(missing)} in {folder.absolute()}.")
    for summary in summaries:
        print(_line(summary))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sources", description="Work with the embedded sample sources DNA, CCM and EPICOR."
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    command = commands.add_parser(
        "next-day",
        help="move the sample sources one business day on",
        description="Move the sample sources one business day on: inserts, updates, deletes, keys that"
        " come back. Sample files that are missing are generated first.",
    )
    command.add_argument("--folder", type=Path, default=_FOLDER, help="where the sample files are (default: %(default)s)")
    return parser


def _line(summary: DaySummary) -> str:
    table = f"{summary.source_name}.{summary.schema_name}.{summary.object_name}"
    return (
        f"{summary.business_date} {table:<32} {summary.inserted:>6} inserted {summary.updated:>6} updated"
        f" {summary.deleted:>6} deleted {summary.returned:>6} came back"
    )


if __name__ == "__main__":
    sys.exit(main())
