"""Whether DuckDB is started ahead of the settings: a guess that costs time where it is wrong, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestration.ahead import names_duckdb

SERVER = "mssql://h/db"


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        ({}, None, True),  # the embedded default
        ({"UDM_TARGET": "duckdb:////var/lib/udm"}, None, True),
        ({"UDM_TARGET": SERVER}, None, False),
        ({"UDM_TARGET": SERVER, "UDM_SOURCE_DNA": "oracle://h/s"}, "UDM_SOURCE_CCM=duckdb:///f", False),
        ({"UDM_TARGET": SERVER, "UDM_SOURCE_DNA": "duckdb:///f"}, None, True),
        ({}, f"UDM_TARGET={SERVER}\n", False),
        ({}, f"UDM_TARGET={SERVER}\nUDM_SOURCE_DNA=duckdb:///f\n", True),
        ({}, "LOG_LEVEL=DEBUG\n", True),
    ],
)
def test_what_the_settings_seem_to_name(environment: dict[str, str], file: str | None, expected: bool, tmp_path: Path) -> None:
    if file is not None:
        (tmp_path / ".env").write_text(file, encoding="utf-8")
    assert names_duckdb(environment, tmp_path) is expected


def test_a_settings_file_that_can_be_read_once_only_is_left_to_the_settings(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # as a shell's <(...): whoever opens it waits for a writer
    assert names_duckdb({"UDM_ENV_FILE": str(pipe)}, tmp_path)


def test_a_settings_file_that_is_no_text_is_left_to_the_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    assert not names_duckdb({}, tmp_path)


def test_a_folder_that_is_gone_is_left_to_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert names_duckdb({}, Path())
