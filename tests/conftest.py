"""What concerns all tests: the summary's line on what was left out."""

from __future__ import annotations

import pytest

from tests.mssql_server import LEFT_OUT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what no server was found for."""
    left_out = config.stash.get(LEFT_OUT, "")
    if left_out:
        terminalreporter.write_line(left_out)
