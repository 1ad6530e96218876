"""Every kind of defect, planted on each target: found, named, counted, and where that is possible repaired."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connections import open_target
from orchestration import promoting, reconciliation_portion, reconciliation_repair, reconciliation_values
from tests.contract.command import command_of, list_tables
from tests.contract.pipeline import Pipeline, Row

TABLE = "ACCT"
COLUMNS = "ID INTEGER PRIMARY KEY, NAME VARCHAR, BALANCE DECIMAL(18,3), SINCE TIMESTAMP, DATA BLOB"
DAYS: tuple[tuple[Row, ...], ...] = (
    tuple((i, f"name {i}", f"{i}.1", "2026-01-01 00:00:00.000001", b"\x00") for i in range(1, 21)),
    tuple((i, f"later {i}", f"{i}.1", "2026-01-01 00:00:00.000001", None) for i in range(1, 21) if i != 20),
)
CURRENT, ACTIVE = '"_cdc_is_current" = {true}', '"UdmActiveFlag" = {true}'


class Reconciled:
    """A pipeline with two days loaded, driven by its command; what its last reconciliation wrote to ops."""

    def __init__(self, pipeline: Pipeline, command: Callable[..., int]) -> None:
        self.pipeline, self.command = pipeline, command

    def load(self, rows: tuple[Row, ...] | None = None) -> None:
        if rows is not None:
            self.pipeline.source.table(TABLE, COLUMNS, rows)
        assert self.command("--no-progress") == 0

    def plant(self, *statements: str) -> None:
        for statement in statements:
            self.pipeline.query(statement, TABLE)

    def checks(self, *arguments: str, status: int = 1) -> dict[str, dict[str, Any]]:
        """Reconcile; the checks that differ, by name, with what was counted."""
        assert self.command("--reconcile", *arguments) == status
        query = (
            'SELECT "CheckName", "Status", "RowsDifferent", "ColumnsDifferent", "Details" FROM {ops}."ReconciliationLog" '
            'WHERE "BatchId" = (SELECT MAX("BatchId") FROM {ops}."ReconciliationLog")'
        )
        found = {}
        for name, outcome, different, columns, details in self.pipeline.query(query):
            assert (outcome == "DIFFERENT") == (different > 0)
            if different:
                counted = {key: value for key, value in json.loads(details).items() if value}
                found[name] = {"different": different, "columns": json.loads(columns or "{}"), **counted}
        return found

    def details(self, name: str) -> dict[str, Any]:
        """What the last reconciliation counted apart."""
        query = 'SELECT "Details" FROM {ops}."ReconciliationLog" WHERE "CheckName" = :name ORDER BY "BatchId" DESC'
        return {key: value for key, value in json.loads(self.pipeline.query(query, name=name)[0][0]).items() if value}

    def differences(self) -> list[Row]:
        query = (
            'SELECT "Layer", "Difference", "ColumnName", "SourceValue", "LayerValue" FROM {ops}."ReconciliationDifference" '
            'WHERE "BatchId" = (SELECT MAX("BatchId") FROM {ops}."ReconciliationLog")'
        )
        return sorted(self.pipeline.query(query), key=repr)

    def closed(self) -> list[dict[str, Any]]:
        return [row for row in self.pipeline.dump("bronze", TABLE) if not row["UdmActiveFlag"]]


@pytest.fixture
def warehouse(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Reconciled:
    list_tables(pipeline, TABLE)
    loaded = Reconciled(pipeline, command_of(pipeline, monkeypatch, tmp_path))
    for day in DAYS:
        loaded.load(day)
    return loaded


def test_a_clean_table_yields_nothing(warehouse: Reconciled) -> None:
    before = warehouse.pipeline.dumps(TABLE)
    for arguments in ((), ("--full",), ("--repair", "--yes"), ("--repair",)):
        assert warehouse.checks(*arguments, status=0) == {}, arguments
        assert warehouse.differences() == []
    assert warehouse.command("--reconcile", "counts") == 0
    assert warehouse.pipeline.dumps(TABLE) == before
    assert warehouse.pipeline.staging_tables() == []


VALUE_DEFECTS = (
    # A flipped value under a hash that says otherwise: no load would ever notice it.
    'UPDATE {stage} SET "NAME" = \'flipped\' WHERE "ID" = 1 AND ' + CURRENT,
    'UPDATE {bronze} SET "NAME" = \'flipped\' WHERE "ID" = 1 AND ' + ACTIVE,
    # NULL against a value, in Stage alone; a stale row in Bronze alone.
    'UPDATE {stage} SET "BALANCE" = NULL WHERE "ID" = 2 AND ' + CURRENT,
    'UPDATE {bronze} SET "SINCE" = \'2020-01-01\', "UdmHash" = "_key_hash" WHERE "ID" = 3 AND ' + ACTIVE,
    # Lost rows: in both layers, in Bronze, in Stage, in Stage where Bronze is stale.
    'DELETE FROM {stage} WHERE "ID" = 4',
    'DELETE FROM {bronze} WHERE "ID" IN (4, 5)',
    'DELETE FROM {stage} WHERE "ID" IN (6, 7)',
    'UPDATE {bronze} SET "BALANCE" = 7.2 WHERE "ID" = 7 AND ' + ACTIVE,
    # Beside those that are gone at the source (8, 9 and 10): lost in Bronze, lost in Stage.
    'DELETE FROM {bronze} WHERE "ID" = 9',
    'DELETE FROM {stage} WHERE "ID" = 10',
    # A hash that lies over values that are right.
    'UPDATE {stage} SET "_row_hash" = "_key_hash" WHERE "ID" = 11 AND ' + CURRENT,
)


def test_differing_values_are_found_counted_and_repaired(warehouse: Reconciled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation_values, "GROUP_ROWS", 3)  # several groups, as a table that differs widely has
    pipeline = warehouse.pipeline
    pipeline.source.execute(f"DELETE FROM {TABLE} WHERE ID IN (8, 9, 10)")
    warehouse.plant(*VALUE_DEFECTS)
    found = warehouse.checks()
    assert {key: found["SOURCE_STAGE"].get(key, 0) for key in ("VALUE", "MISSING", "EXTRA", "ROW_HASH", "DUPLICATE")} == {
        "VALUE": 2, "MISSING": 3, "EXTRA": 2, "ROW_HASH": 3, "DUPLICATE": 0,
    }  # fmt: skip
    assert {key: found["SOURCE_BRONZE"].get(key, 0) for key in ("VALUE", "MISSING", "EXTRA", "ROW_HASH", "DUPLICATE")} == {
        "VALUE": 3, "MISSING": 2, "EXTRA": 2, "ROW_HASH": 3, "DUPLICATE": 0,
    }  # fmt: skip
    assert found["SOURCE_STAGE"]["columns"] == {"NAME": 1, "BALANCE": 1}
    assert found["SOURCE_BRONZE"]["columns"] == {"NAME": 1, "SINCE": 1, "BALANCE": 1}
    differences = warehouse.differences()
    assert ("STAGE", "VALUE", "BALANCE", "2.100", None) in differences
    assert ("BRONZE", "VALUE", "NAME", "later 1", "flipped") in differences
    assert len(differences) == 2 + 3 + 2 + 3 + 3 + 2 + 2 + 3

    closed = warehouse.closed()
    # Nobody is there to say yes: the plan is shown, and nothing is written.
    before = pipeline.dumps(TABLE)
    warehouse.checks("--repair")
    assert pipeline.dumps(TABLE) == before

    warehouse.checks("--repair", "--yes")
    assert [row for row in closed if row not in warehouse.closed()] == []
    assert warehouse.checks(status=0) == {}
    columns = '"Status", "RowsInserted", "RowsUpdated", "RowsDeleted"'
    events = f'SELECT {columns} FROM {{ops}}."PipelineEventLog" WHERE "EventType" = \'REPAIR\''
    assert pipeline.query(events) == [("SUCCESS", 2, 5, 2)]
    assert pipeline.staging_tables() == []
    warehouse.load()
    assert warehouse.checks(status=0) == {}


def _broken_off(*_: object, **__: object) -> None:
    raise RuntimeError("killed")


def test_a_repair_that_is_broken_off_leaves_nothing_that_sticks(warehouse: Reconciled, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.plant(
        f'DELETE FROM {{stage}} WHERE "ID" = 1 AND {CURRENT}',
        f'UPDATE {{bronze}} SET "NAME" = \'stale\' WHERE "ID" IN (1, 2) AND {ACTIVE}',
    )
    closed = warehouse.closed()
    # Between its marker in Bronze and its rows in Stage: as if it had not begun.
    with monkeypatch.context() as patch:
        patch.setattr(reconciliation_repair, "run_cdc", _broken_off)
        assert warehouse.command("--reconcile", "--repair", "--yes") == 1
    assert {"SOURCE_STAGE", "SOURCE_BRONZE", "STAGE_BRONZE"} == warehouse.checks().keys()
    # Between Stage and Bronze: the next load goes on from there.
    with monkeypatch.context() as patch:
        patch.setattr(promoting, "run_scd2_targeted", _broken_off)
        assert warehouse.command("--reconcile", "--repair", "--yes") == 1
    assert warehouse.checks("--repair", "--yes")["UNPROMOTED"]["different"] == 1
    warehouse.load()
    assert warehouse.checks(status=0) == {}
    assert [row for row in closed if row not in warehouse.closed()] == []
    assert warehouse.pipeline.staging_tables() == []


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y", KeyboardInterrupt])
def test_a_person_at_the_terminal_is_asked(
    warehouse: Reconciled, monkeypatch: pytest.MonkeyPatch, answer: str | type[BaseException]
) -> None:
    def asked(_: str) -> str:
        if isinstance(answer, str):
            return answer
        raise answer

    warehouse.plant('UPDATE {bronze} SET "NAME" = \'stale\' WHERE "ID" = 1 AND ' + ACTIVE)
    before = warehouse.pipeline.dumps(TABLE)
    monkeypatch.setattr("sys.stdin", _Terminal())
    monkeypatch.setattr("builtins.input", asked)
    warehouse.checks("--repair")
    assert (warehouse.pipeline.dumps(TABLE) == before) == (answer != "y")
    assert warehouse.checks(status=int(answer != "y")).keys() == (set() if answer == "y" else {"SOURCE_BRONZE"})


def test_a_table_that_is_being_loaded_is_skipped(warehouse: Reconciled) -> None:
    if warehouse.pipeline.backend.name == "duckdb":
        pytest.skip("on DuckDB a load holds the whole target: test_exit_status")
    other = open_target(warehouse.pipeline.settings)
    try:
        with other.lock_table("dna", TABLE.casefold()):
            assert warehouse.command("--reconcile", "--repair", "--yes") == 3
    finally:
        other.close()


HISTORY_DEFECTS = (
    'UPDATE {bronze} SET "UdmEndDateTime" = \'2999-01-01\' WHERE "ID" = 2 AND NOT ' + ACTIVE,
    'UPDATE {bronze} SET "UdmEffectiveDateTime" = \'2998-01-01\' WHERE "ID" = 3 AND ' + ACTIVE,
    'DELETE FROM {bronze} WHERE "ID" = 4 AND ' + ACTIVE,
    'UPDATE {bronze} SET "UdmEndDateTime" = NULL WHERE "ID" = 5 AND NOT ' + ACTIVE,
    'UPDATE {bronze} SET "NAME" = \'rewritten\' WHERE "ID" = 6 AND NOT ' + ACTIVE,
    'UPDATE {bronze} SET "_batch_id" = 999999 WHERE "ID" = 7 AND ' + ACTIVE,
    'UPDATE {stage} SET "_key_hash" = "_row_hash" WHERE "ID" = 8 AND ' + CURRENT,
)


def copy_active_version(pipeline: Pipeline, key: int) -> None:
    """A second active version of a key, as no index would let it in."""
    pipeline.drop_indexes("bronze", TABLE)
    columns = [f'"{name}"' for name in pipeline.columns("bronze", TABLE) if name != "_scd2_key"]
    numbered = pipeline.target.row_number([]) is not None
    into = ", ".join([*(['"_scd2_key"'] if numbered else []), *columns])
    values = ", ".join([*(["900"] if numbered else []), *columns])
    pipeline.query(f'INSERT INTO {{bronze}} ({into}) SELECT {values} FROM {{bronze}} WHERE "ID" = {key} AND {ACTIVE}', TABLE)


def test_defects_of_a_history_are_found_and_left_to_a_person_with_the_sql_that_mends_them(warehouse: Reconciled) -> None:
    pipeline = warehouse.pipeline
    assert warehouse.checks(status=0) == {}
    warehouse.plant(*HISTORY_DEFECTS)
    copy_active_version(pipeline, 1)
    before = pipeline.dumps(TABLE)
    found = warehouse.checks("--repair")
    assert pipeline.dumps(TABLE) == before
    history = {name: found["HISTORY"].get(name) for name in ("TWO_ACTIVE", "OVERLAP", "GAP", "FLAG", "INTERVAL", "different")}
    assert history == {"TWO_ACTIVE": 1, "OVERLAP": 1, "GAP": 2, "FLAG": 1, "INTERVAL": None, "different": 5}
    assert found["SEALED"]["different"] == 1
    assert found["BATCHES"]["batches that ops does not know"] == "999999"
    assert (found["SOURCE_BRONZE"]["DUPLICATE"], found["SOURCE_BRONZE"]["MISSING"]) == (1, 1)
    assert (found["SOURCE_STAGE"]["KEY_HASH"], found["SOURCE_STAGE"]["different"]) == (1, 1)

    for statement in (advice for name in ("HISTORY", "SEALED", "SOURCE_STAGE") for advice in found[name]["advice"]):
        pipeline.query(statement.partition("  --")[0].replace("{", "{{"), TABLE)
    warehouse.plant('UPDATE {bronze} SET "_batch_id" = 2 WHERE "ID" = 7 AND ' + ACTIVE)
    found = warehouse.checks("--repair", "--yes")
    assert {name: check["different"] for name, check in found.items()} == {"SOURCE_BRONZE": 1, "STAGE_BRONZE": 1}
    assert warehouse.checks(status=0) == {}


def test_several_current_rows_of_a_key_are_listed_with_the_sql_that_leaves_one(warehouse: Reconciled) -> None:
    pipeline = warehouse.pipeline
    pipeline.drop_indexes("stage", TABLE)
    # A row of before that is current still, and one that is there twice.
    warehouse.plant('UPDATE {stage} SET "_cdc_is_current" = {true}, "_cdc_valid_to" = NULL WHERE "ID" = 1')
    columns = ", ".join(f'"{name}"' for name in pipeline.columns("stage", TABLE))
    warehouse.plant(f'INSERT INTO {{stage}} ({columns}) SELECT {columns} FROM {{stage}} WHERE "ID" = 2 AND {CURRENT}')
    found = warehouse.checks("--repair", "--yes")["SOURCE_STAGE"]
    assert (found["DUPLICATE"], len(found["advice"])) == (2, 2)
    for statement in found["advice"]:
        pipeline.query(statement.partition("  --")[0].replace("{", "{{"), TABLE)
    assert warehouse.checks(status=0) == {}


def test_a_table_that_was_never_loaded_is_told_of_in_one_line(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    list_tables(pipeline, TABLE)
    pipeline.source.table(TABLE, COLUMNS, DAYS[0])
    assert command_of(pipeline, monkeypatch, tmp_path)("--reconcile") == 1
    told = [line for line in capfd.readouterr().err.splitlines() if "ACCT" in line]
    assert len(told) == 1
    assert "has never been loaded" in told[0]


def test_what_says_nothing_is_counted_apart(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UDM_MASK_KEY", "k" * 32)
    loaded = Reconciled(pipeline, command_of(pipeline, monkeypatch, tmp_path))
    list_tables(pipeline, "V")
    pipeline.set_key("V", "ID")
    columns = {"SECRET": "'hmac-sha256', NULL", "HIDDEN": "'null', NULL", "TAIL": "'keep-last-4', NULL", "LOOSE": "NULL, {true}"}
    names = '"SourceName", "TableName", "ColumnName", "MaskWith", "IsExcludedFromHash"'
    for name, rule in columns.items():
        insert = f'INSERT INTO {{dbo}}."UdmTablesColumnsList" ({names})'
        pipeline.query(f"{insert} VALUES ('DNA', 'V', '{name}', {rule})")
    pipeline.source.table("T", "ID INTEGER, SECRET VARCHAR, HIDDEN VARCHAR, TAIL VARCHAR, LOOSE INTEGER, GONE VARCHAR, N DOUBLE")
    rows = "INSERT INTO T SELECT i, 's' || i, 'h' || i, 'tail-' || 1000 + i, i, 'g', i FROM range(1, 9) AS r (i)"
    pipeline.source.execute(rows, "UPDATE T SET N = -0.0 WHERE ID = 7")
    if pipeline.backend.name != "mssql":  # which has none
        pipeline.source.execute("UPDATE T SET N = 'nan' WHERE ID = 8")
    pipeline.source.view("V", "SELECT * FROM T")
    loaded.load()
    # The row of key 1 is another one at each read, key 2 comes with two rows that differ, one row has no key, one comes twice.
    pipeline.source.execute(
        "UPDATE T SET LOOSE = 100 WHERE ID = 3", "INSERT INTO T SELECT * REPLACE (8.5 AS N) FROM T WHERE ID = 2",
        "INSERT INTO T SELECT * REPLACE (NULL AS ID) FROM T WHERE ID = 4", "INSERT INTO T FROM T WHERE ID = 5",
    )  # fmt: skip
    pipeline.source.view("V", "SELECT * EXCLUDE (GONE) REPLACE (CASE WHEN ID = 1 THEN random() ELSE N END AS N) FROM T")
    assert loaded.checks("--full", "--repair", "--yes", status=0) == {}
    told = loaded.details("SOURCE_STAGE")
    assert (told["in flight"], told["quarantined"], told["duplicates at the source"]) == (1, 2, 1)
    assert told["differing in excluded LOOSE"] == 1
    assert told["not compared"] == "LOOSE (excluded from the hash), HIDDEN (masked), GONE (vanished at the source)"

    # What a mask shows is compared, in its masked form, and never told in clear.
    pipeline.query('UPDATE {stage} SET "SECRET" = \'other\' WHERE "ID" = 6', "V")
    pipeline.query('UPDATE {bronze} SET "TAIL" = \'****0000\' WHERE "ID" = 6', "V")
    file = tmp_path / "differences.parquet"
    found = loaded.checks("--differences", str(file), "--show-keys")
    assert (found["SOURCE_STAGE"]["columns"], found["SOURCE_BRONZE"]["columns"]) == ({"SECRET": 1}, {"TAIL": 1})
    frame = pl.read_parquet(file)
    assert set(frame.get_column("KeyText")) == {'{"ID": 6}'}
    assert "s6" not in str(frame.to_dicts())
    assert ("BRONZE", "VALUE", "TAIL", "****1006", "****0000") in loaded.differences()
    assert loaded.checks("--differences", str(tmp_path / "d.csv")).keys() == found.keys()
    assert set(pl.read_csv(tmp_path / "d.csv").get_column("KeyText")) == {None}
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_a_load_left_unfinished_is_reported_and_not_repaired(warehouse: Reconciled) -> None:
    last = warehouse.pipeline.batch + 2
    warehouse.plant(
        f'DELETE FROM {{bronze_ops}}."PromotionMarker" WHERE "BatchId" = {last}',
        'UPDATE {bronze} SET "NAME" = \'stale\' WHERE "ID" = 1 AND ' + ACTIVE,
    )
    before = warehouse.pipeline.dumps(TABLE)
    found = warehouse.checks("--repair", "--yes")
    assert found["UNPROMOTED"]["different"] == 1
    assert found["SOURCE_BRONZE"]["VALUE"] == 1
    assert warehouse.pipeline.dumps(TABLE) == before


def test_counts_and_sums_tell_what_they_can(warehouse: Reconciled) -> None:
    assert warehouse.command("--reconcile", "counts") == 0
    warehouse.plant(
        'DELETE FROM {stage} WHERE "ID" = 4 AND ' + CURRENT, 'UPDATE {bronze} SET "BALANCE" = 7.099 WHERE "ID" = 7 AND ' + ACTIVE
    )
    assert warehouse.command("--reconcile", "counts") == 1
    assert warehouse.details("COUNTS_STAGE")["rows in Stage"] == 18
    columns = '"CheckName", "RowsDifferent", "ColumnsDifferent"'
    query = f'SELECT {columns} FROM {{ops}}."ReconciliationLog" ORDER BY "BatchId" DESC, "CheckName"'
    assert warehouse.pipeline.query(query)[:2] == [
        ("COUNTS_BRONZE", 1, '{"BALANCE": 1}'),
        ("COUNTS_STAGE", 3, '{"ID": 1, "BALANCE": 1}'),
    ]


def test_large_tables_are_reconciled_by_their_dates(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    today = datetime.now(UTC).date()
    first, second, third = (today - timedelta(days=days) for days in (30, 29, 28))
    loaded = Reconciled(pipeline, command_of(pipeline, monkeypatch, tmp_path, large=True))
    list_tables(pipeline, TABLE, SourceAggregateColumnName="D", FirstLoadDate=first, LookbackDays=1)
    rows = [(1, first - timedelta(days=1), "before all"), (2, first, "a"), (3, second, "b"), (4, second, "c"), (5, third, "d")]
    columns = "ID INTEGER PRIMARY KEY, D DATE, V VARCHAR"
    pipeline.source.table(TABLE, columns, [*rows, (6, None, "no date"), (7, today + timedelta(days=9), "later")])
    assert loaded.command("--to", str(third)) == 0
    assert loaded.command("--no-progress") == 0
    assert loaded.checks("--repair", "--yes", status=0) == {}
    assert loaded.command("--reconcile", "counts") == 0
    loaded.plant(
        f'UPDATE {{stage}} SET "V" = \'flipped\' WHERE "ID" = 3 AND {CURRENT}',
        f'DELETE FROM {{bronze}} WHERE "ID" = 6 AND {ACTIVE}',
        # In the wrong window: neither gone from the one nor new in the other.
        f'UPDATE {{stage}} SET "D" = \'{second}\' WHERE "ID" = 5 AND {CURRENT}',
        f'UPDATE {{bronze}} SET "D" = \'{third}\' WHERE "ID" = 4 AND {ACTIVE}',
    )

    def told(found: dict[str, dict[str, Any]]) -> dict[str, list[int]]:
        kinds = ("VALUE", "MISSING", "EXTRA")
        return {layer: [found[f"SOURCE_{layer}"].get(kind, 0) for kind in kinds] for layer in ("STAGE", "BRONZE")}

    def misplaced(found: dict[str, dict[str, Any]]) -> list[int]:
        return [found["WINDOWS"][name] for name in ("in Stage", "in Bronze", "different", "compared in parts")]

    day = ("--from", str(second), "--to", str(second))
    found = loaded.checks(*day)
    assert told(found) == {"STAGE": [2, 0, 0], "BRONZE": [1, 0, 0]}
    assert misplaced(found) == [1, 1, 2, 1]
    assert (found["SOURCE_STAGE"]["columns"], found["SOURCE_BRONZE"]["columns"]) == ({"D": 1, "V": 1}, {"D": 1})
    assert "SOURCE_STAGE" not in loaded.checks("--from", str(first), "--to", str(first))
    # Part by part nothing is counted twice, and what a part lacks is found in the other one.
    with monkeypatch.context() as patch:
        patch.setattr(reconciliation_portion, "PART_ROWS", 1)
        found = loaded.checks()
    assert told(found) == {"STAGE": [2, 0, 0], "BRONZE": [1, 1, 0]}
    assert misplaced(found) == [1, 1, 2, 4]
    assert len(loaded.differences()) == 2 + 2 + 2 + 1
    assert told(loaded.checks("--repair", "--yes")) == {"STAGE": [2, 0, 0], "BRONZE": [1, 1, 0]}
    assert loaded.checks(status=0) == {}


class _Page(HTMLParser):
    """What a page refers to, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.referred: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.referred += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_report_is_one_page_that_needs_nothing_but_itself(warehouse: Reconciled, tmp_path: Path) -> None:
    loads, reconciles = tmp_path / "load.html", tmp_path / "reconcile.html"
    assert warehouse.command("--report", str(loads)) == 0
    warehouse.plant('UPDATE {bronze} SET "NAME" = \'<b>of a customer</b>\' WHERE "ID" = 1 AND ' + ACTIVE)
    warehouse.checks()
    warehouse.checks("--report", str(reconciles))
    shown = {loads: ("EXTRACT", "SUCCESS", "DNA.ACCT"), reconciles: ("differs", "NAME (1)", "VALUE 1", "DNA.ACCT")}
    for file, words in shown.items():
        text = file.read_text(encoding="utf-8")
        page = _Page()
        page.feed(text)
        assert (page.open, page.referred) == ([], [])
        assert "url(" not in text
        assert "@import" not in text
        assert "of a customer" not in text
        assert all(word in text for word in words)
    # Both reconciliations are drawn.
    assert reconciles.read_text(encoding="utf-8").count("<rect") == 2
    assert warehouse.command("--report", str(tmp_path / "nowhere" / "page.html")) == 2
