"""Kill `--adopt` after its changes: given again it ends as if nothing had happened, and no run loads the table before."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.driven import EVERY_POINT, Order, drive
from tests.acceptance.harness import configure, execute, list_tables, query, run
from tests.acceptance.history import check_invariants, opened

ADOPT = ("--adopt", "ERP.DEAL", "--yes")
_FEW_THREADS = {"POLARS_MAX_THREADS": "1"}
_ROWS = 30
# Ten rows a transaction: the kills find each layer's current rows and others half done.
_SETTINGS = {"SPOOL_MB": "0", "WORKERS": "1", "BATCH_ROWS": "10"}


def _as_a_predecessor_left_it(warehouse: Path) -> None:
    for database, table, row_hash in (("UDM_Stage", "DEAL_cdc", "_row_hash"), ("UDM_Bronze", "DEAL_scd2_python", "UdmHash")):
        execute(
            warehouse / f"{database}.duckdb",
            f'ALTER TABLE ERP.{table} ALTER COLUMN "{row_hash}" SET DATA TYPE VARCHAR USING sha256("{row_hash}"::VARCHAR)',
            *(f'ALTER TABLE ERP.{table} DROP COLUMN "{column}"' for column in ("_key_hash", "_hash_layout")),
            "DELETE FROM ops.PromotionMarker",
        )
    execute(warehouse / "General.duckdb", *(f"DELETE FROM ops.{own}" for own in ("HashLayout", "TablePublished")))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predecessor's tables with closed versions, deletes and a row that came back; the source as they have it."""
    folder = tmp_path_factory.mktemp("adopt") / "ready"
    source = folder.with_name("erp.duckdb")
    rows = f"SELECT i AS ID, i * 1.25 AS AMOUNT, 'deal ' || i AS NOTE FROM range({_ROWS}) t(i)"
    execute(source, f"CREATE TABLE DEAL AS {rows}", "ALTER TABLE DEAL ADD PRIMARY KEY (ID)")
    configure(folder, {"ERP": source}, **_SETTINGS)
    assert run(folder, "--list-tables").status == 0
    list_tables(folder / "warehouse", "ERP.DEAL")
    changed = ("UPDATE DEAL SET AMOUNT = AMOUNT + 1 WHERE ID > 20", "INSERT INTO DEAL VALUES (3, 1, 'x')")
    for changes in (("SELECT 1",), ("DELETE FROM DEAL WHERE ID < 4",), changed):
        execute(source, *changes)
        assert run(folder).status == 0
    _as_a_predecessor_left_it(folder / "warehouse")
    return folder


def _contents(folder: Path) -> list[list[tuple[object, ...]]]:
    names = ("stage.ERP.DEAL_cdc", "bronze.ERP.DEAL_scd2_python")
    with opened(folder / "warehouse") as connection:
        return [connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in names]


def _copy(folder: Path, name: str) -> Path:
    copy = folder.parent / name
    shutil.copytree(folder, copy)
    configure(copy, {"ERP": folder.with_name("erp.duckdb")}, **_SETTINGS)
    return copy


def _chosen(points: Sequence[str]) -> list[int]:
    """The points' numbers: after the commit of each kind of change to Stage or Bronze, once a table."""
    chosen: dict[str, int] = {}
    change = ""
    for number, name in enumerate(points, 1):
        if name.startswith(("ALTER", "UPDATE")) and "ERP" in name:
            change = " ".join(name.split()[:3])
        elif name == "COMMIT, after" and change:
            chosen.setdefault(change, number)
            change = ""
    return list(range(1, len(points) + 1)) if EVERY_POINT else list(chosen.values())


def test_a_takeover_that_is_killed_anywhere_is_finished_by_the_next(ready: Path) -> None:
    undisturbed = _copy(ready, "undisturbed")
    [done] = drive([Order(folder=undisturbed, arguments=ADOPT)], _FEW_THREADS)
    assert done.status == 0, done.text
    wanted = _contents(undisturbed)
    chosen = _chosen(done.points)
    assert len(chosen) > 3
    folders = [_copy(ready, f"killed_{number}") for number in chosen]
    orders = [Order(folder=folder, fatal=number, arguments=ADOPT) for folder, number in zip(folders, chosen, strict=True)]
    for order, killed in zip(orders, drive(orders, _FEW_THREADS), strict=True):
        assert killed.status == -signal.SIGKILL, f"not killed at {order.fatal}: {killed.text}"
    # A plain run before it is finished: never loads; afterwards: nothing is left to load.
    plain = [Order(folder=folder, record=Path("plain.txt")) for folder in folders]
    refused = drive(plain, _FEW_THREADS)
    again = drive([Order(folder=folder, arguments=ADOPT, record=Path("again.txt")) for folder in folders], _FEW_THREADS)
    last = drive([Order(folder=folder, record=Path("last.txt")) for folder in folders], _FEW_THREADS)
    kept = 0
    for folder, before, adopted, loaded in zip(folders, refused, again, last, strict=True):
        where = (folder / "points.txt").read_text().splitlines()[-1]
        assert before.status == 0 or "--adopt ERP.DEAL" in before.text, f"{where}: {before.text}"
        kept += before.status == 1
        assert (adopted.status, loaded.status) == (0, 0), f"{where}: {adopted.text} {loaded.text}"
        assert "Nothing changed since the last run" in loaded.text, where
        assert _contents(folder) == wanted, where
        check_invariants(folder / "warehouse", "ERP", "DEAL")
        staging = "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '_staging%'"
        assert query(folder / "warehouse" / "UDM_Stage.duckdb", staging) == [(0,)]
    assert kept > len(folders) / 2
    for folder in (undisturbed, *folders):
        shutil.rmtree(folder)
