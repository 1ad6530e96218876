"""Fixtures of the contract: every test that asks for `target` or `pipeline` runs once on each backend."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from connections.target import Target
from tests.contract.backends import Backend, DuckDB, PostgreSQL
from tests.contract.mssql_backend import MSSQL
from tests.contract.pipeline import Pipeline, SourceFile, opened_pipeline

BACKENDS: tuple[Backend, ...] = (DuckDB(), PostgreSQL(), MSSQL())


@pytest.fixture(scope="session", params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def pipeline(backend: Backend, tmp_path: Path) -> Iterator[Pipeline]:
    """Runs tables of the source `DNA` into an empty warehouse."""
    with opened_pipeline(backend, tmp_path) as opened:
        yield opened


@pytest.fixture
def target(pipeline: Pipeline) -> Target:
    """The pipeline's target, opened, with General created."""
    return pipeline.target


@pytest.fixture
def source(pipeline: Pipeline) -> SourceFile:
    """The pipeline's source file."""
    return pipeline.source


class Records(logging.Handler):
    """Keeps what the pipeline logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def messages(self, level: int = logging.DEBUG) -> list[str]:
        """The messages from a level up."""
        return [record.getMessage() for record in self.records if record.levelno >= level]


@pytest.fixture
def logged() -> Iterator[Records]:
    """What the pipeline logs during the test."""
    handler = Records()
    logger = logging.getLogger("udm")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
