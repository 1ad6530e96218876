"""List large tables: `python main_large_tables.py --list-tables`. Loading them is still to come."""

from __future__ import annotations

import sys

from orchestration.arguments import parse_arguments
from orchestration.command import run_command
from orchestration.large_tables import run_large_tables

if __name__ == "__main__":
    arguments = parse_arguments("main_large_tables.py", "Load large tables day by day.", sys.argv[1:])
    sys.exit(run_command(arguments, large=True, load=run_large_tables))
