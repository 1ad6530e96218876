"""Load small tables: `python main_small_tables.py --table ACCT --source DNA`. `--help` lists every option."""

from __future__ import annotations

import sys

from orchestration.process import leave, ready, tune

if __name__ == "__main__":
    tune()
    from orchestration.ahead import importing
    from orchestration.arguments import parse_arguments

    arguments = parse_arguments("main_small_tables.py", "Load small tables in full into Stage and Bronze.", sys.argv[1:])
    with importing():
        from orchestration.command import run_command
        from orchestration.small_tables import run_small_tables

    ready()
    leave(run_command(arguments, large=False, load=run_small_tables))
