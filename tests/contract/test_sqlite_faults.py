"""A SQLite file that is cut, removed, replaced, written to or locked while it is read: one state of it arrives whole, or none."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.engine import URL

from extract.connectorx_extractor.process import ReaderProcess
from orchestration.table_config import TableConfig
from sources.limits import Limits
from sources.registry import Source
from tests.contract.backends import DuckDB
from tests.contract.conftest import Records
from tests.contract.pipeline import opened_pipeline
from tests.contract.source_warehouse import ROWS, Warehouse, changes

StepIn = Callable[[Callable[[], object]], None]
ROWS_SQL = (
    "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    " INSERT INTO big SELECT i, {v} FROM n"
)


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """12 MB: more than SQLite and the pipe between the processes hold."""
    file = tmp_path / "shop.db"
    execute(
        file,
        "PRAGMA synchronous = OFF",
        "CREATE TABLE big (id INTEGER PRIMARY KEY, v TEXT)",
        ROWS_SQL.format(first=1, last=ROWS, v="hex(zeroblob(150))"),
    )
    return file


def next_day(file: Path) -> None:
    execute(
        file,
        "BEGIN",
        "DELETE FROM big WHERE id <= 10",
        ROWS_SQL.format(first=ROWS + 1, last=ROWS + 5, v="'new'"),
        "UPDATE big SET v = 'changed' WHERE id BETWEEN 101 AND 107",
        "COMMIT",
    )


@pytest.fixture
def warehouse(file: Path, tmp_path: Path) -> Iterator[Warehouse]:
    """The first day is loaded."""
    source = Source(name="SHOP", url=URL.create("sqlite", database=str(file)), limits=Limits(connect_timeout=1))
    with opened_pipeline(DuckDB(), tmp_path) as pipeline:
        opened = Warehouse(pipeline=pipeline, source=source)
        pipeline.configs["big"] = TableConfig(source="SHOP", table="big")
        assert opened.load().inserted == ROWS
        yield opened


@pytest.fixture
def in_mid_read(monkeypatch: pytest.MonkeyPatch) -> StepIn:
    """Does something once, when the first frame of the next read has arrived."""

    def step_in(action: Callable[[], object]) -> None:
        read, waiting = ReaderProcess.frames, [action]

        def frames(reader: ReaderProcess) -> Iterator[pl.DataFrame]:
            for frame in read(reader):
                if waiting:
                    waiting.pop()()
                yield frame

        monkeypatch.setattr(ReaderProcess, "frames", frames)

    return step_in


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open stays")
def test_a_file_that_is_cut_in_mid_read_fails_and_changes_nothing(
    warehouse: Warehouse, file: Path, in_mid_read: StepIn, logged: Records
) -> None:
    next_day(file)
    before, whole = warehouse.digest(), file.read_bytes()
    in_mid_read(lambda: os.truncate(file, len(whole) // 2))
    message = warehouse.failed_clean(before)
    assert "malformed. Check the file of UDM_SOURCE_SHOP" in message
    assert warehouse.extracts() == [("FAILED", "SourceUnavailable"), ("FAILED", "SourceRefused")]
    [line] = [message for message in logged.messages(30) if "attempt 1 of 3" in message]
    assert "rows: its file is damaged, or was cut or written over while it was read" in line
    file.write_bytes(whole)
    changes(warehouse.load())
    warehouse.check_exact()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open stays")
def test_a_file_that_is_removed_or_replaced_in_mid_read_is_read_as_it_was(
    warehouse: Warehouse, file: Path, in_mid_read: StepIn
) -> None:
    newer = file.with_name("newer.db")
    newer.write_bytes(file.read_bytes())
    next_day(newer)
    in_mid_read(lambda: newer.replace(file))
    assert warehouse.load().changed == 0
    changes(warehouse.load())
    before = warehouse.digest()
    in_mid_read(file.unlink)
    assert warehouse.load().changed == 0
    message = warehouse.failed_clean(before)
    assert "does not exist" in message
    assert "UDM_SOURCE_SHOP" in message
    assert warehouse.extracts() == [("FAILED", "SourceRefused")]


def test_what_others_write_in_mid_read_is_for_the_next_read(warehouse: Warehouse, file: Path, in_mid_read: StepIn) -> None:
    execute(file, "PRAGMA journal_mode = WAL")  # in the other modes a writer waits for the reader
    in_mid_read(lambda: next_day(file))
    assert warehouse.load().changed == 0
    changes(warehouse.load())
    warehouse.check_exact()


def test_a_locked_file_is_waited_for_and_then_tried_again(warehouse: Warehouse, file: Path, logged: Records) -> None:
    next_day(file)
    before = warehouse.digest()
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        message = warehouse.failed_clean(before, retry_attempts=2)
        assert "database is locked" in message
        assert "UDM_SOURCE_SHOP" in message
        assert warehouse.extracts() == [("FAILED", "SourceUnavailable")] * 2
        timer = threading.Timer(0.3, writer.rollback)
        timer.start()
        changes(warehouse.load())
        timer.join()
    assert warehouse.extracts() == [("SUCCESS", None)]
    warehouse.check_exact()
