"""`--report FILE`: one page of HTML for the run that has just ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from connections.target import Target
from model.errors import ConfigurationError
from orchestration.reconciliation_results import Reconciled
from orchestration.report_load import load_page, read_events
from orchestration.report_reconciliation import read_past, reconciliation_page
from orchestration.results import TableResult


def check_writable(file: Path) -> None:
    """Find out before the run that the page can be written after it.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o644))
    except OSError as error:
        raise ConfigurationError(
            f"--report {file} cannot be written: {error.strerror}.", remedy="Name a file in a folder that is there and yours."
        ) from error


def write_report(
    file: Path, target: Target, batch: int, command: str, results: Sequence[TableResult], reconciled: Sequence[Reconciled] | None
) -> None:
    """Write the page; `reconciled` None is a load's."""
    with target.engine.connect() as connection:
        about = f"{command}, batch {batch}, {target.now(connection):%Y-%m-%d %H:%M} UTC"
    if reconciled is None:
        text = load_page(results, read_events(target, batch, results), about)
    else:
        text = reconciliation_page(reconciled, results, read_past(target, batch), about)
    file.write_text(text, encoding="utf-8")
