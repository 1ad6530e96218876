"""Load large tables day by day: `python main_large_tables.py --table RTXN --source DNA`. `--help` lists every option."""

from __future__ import annotations

import sys

from orchestration.process import leave, ready, tune

if __name__ == "__main__":
    tune()
    from orchestration.ahead import importing
    from orchestration.arguments import parse_arguments

    about = "Load large tables day by day into Stage and Bronze."
    arguments = parse_arguments("main_large_tables.py", about, sys.argv[1:], large=True)
    with importing():
        from orchestration.command import run_command
        from orchestration.large_tables import run_large_tables

    ready()
    leave(run_command(arguments, large=True, load=run_large_tables))
