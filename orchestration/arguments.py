"""The command line of both entry points (DESIGN.md section 8)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from orchestration.pipeline_state import Asked

EPILOGUE = (
    "exit status: 0 all succeeded, or nothing was to do; 1 a table failed or was blocked; 2 the command or the configuration "
    "is wrong, or the target cannot be reached; 3 nothing failed, but a table was skipped because another run holds it; "
    "130 and 143 after SIGINT and SIGTERM."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What was asked for. `workers` None leaves it to the settings."""

    table: str | None
    source: str | None
    workers: int | None
    list_tables: bool
    create_databases: bool
    force: bool
    dry_run: bool
    json: bool
    progress: bool
    verbose: bool
    asked: Asked = Asked()  # noqa: RUF009 - frozen
    rekey: str | None = None
    onboard: str | None = None
    yes: bool = False


def parse_arguments(program: str, description: str, arguments: Sequence[str], *, large: bool = False) -> Arguments:
    """Parse and check; argparse itself ends the process with status 2 on a wrong command."""
    parser = argparse.ArgumentParser(prog=program, description=description, epilog=EPILOGUE)
    parser.add_argument("--table", metavar="NAME", help="load only this table (SourceObjectName)")
    parser.add_argument("--source", metavar="NAME", help="load only tables of this source (SourceName)")
    parser.add_argument("--workers", type=_positive, metavar="N", help="load up to N tables at a time (default: WORKERS, else 2)")
    parser.add_argument("--list-tables", action="store_true", help="list the tables that would be loaded, and exit")
    parser.add_argument(
        "--create-databases", action="store_true", help="create Stage, Bronze and General on the server where they are missing"
    )
    parser.add_argument("--force", action="store_true", help="override the guards and restart the baseline of row counts")
    parser.add_argument("--dry-run", action="store_true", help="extract and compare, but write nothing except the report")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="text, or one JSON object a line")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars, also on a terminal")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each step")
    if not large:
        parser.add_argument("--rekey", metavar="SOURCE.TABLE", help="show how its history gets the source's new key")
        parser.add_argument("--onboard", metavar="SOURCE.TABLE", help="show the control rows that would load this table")
        parser.add_argument("--yes", action="store_true", help="do what --rekey or --onboard shows")
    if large:
        parser.add_argument("--from", dest="first", type=_day, metavar="DAY", help="read days again, from this one on")
        parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="read days again up to this one")
    parsed = parser.parse_args(arguments)
    asked = Asked(first=parsed.first, last=parsed.last) if large else Asked()
    if asked.first and asked.last and asked.first > asked.last:
        parser.error(f"--from {asked.first} is after --to {asked.last}")
    maintenance = {} if large else {"rekey": parsed.rekey, "onboard": parsed.onboard, "yes": parsed.yes}
    return Arguments(
        table=parsed.table,
        source=parsed.source,
        workers=parsed.workers,
        list_tables=parsed.list_tables,
        create_databases=parsed.create_databases,
        force=parsed.force,
        dry_run=parsed.dry_run,
        json=parsed.log_format == "json",
        progress=not parsed.no_progress,
        verbose=parsed.verbose,
        asked=asked,
        **maintenance,
    )


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it like 2026-11-25") from None
