"""Masked columns: no value of theirs is ever in the target, a log, the quarantine or the spool, and every change is found."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.masking import MaskKey
from tests.contract.command import command_of, list_tables, released
from tests.contract.conftest import Records
from tests.contract.pipeline import Pipeline, Row
from tests.contract.rules import Searching, everything_stored, exclude, mask

TABLE = "CUST"
COLUMNS = "ID INTEGER PRIMARY KEY, SSN VARCHAR, V INTEGER"
KEY, OTHER = MaskKey(secret="a key for the tests"), MaskKey(secret="another key for the tests")
METHODS = ("hmac-sha256", "null", "keep-last-4")


@pytest.fixture(autouse=True)
def with_key(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.settings = replace(pipeline.settings, mask_key=KEY, spool_folder=tmp_path / "spool")


def load(pipeline: Pipeline, *rows: Row, columns: str = COLUMNS, **options: Any) -> tuple[int, int, int, int]:
    """Load the table as it is now; rows inserted, updated, deleted, unchanged."""
    pipeline.source.table(TABLE, columns, rows)
    result = pipeline.load(TABLE, **options)
    return result.inserted, result.updated, result.deleted, result.unchanged


def versions(pipeline: Pipeline, *names: str) -> list[Row]:
    columns = ", ".join(f'"{name}"' for name in ("ID", *names, "UdmActiveFlag"))
    return sorted(pipeline.query(f"SELECT {columns} FROM {{bronze}}", TABLE), key=repr)


def token(text: str, kind: str = "text", key: MaskKey = KEY) -> str:
    return hmac.new(key.secret.encode(), f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("method", "stored"),
    [
        ("hmac-sha256", [token("123-45-6789"), None, token("short")]),
        ("HMAC-SHA256 ", [token("123-45-6789"), None, token("short")]),
        ("null", [None, None, None]),
        ("keep-last-4", ["****6789", None, "****"]),
    ],
)
def test_both_layers_hold_what_the_mask_leaves(pipeline: Pipeline, method: str, stored: list[str | None]) -> None:
    mask(pipeline, TABLE, "SSN", method)
    assert load(pipeline, (1, "123-45-6789", 1), (2, None, 2), (3, "short", 3)) == (3, 0, 0, 0)
    for layer in ("stage", "bronze"):
        assert [row["SSN"] for row in sorted(pipeline.dump(layer, TABLE), key=lambda row: row["ID"])] == stored


@pytest.mark.parametrize("method", METHODS)
def test_a_change_of_a_masked_value_is_found_and_a_rerun_writes_nothing(pipeline: Pipeline, method: str) -> None:
    mask(pipeline, TABLE, "SSN", method)
    load(pipeline, (1, "123-45-6789", 1), (2, "987-65-4321", 2), (3, None, 3))
    # To a value that looks the same under `keep-last-4`, to NULL, and from NULL.
    changed = [(1, "000-45-6789", 1), (2, None, 2), (3, "111-22-3333", 3)]
    assert load(pipeline, *changed) == (0, 3, 0, 0)
    before = pipeline.dumps(TABLE)
    assert load(pipeline, *changed) == (0, 0, 0, 3)
    assert pipeline.dumps(TABLE) == before


def test_no_value_is_anywhere(pipeline: Pipeline, logged: Records, tmp_path: Path) -> None:
    """Every mask at once, with a masked key, changes, deletes, quarantined rows and a spool on disk."""
    secrets: dict[str, tuple[Any, Any]] = {
        "SSN": ("111223333", "999887777"),
        "PHONE": ("Tel. 0815-4711-0042", "Tel. 0049-2323-6868"),
        "NOTE": ("a secret of a customer", "another secret of a customer"),
        "IBAN": (88_001_122_334_455, 88_001_122_334_466),
    }
    for column, method in {"SSN": "hmac-sha256", "PHONE": "keep-last-4", "NOTE": "null", "IBAN": "hmac-sha256"}.items():
        mask(pipeline, TABLE, column, method)
    mask(pipeline, TABLE, "BORN", "hmac-sha256")
    pipeline.set_key(TABLE, "IBAN2")
    mask(pipeline, TABLE, "IBAN2", "hmac-sha256")
    columns = "IBAN2 BIGINT, SSN VARCHAR, PHONE VARCHAR, NOTE VARCHAR, IBAN BIGINT, BORN DATE"
    first, second = ([values[i] for values in secrets.values()] for i in (0, 1))
    keys = [55_660_011_220_033 + number for number in range(5)]
    rows = [
        *((key, *first, "1955-11-23") for key in keys[:3]),
        (None, *first, "1955-11-23"),
        (keys[3], *first, "1955-11-23"),
        (keys[3], *second, "1955-11-24"),
    ]
    searching = Searching(pipeline)
    load(pipeline, *rows, columns=columns, reporter=searching, spool_bytes=0)
    assert load(pipeline, (keys[0], *second, "1955-11-24"), *rows[1:2], columns=columns, reporter=searching, spool_bytes=0) == (
        *(0, 1, 1, 1),
    )
    assert searching.spooled, "the spool was not on disk"
    told = [record.getMessage() + repr(record.exc_info) for record in logged.records]
    places = [*searching.seen, everything_stored(pipeline), *told]
    clear = [str(value) for values in secrets.values() for value in values]
    clear += [*map(str, keys), "1955-11-2", "date(1955", "datetime.date(1955, 11"]
    assert [value for value in clear if any(value in place for place in places)] == []
    numbers = [*secrets["IBAN"], *keys]
    raw = [number.to_bytes(8, order).decode("latin-1") for number in numbers for order in ("little", "big")]
    with released(pipeline):
        # What DuckDB has written beside its tables too, where it is DuckDB: blocks that are free again, and the log.
        files = [path.read_bytes().decode("latin-1") for path in (tmp_path / "warehouse").rglob("*") if path.is_file()]
    assert bool(files) == (pipeline.backend.name == "duckdb")
    assert [value for value in (*raw, *clear) if any(value in place for place in (*searching.seen, *files))] == []
    rows_of = 'SELECT "RowJson", "Reason" FROM {ops}."Quarantine"'
    quarantined = [(json.loads(row), reason) for row, reason in pipeline.query(rows_of)]
    assert sorted(reason for _, reason in quarantined) == ["CONFLICTING_DUPLICATE"] * 2 + ["NULL_KEY"]
    assert {row["SSN"] for row, _ in quarantined} == {token(value) for value in secrets["SSN"]}
    assert {row["IBAN2"] for row, _ in quarantined} == {None, token(str(keys[3]), "integer")}


def test_a_hash_cannot_be_turned_back_without_the_key(pipeline: Pipeline) -> None:
    """The hash of a row whose one value is masked differs by the key alone."""
    mask(pipeline, TABLE, "SSN", "null")
    columns = "ID INTEGER PRIMARY KEY, SSN VARCHAR"
    hashes = []
    for table, key in (("ONE", KEY), ("SAME", KEY), ("TWO", OTHER), ("CLEAR", None)):
        if key is not None:
            mask(pipeline, table, "SSN", "null")
        pipeline.source.table(table, columns, [(1, "123-45-6789")])
        pipeline.load(table, mask_key=key)
        [(row_hash,)] = pipeline.query('SELECT "UdmHash" FROM {bronze}', table)
        hashes.append(bytes(row_hash))
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_a_masked_key_finds_its_rows_and_joins_tables(pipeline: Pipeline) -> None:
    for table in (TABLE, "ORDERS"):
        mask(pipeline, table, "ID", "hmac-sha256")
    load(pipeline, (1, "a", 1), (2, "b", 2), (3, "c", 3))
    assert load(pipeline, (1, "a", 1), (2, "b", 20), (4, "d", 4)) == (1, 1, 1, 1)
    assert sorted(row[0] for row in versions(pipeline) if row[-1]) == sorted(token(str(n), "integer") for n in (1, 2, 4))
    pipeline.source.table("ORDERS", "ID BIGINT, NUMBER INTEGER, PRIMARY KEY (ID, NUMBER)", [(2, 7)])
    pipeline.load("ORDERS")
    assert pipeline.query('SELECT "ID", "NUMBER" FROM {bronze}', "ORDERS") == [(token("2", "integer"), 7)]


@pytest.mark.parametrize("method", ["null", "keep-last-4"])
def test_another_mask_on_a_key_column_is_refused_by_name(pipeline: Pipeline, method: str) -> None:
    mask(pipeline, TABLE, "ID", method)
    pipeline.source.table(TABLE, COLUMNS, [(1, "a", 1)])
    message = pipeline.fail(TABLE)
    assert "'ID'" in message
    assert "hmac-sha256" in message
    assert not pipeline.columns("stage", TABLE)


def test_a_missing_key_fails_that_table_only_and_says_what_to_set(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE, "SSN", "keep-last-4")
    pipeline.source.table(TABLE, COLUMNS, [(1, "123-45-6789", 1)])
    pipeline.source.table("OTHER", "ID INTEGER PRIMARY KEY", [(1,)])
    failed, other = pipeline.run_tables(TABLE, "OTHER", mask_key=None)
    assert (failed.status, other.status) == ("FAILED", "SUCCESS")
    assert "UDM_MASK_KEY" in failed.message
    assert "SSN" in failed.message
    assert not pipeline.columns("stage", TABLE)


@pytest.mark.parametrize(
    ("column", "method", "said"),
    [("SSN", "sha1", "'sha1'"), ("SNN", "null", "SNN"), ("V2", "keep-last-4", "'V2'")],
    ids=["no such mask", "no such column", "a mask that does not fit the type"],
)
def test_a_rule_that_cannot_be_applied_fails_the_table(pipeline: Pipeline, column: str, method: str, said: str) -> None:
    """Passed over, it would load the column in clear."""
    mask(pipeline, TABLE, column, method)
    pipeline.source.table(TABLE, f"{COLUMNS}, V2 DATE", [(1, "a", 1, None)])
    assert said in pipeline.fail(TABLE)
    assert not pipeline.columns("stage", TABLE)


def test_a_mask_is_found_however_its_table_is_spelled(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE.lower(), "ssn", "hmac-sha256")
    load(pipeline, (1, "123-45-6789", 1))
    assert versions(pipeline, "SSN") == [(1, token("123-45-6789"), True)]


def test_a_masked_column_may_vanish_and_come_back(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE, "SSN", "hmac-sha256")
    load(pipeline, (1, "123-45-6789", 1), (2, "b", 2))
    without = "ID INTEGER PRIMARY KEY, V INTEGER"
    assert load(pipeline, (1, 1), (2, 20), columns=without) == (0, 1, 0, 1)
    assert load(pipeline, (1, "123-45-6789", 1), (2, None, 20)) == (0, 0, 0, 2)


def test_rows_stay_comparable_by_their_tokens_when_another_column_vanishes(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE, "SSN", "hmac-sha256")
    load(pipeline, (1, "a", 1), (2, "b", 2))
    without = "ID INTEGER PRIMARY KEY, SSN VARCHAR"
    assert load(pipeline, (1, "a"), (2, "B"), columns=without) == (0, 1, 0, 1)
    assert load(pipeline, (1, "a"), (2, "B"), columns=without) == (0, 0, 0, 2)


@pytest.mark.parametrize("method", ["null", "keep-last-4"])
def test_where_a_mask_kept_too_little_a_vanished_column_updates_its_rows_once(
    pipeline: Pipeline, method: str, logged: Records
) -> None:
    mask(pipeline, TABLE, "SSN", method)
    load(pipeline, (1, "a", 1), (2, "b", 2))
    without = "ID INTEGER PRIMARY KEY, SSN VARCHAR"
    assert load(pipeline, (1, "a"), (2, "B"), columns=without) == (0, 2, 0, 0)
    assert [message for message in logged.messages(logging.WARNING) if "cannot be compared any more" in message]
    assert load(pipeline, (1, "a"), (2, "B"), columns=without) == (0, 0, 0, 2)


# --- Other masks and other keys: a new layout, and no update of a row whose values are the same -------------------------------


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations([None, *METHODS], 2)))
def test_another_mask_updates_only_rows_that_differ(pipeline: Pipeline, before: str | None, after: str | None) -> None:
    stored_as = {None: "text(11)", "hmac-sha256": "text(64)", "null": "text(11)", "keep-last-4": "text(8)"}
    if pipeline.backend.name == "mssql" and stored_as[before] != stored_as[after]:
        pytest.skip("another length is another type there, and refused")
    mask(pipeline, TABLE, "SSN", before)
    load(pipeline, (1, "123-45-6789", 1), (2, "987-65-4321", 2), (3, None, 3))
    mask(pipeline, TABLE, "SSN", after)
    rows = [(1, "123-45-6789", 1), (2, "000-00-4321", 2), (3, None, 3)]
    assert load(pipeline, *rows) == (0, 1, 0, 2)
    assert load(pipeline, *rows) == (0, 0, 0, 3)


def test_a_new_mask_says_that_older_versions_hold_the_value_in_clear(pipeline: Pipeline, logged: Records) -> None:
    load(pipeline, (1, "123-45-6789", 1))
    mask(pipeline, TABLE, "V", "null")
    for _ in range(2):
        load(pipeline, (1, "123-45-6789", 1))
    assert len([message for message in logged.messages(logging.WARNING) if "hold it in clear" in message]) == 1


def test_another_key_updates_only_rows_that_differ_while_the_previous_one_is_known(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE, "SSN", "hmac-sha256")
    mask(pipeline, TABLE, "V", "null")
    load(pipeline, (1, "a", 1), (2, "b", 2), (3, "c", 3))
    changed = [(1, "a", 1), (2, "B", 2), (3, "c", 30)]
    assert load(pipeline, *changed, mask_key=OTHER, mask_key_previous=KEY) == (0, 2, 0, 1)
    assert load(pipeline, *changed, mask_key=OTHER, mask_key_previous=KEY) == (0, 0, 0, 3)
    assert (2, token("B", key=OTHER), True) in versions(pipeline, "SSN")


def test_a_key_that_is_lost_fails_the_table_unless_forced(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE, "SSN", "hmac-sha256")
    load(pipeline, (1, "a", 1), (2, None, 2))
    before = pipeline.dumps(TABLE)
    assert "UDM_MASK_KEY_PREVIOUS" in pipeline.fail(TABLE, mask_key=OTHER)
    assert pipeline.dumps(TABLE) == before
    assert load(pipeline, (1, "a", 1), (2, None, 2), mask_key=OTHER, force=True) == (0, 2, 0, 0)
    assert load(pipeline, (1, "a", 1), (2, None, 2), mask_key=OTHER) == (0, 0, 0, 2)


def test_a_mask_that_is_taken_away_still_needs_its_key(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE, "SSN", "hmac-sha256")
    load(pipeline, (1, "a", 1), (2, "b", 2))
    mask(pipeline, TABLE, "SSN", None)
    if pipeline.backend.name != "mssql":
        assert "UDM_MASK_KEY_PREVIOUS" in pipeline.fail(TABLE, mask_key=None)
        assert load(pipeline, (1, "a", 1), (2, "B", 2)) == (0, 1, 0, 1)


@pytest.mark.parametrize(("method", "key"), [("hmac-sha256", OTHER), (None, KEY)], ids=["another key", "no mask"])
def test_another_mask_of_a_key_column_is_refused(pipeline: Pipeline, method: str | None, key: MaskKey) -> None:
    columns = "ID VARCHAR PRIMARY KEY, V INTEGER"
    mask(pipeline, TABLE, "ID", "hmac-sha256")
    load(pipeline, ("x", 1), columns=columns)
    before = pipeline.dumps(TABLE)
    mask(pipeline, TABLE, "ID", method)
    message = pipeline.fail(TABLE, mask_key=key, mask_key_previous=KEY)
    assert "ID" in message
    assert pipeline.dumps(TABLE) == before


def test_a_mask_that_changes_a_type_says_what_to_do_and_that_can_be_done(pipeline: Pipeline) -> None:
    columns = "ID INTEGER PRIMARY KEY, NUMBER BIGINT"
    load(pipeline, (1, 10_000_000_001), (2, 10_000_000_002), columns=columns)
    mask(pipeline, TABLE, "NUMBER", "hmac-sha256")
    message = pipeline.fail(TABLE)
    assert "'NUMBER' is masked with hmac-sha256" in message
    assert "Rename that column in Stage and in Bronze" in message
    if pipeline.backend.name != "mssql":
        for layer in ("stage", "bronze"):
            pipeline.query(f'ALTER TABLE {{{layer}}} RENAME COLUMN "NUMBER" TO "NUMBER_CLEAR"', TABLE)
            pipeline.query(f'UPDATE {{{layer}}} SET "NUMBER_CLEAR" = NULL', TABLE)
        assert load(pipeline, (1, 10_000_000_001), (2, 10_000_000_003), columns=columns) == (0, 1, 0, 1)
        assert "10000000" not in everything_stored(pipeline)


def test_the_layout_names_the_key_and_does_not_hold_it(pipeline: Pipeline) -> None:
    mask(pipeline, TABLE, "SSN", "hmac-sha256")
    exclude(pipeline, TABLE, "V")
    load(pipeline, (1, "a", 1))
    [(definition,)] = pipeline.query('SELECT "Definition" FROM {ops}."HashLayout"')
    layout = json.loads(definition)
    assert layout["masks"] == [["SSN", "hmac-sha256", KEY.fingerprint]]
    assert layout["excluded"] == ["V"]
    assert KEY.secret not in everything_stored(pipeline)


# --- The command ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_command_takes_the_key_from_its_environment_and_shows_neither_key_nor_value(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], log_format: str
) -> None:
    pipeline.settings = replace(pipeline.settings, spool_folder=tmp_path)
    list_tables(pipeline, TABLE)
    mask(pipeline, TABLE, "SSN", "hmac-sha256")
    pipeline.source.table(TABLE, COLUMNS, [(1, "123-45-6789", 1), (2, "987-65-4321", 2)])
    command = command_of(pipeline, monkeypatch, tmp_path)
    assert command("-v", "--log-format", log_format) == 1
    assert "UDM_MASK_KEY" in capfd.readouterr().err
    monkeypatch.setenv("UDM_MASK_KEY", KEY.secret)
    assert command("-v", "--log-format", log_format) == 0
    said = "".join(capfd.readouterr())
    assert TABLE in said
    for secret in ("123-45-6789", "987-65-4321", KEY.secret):
        assert secret not in said + everything_stored(pipeline)
    assert {row[1] for row in versions(pipeline, "SSN")} == {token("123-45-6789"), token("987-65-4321")}
