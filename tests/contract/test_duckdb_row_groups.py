"""What DuckDB's checkpoints write of a table that grows a little with each run."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from connections.duckdb_row_groups import ONCE_IN, merges_after, put_off_merging
from model.ops import PROMOTION_MARKER

MERGING = [count for count in range(200) if merges_after(count)]
OTHERS = [count for count in range(200) if not merges_after(count)]


def row_groups_after(folder: Path, promotions: int, runs: int) -> int:
    """Row groups of a table to which so many runs, each a process of its own to DuckDB, have added a row."""
    file = folder / f"{promotions}.duckdb"
    with duckdb.connect(str(file)) as created:
        created.execute("CREATE TABLE history AS SELECT range AS number FROM range(3000)")
        created.execute(f'CREATE TABLE "{PROMOTION_MARKER.name}" AS SELECT range AS number FROM range({promotions})')
    for run in range(runs):
        with duckdb.connect() as root:
            root.execute(f"ATTACH '{file}' AS bronze")
            put_off_merging(root, "bronze")
            root.execute(f"INSERT INTO bronze.history VALUES ({run})")
    with duckdb.connect(str(file), read_only=True) as after:
        [(count,)] = after.execute("SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('history')").fetchall()
        assert after.execute("SELECT count(*) FROM history").fetchall() == [(3000 + runs,)]
    return int(count)


def test_a_run_leaves_the_row_groups_of_others_alone(tmp_path: Path) -> None:
    assert row_groups_after(tmp_path, OTHERS[0], runs=4) == 1 + 4


def test_once_in_a_while_a_run_merges_them(tmp_path: Path) -> None:
    assert row_groups_after(tmp_path, MERGING[0], runs=4) < 1 + 4


@pytest.mark.parametrize("each", [1, 3, 16, 100])
def test_that_comes_however_many_promotions_a_run_makes(each: int) -> None:
    runs = [merges_after(start + each * run) for start in (0, 1, 7) for run in range(400)]
    assert 400 * 3 / ONCE_IN / 2 < sum(runs) < 400 * 3 / ONCE_IN * 2
