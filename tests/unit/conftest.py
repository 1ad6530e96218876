"""What several unit tests share: settings without an environment, and the embedded target in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from config import Settings
from connections.duckdb_target import DuckDBTarget
from connections.target import Databases
from sources.registry import SourceRegistry


@pytest.fixture(scope="session")
def defaults() -> Settings:
    """The settings' own defaults."""
    return Settings(
        target=URL.create("duckdb", database="/nowhere"), sources=SourceRegistry(), embedded=False, data_folder=Path("/nowhere")
    )


@pytest.fixture
def target(tmp_path: Path) -> Iterator[DuckDBTarget]:
    """Three empty databases."""
    opened = DuckDBTarget(
        tmp_path / "target", Databases(stage="UDM_Stage", bronze="UDM_Bronze", general="General"), memory_limit="256MB"
    )
    yield opened
    opened.close()
