"""Runs `main_small_tables.py` once a day for many days, in this one process: imports cost more than a run of a small table.

    python days_driver.py SOURCE DAYS STATEMENT

In the current folder, whose `.env` has the settings. STATEMENT changes the DuckDB file SOURCE before each run. Ends with the
first exit status that is not 0.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    import duckdb

    import orchestration.process

    # The command leaves its process at once, and the other days are still to come.
    orchestration.process.leave = sys.exit  # type: ignore[assignment]
    source, days, statement = sys.argv[1:]
    sys.argv = [str(ROOT / "main_small_tables.py")]
    for _ in range(int(days)):
        with duckdb.connect(source) as connection:
            connection.execute(statement)
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as ended:
            if ended.code != 0:
                raise
