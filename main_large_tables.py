"""List large tables: `python main_large_tables.py --list-tables`. Loading them is still to come."""

from __future__ import annotations

import sys

from orchestration.process import leave, ready, tune

if __name__ == "__main__":
    tune()
    from orchestration.arguments import parse_arguments
    from orchestration.command import run_command
    from orchestration.large_tables import run_large_tables

    ready()
    arguments = parse_arguments("main_large_tables.py", "Load large tables day by day.", sys.argv[1:])
    leave(run_command(arguments, large=True, load=run_large_tables))
