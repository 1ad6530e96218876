"""What concerns all tests: what is left out where there is no SQL Server, and the summary's line on it."""

from __future__ import annotations

import pytest

from tests.mssql_server import LEFT_OUT, mssql_server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a SQL Server its tests are left out, and the summary says so in one line."""
    theirs = [item for item in items if _needs_server(item)]
    if theirs and mssql_server().url is None:
        config.hook.pytest_deselected(items=theirs)
        items[:] = [item for item in items if item not in set(theirs)]
        config.stash[LEFT_OUT] = f"{len(theirs)} tests on SQL Server are left out: {mssql_server().why}."


def _needs_server(item: pytest.Item) -> bool:
    # The golden tests are named for it too, and compile only.
    of_servers = not {"contract", "acceptance"}.isdisjoint(item.path.parts)
    return bool(item.get_closest_marker("mssql")) or (of_servers and "[mssql" in item.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what no server was found for."""
    left_out = config.stash.get(LEFT_OUT, "")
    if left_out:
        terminalreporter.write_line(left_out)
