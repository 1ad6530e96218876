"""What concerns all tests: how many processes share them, and what is left out where there is no SQL Server."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.mssql_server import LEFT_OUT, mssql_server, one_is_near
from tests.postgresql_server import NAMED_SERVER, end_postgresql_server

_MOST_PROCESSES = 4


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite is shared by as many processes as there are processors; tests that are named run in this one (0).

    So does the suite where a server is not a process's own: application locks and crashes concern all that use it.
    """
    if config.option.file_or_dir or os.environ.get(NAMED_SERVER) or one_is_near():
        return 0
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _MOST_PROCESSES)


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing outlives a process; one that shares in the tests tells the one that sums up, and is ended as soon as it has."""
    end_postgresql_server()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, "")


def pytest_testnodedown(node: Any) -> None:
    """What it told."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what no server was found for."""
    left_out = config.stash.get(LEFT_OUT, "")
    if left_out:
        terminalreporter.write_line(left_out)
