"""Runs `main_small_tables.py` once in each of several folders, one after the other, in this one process.

    python again_driver.py FOLDER…

Each folder's settings are in its `.env`. Prints a line with the exit status for each; importing once is what makes it worth it.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    import orchestration.process

    # The command leaves its process at once, and the other folders are still to come.
    orchestration.process.leave = sys.exit  # type: ignore[assignment]
    folders = sys.argv[1:]
    for folder in folders:
        os.chdir(folder)
        sys.argv = [str(ROOT / "main_small_tables.py")]
        status: object = 0
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as ended:
            status = ended.code
        print(f"exit status {status} in {folder}", flush=True)  # noqa: T201 - read by the test
