"""Spool folders of other processes: real ones, one that lives and one that is killed; and a disk that is full."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from extract.spool import Spool, SpoolFolder, remove_abandoned
from model.errors import TerminalError

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
import polars as pl
from extract.spool import Spool, SpoolFolder

with SpoolFolder(Path(sys.argv[1])) as folder, Spool(folder, 0) as spool:
    spool.append(pl.DataFrame({"secret": ["row"]}))
    print("spooled", flush=True)
    sys.stdin.read()
"""
FULL_DISK = """
import resource, sys
from pathlib import Path
import polars as pl
from extract.spool import Spool, SpoolFolder
from model.errors import TerminalError

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
with SpoolFolder(Path(sys.argv[1])) as folder, Spool(folder, 0) as spool:
    try:
        spool.append(pl.DataFrame({"n": range(100_000)}))
    except TerminalError as error:
        print(error)
"""


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has spooled a row under `tmp_path` and goes on until its standard input is closed."""
    with start(HOLDER, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "spooled\n"
        yield process
        process.kill()


def rows_on_disk(folder: Path) -> int:
    return len(list(folder.rglob("*.parquet")))


def test_a_living_runs_folder_is_kept_and_a_killed_ones_removed_by_the_next_run(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with SpoolFolder(tmp_path):
        assert rows_on_disk(tmp_path) == 1, "a living run's rows were removed"

    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(timeout=30)
    assert rows_on_disk(tmp_path) == 1, "a killed process cannot have cleaned up"

    with SpoolFolder(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_run_that_ends_well_leaves_nothing(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.communicate(timeout=30)
    assert holder.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_does_not_remove_its_own_folder(tmp_path: Path) -> None:
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0) as spool:
        spool.append(pl.DataFrame({"n": [1]}))
        assert remove_abandoned(tmp_path) == []
        assert rows_on_disk(tmp_path) == 1


def test_nothing_else_in_the_parent_folder_is_touched(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("udm-spool", "xudm-spool-1", "data")]
    for other in others:
        other.mkdir()
        (other / "held").touch()
    (tmp_path / "udm-spool-file").touch()
    (tmp_path / "udm-spool-without-a-lock-file").mkdir()
    assert remove_abandoned(tmp_path) == []
    assert remove_abandoned(tmp_path / "missing") == []
    assert len(list(tmp_path.iterdir())) == 5


def test_before_a_disk_is_full_the_run_says_how_much_is_missing(tmp_path: Path) -> None:
    """On the real disk, of which more is to stay free than is."""
    frame = pl.DataFrame({"n": range(1_000_000), "t": pl.repeat("ab", 1_000_000, eager=True)})
    reserve = shutil.disk_usage(tmp_path).free * 2
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0, reserve_bytes=reserve) as spool:
        with pytest.raises(TerminalError, match=r"about 14,000,000 bytes are to be written.* bytes are missing") as caught:
            spool.append(frame)
        assert rows_on_disk(tmp_path) == 0, "a file was begun"
        missing = int(re.findall(r"([\d,]+) bytes are missing", str(caught.value))[0].replace(",", ""))
        assert missing == pytest.approx(reserve // 2 + 14_000_000, rel=0.2)
    assert "SPOOL_DIR" in caught.value.remedy
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_with_just_enough_room_a_file_is_written(tmp_path: Path) -> None:
    reserve = shutil.disk_usage(tmp_path).free // 2
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0, reserve_bytes=reserve) as spool:
        spool.append(pl.DataFrame({"n": [1]}))
        assert rows_on_disk(tmp_path) == 1


def test_a_disk_that_is_full_names_the_folder_and_the_setting_that_moves_it(tmp_path: Path) -> None:
    with start(FULL_DISK, tmp_path) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert str(tmp_path) in said
    assert "SPOOL_DIR" in said
    assert "bytes are free" in said
    assert list(tmp_path.iterdir()) == []
