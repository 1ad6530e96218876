"""The command line of both entry points (DESIGN.md section 8)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.pipeline_state import Asked

VALUES, COUNTS = "values", "counts"
EPILOGUE = (
    "exit status: 0 all succeeded, or nothing was to do; 1 a table failed or was blocked, or a reconciliation found differences; "
    "2 the command or the configuration is wrong, or the target cannot be reached; 3 nothing failed, but a table was skipped "
    "because another run holds it; 130 and 143 after SIGINT and SIGTERM."
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
    adopt: str | None = None
    reconcile: str = ""
    full: bool = False
    repair: bool = False
    yes: bool = False
    differences: Path | None = None
    show_keys: bool = False
    report: Path | None = None


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
    _add_reconciliation(parser)
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="text, or one JSON object a line")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars, also on a terminal")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each step")
    parser.add_argument("--adopt", metavar="SOURCE.TABLE", help="show how a predecessor's Stage and Bronze tables are taken over")
    if not large:
        parser.add_argument("--rekey", metavar="SOURCE.TABLE", help="show how its history gets the source's new key")
        parser.add_argument("--onboard", metavar="SOURCE.TABLE", help="show the control rows that would load this table")
    if large:
        parser.add_argument("--from", dest="first", type=_day, metavar="DAY", help="read days again, from this one on")
        parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="read days again up to this one")
    parsed = parser.parse_args(arguments)
    asked = Asked(first=parsed.first, last=parsed.last) if large else Asked()
    if asked.first and asked.last and asked.first > asked.last:
        parser.error(f"--from {asked.first} is after --to {asked.last}")
    _check_reconciliation(parser, parsed)
    maintenance = {} if large else {"rekey": parsed.rekey, "onboard": parsed.onboard}
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
        adopt=parsed.adopt,
        reconcile=parsed.reconcile or "",
        full=parsed.full,
        repair=parsed.repair,
        yes=parsed.yes,
        differences=parsed.differences,
        show_keys=parsed.show_keys,
        report=parsed.report,
    )


def _add_reconciliation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reconcile", nargs="?", const=VALUES, choices=(VALUES, COUNTS), metavar=COUNTS,
        help="compare source, Stage and Bronze value by value, and check the history, in the place of loading; "
        "with `counts` compare rows and sums alone",
    )  # fmt: skip
    parser.add_argument("--full", action="store_true", help="with --reconcile: compare every row, also where sums are equal")
    parser.add_argument("--repair", action="store_true", help="with --reconcile: show what would repair the differences, and ask")
    parser.add_argument("--yes", action="store_true", help="do without asking what --repair, --adopt, --rekey or --onboard shows")
    parser.add_argument("--differences", type=Path, metavar="FILE", help="with --reconcile: the differing rows (.csv, .parquet)")
    parser.add_argument("--show-keys", action="store_true", help="with --reconcile: differing rows show their key in clear")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a page of HTML that shows the run and those before it")


def _check_reconciliation(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> None:
    """Refuse what would otherwise be passed over in silence."""
    names = ("full", "repair", "differences", "show_keys")
    for name in (name for name in names if getattr(parsed, name)):
        if not parsed.reconcile or parsed.reconcile == COUNTS:
            parser.error(f"--{name.replace('_', '-')} belongs to --reconcile, and not to its counts")
    if parsed.reconcile and parsed.force and not parsed.repair:
        parser.error("--force overrides the guards of loads and repairs: it says nothing to --reconcile alone")
    if parsed.reconcile and parsed.dry_run:
        parser.error("--reconcile changes nothing but ops: leave --dry-run away")
    if parsed.report and parsed.dry_run:
        parser.error("--report shows what ops has recorded, and a dry run records nothing")
    asking = ("repair", "adopt", "rekey", "onboard")
    if parsed.yes and not any(getattr(parsed, name, None) for name in asking):
        parser.error("--yes answers what --repair, --adopt, --rekey and --onboard ask")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it like 2026-11-25") from None
