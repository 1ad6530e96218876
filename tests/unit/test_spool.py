"""The spool: rows wait in memory or in a private folder, come back in order, and leave nothing behind."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from extract.spool import Spool, SpoolFolder

PLENTY = 1 << 30
NESTED = pl.DataFrame(
    {"n": [1, 2], "t": ["ü\n", None], "d": pl.Series([None, "1.50"]).cast(pl.Decimal(38, 2)), "b": [b"\x00", b""]}
)


@pytest.fixture
def lax_umask() -> Iterator[None]:
    """Files are private because the spool makes them so, not because the account happens to."""
    before = os.umask(0)
    yield
    os.umask(before)


def part(number: int) -> pl.DataFrame:
    return pl.DataFrame({"n": [number * 10 + row for row in range(3)]})


def numbers(spool: Spool) -> list[int]:
    return [n for frame in spool.frames() for n in frame.get_column("n").to_list()]


def files_under(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_fits_the_limit_stays_in_memory(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, PLENTY) as spool:
        spool.append(part(1))
        spool.append(part(2))
        assert spool.files == 0
        assert list(tmp_path.iterdir()) == []
        assert numbers(spool) == [10, 11, 12, 20, 21, 22]


@pytest.mark.parametrize("limit", [0, 1, 30, 60, PLENTY])
def test_rows_come_back_in_order_and_as_often_as_asked(tmp_path: Path, limit: int) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, limit) as spool:
        for number in range(25):
            spool.append(part(number))
        expected = [number * 10 + row for number in range(25) for row in range(3)]
        assert numbers(spool) == expected
        assert numbers(spool) == expected
        assert (spool.files == 0) == (limit == PLENTY)


def test_what_is_beyond_the_limit_goes_to_disk_in_one_file_a_limit(tmp_path: Path) -> None:
    size = int(part(1).estimated_size())
    with SpoolFolder(tmp_path) as folder, Spool(folder, 2 * size) as spool:
        for number in range(7):
            spool.append(part(number))
        assert spool.files == 2
        assert len([path for path in files_under(tmp_path) if path.suffix == ".parquet"]) == 2


def test_values_survive_the_disk(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0) as spool:
        spool.append(NESTED)
        assert spool.files == 1
        [back] = spool.frames()
    assert back.equals(NESTED, null_equal=True)
    assert back.schema == NESTED.schema


def test_empty_frames_are_passed_over(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0) as spool:
        spool.append(part(1).clear())
        assert (spool.files, list(spool.frames())) == (0, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("lax_umask")
def test_folders_and_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0) as spool:
        spool.append(part(1))
        for path in tmp_path.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), f"{path.name} is {mode:o}"
        assert len(files_under(tmp_path)) == 2


def test_a_spools_files_go_with_it_and_the_folder_with_the_run(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path) as folder:
        with Spool(folder, 0) as spool:
            spool.append(part(1))
        assert [path.suffix for path in files_under(tmp_path)] == [""]
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_run_removes_them_too(tmp_path: Path) -> None:
    def break_off() -> None:
        with SpoolFolder(tmp_path) as folder, Spool(folder, 0) as spool:
            spool.append(part(1))
            assert files_under(tmp_path)
            raise RuntimeError("broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_two_tables_of_a_run_keep_apart(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0) as one:
        with Spool(folder, 0) as other:
            one.append(part(1))
            other.append(part(2))
            assert (numbers(one), numbers(other)) == ([10, 11, 12], [20, 21, 22])
        assert numbers(one) == [10, 11, 12]


def test_workers_that_start_together_share_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = tempfile.mkdtemp

    def slowly(**options: Any) -> str:
        time.sleep(0.02)
        path: str = make(**options)
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", slowly)
    with SpoolFolder(tmp_path) as folder, ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda _: folder.new_table(), range(4)))
        assert len({table.parent for table in tables}) == 1
        assert len(set(tables)) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_parent_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path / "a" / "b") as folder, Spool(folder, 0) as spool:
        spool.append(part(1))
        assert numbers(spool) == [10, 11, 12]


@pytest.mark.parametrize("limit", [PLENTY, 1])
def test_what_starts_over_finds_the_spool_empty(tmp_path: Path, limit: int) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, limit) as spool:
        spool.append(part(0))
        spool.append(part(1))
        spool.empty()
        assert (numbers(spool), spool.files) == ([], 0)
        assert not list(tmp_path.rglob("*.parquet"))
        spool.append(part(2))
        assert numbers(spool) == [20, 21, 22]
