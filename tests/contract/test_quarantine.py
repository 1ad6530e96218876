"""Rows with a NULL in the key and keys with different rows are kept aside; the run succeeds and their history stays."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.contract.conftest import Records
from tests.contract.pipeline import Pipeline, Row

TABLE = "ACCT"
COLUMNS = "ID INTEGER, NAME VARCHAR"


def extract(pipeline: Pipeline, *rows: Row) -> None:
    """The table holds these rows and declares no key; `ID` is named as the key in UdmTablesColumnsList."""
    if not pipeline.query('SELECT * FROM {dbo}."UdmTablesColumnsList"'):
        pipeline.set_key(TABLE, "ID")
    pipeline.source.table(TABLE, COLUMNS, rows)


def quarantined(pipeline: Pipeline) -> list[tuple[str, str | None, dict[str, Any]]]:
    query = 'SELECT "Reason", "KeyDigest", "RowJson" FROM {ops}."Quarantine" WHERE "BatchId" = :batch ORDER BY 1, 3'
    return [(reason, digest, json.loads(row)) for reason, digest, row in pipeline.query(query, batch=pipeline.batch)]


def active(pipeline: Pipeline) -> list[Row]:
    return sorted(pipeline.query('SELECT "ID", "NAME" FROM {bronze} WHERE "UdmActiveFlag" = {true}', TABLE))


def test_a_row_with_a_null_key_is_kept_aside_and_the_run_succeeds(pipeline: Pipeline) -> None:
    extract(pipeline, (1, "a"), (None, "nobody"), (None, "somebody"))
    result = pipeline.load(TABLE)
    assert (result.extracted, result.inserted, result.quarantined) == (3, 1, 2)
    assert [row for _, _, row in quarantined(pipeline)] == [{"ID": None, "NAME": "nobody"}, {"ID": None, "NAME": "somebody"}]
    assert {(reason, digest) for reason, digest, _ in quarantined(pipeline)} == {("NULL_KEY", None)}
    assert active(pipeline) == [(1, "a")]


def test_one_null_in_a_composite_key_is_enough(pipeline: Pipeline) -> None:
    pipeline.set_key("PAIR", "A", "B")
    pipeline.source.table("PAIR", "A INTEGER, B INTEGER, V INTEGER", [(1, 1, 1), (1, None, 2), (None, 1, 3), (None, None, 4)])
    assert pipeline.load("PAIR").quarantined == 3
    assert [row["V"] for row in pipeline.dump("bronze", "PAIR")] == [1]


def test_a_new_key_with_different_rows_is_kept_aside_with_all_its_rows(pipeline: Pipeline) -> None:
    extract(pipeline, (1, "a"), (2, "this"), (2, "that"), (2, "this"))
    result = pipeline.load(TABLE)
    assert (result.inserted, result.quarantined) == (1, 3)
    assert [row["NAME"] for _, _, row in quarantined(pipeline)] == ["that", "this", "this"]
    assert {reason for reason, _, _ in quarantined(pipeline)} == {"CONFLICTING_DUPLICATE"}
    assert active(pipeline) == [(1, "a")]


@pytest.mark.parametrize(
    "rows",
    [((1, "new"), (1, "newer")), ((1, "known"), (1, "new")), ((1, "new"), (1, "known"), (1, "known"))],
    ids=["two changes", "one unchanged", "unchanged twice"],
)
def test_a_known_key_with_different_rows_keeps_its_history_and_is_not_deleted(pipeline: Pipeline, rows: tuple[Row, ...]) -> None:
    extract(pipeline, (1, "known"), (2, "b"))
    pipeline.load(TABLE)
    before = pipeline.dumps(TABLE)
    extract(pipeline, *rows, (2, "b"))
    result = pipeline.load(TABLE)
    assert (result.changed, result.unchanged, result.quarantined) == (0, 1, len(rows))
    assert pipeline.dumps(TABLE) == before


def test_a_key_that_is_cured_is_updated_from_where_its_history_stands(pipeline: Pipeline) -> None:
    for rows in ([(1, "known")], [(1, "this"), (1, "that")], [(1, "that")]):
        extract(pipeline, *rows)
        pipeline.load(TABLE)
    versions = sorted(pipeline.query('SELECT "NAME", "UdmScd2Operation", "UdmActiveFlag" FROM {bronze}', TABLE))
    assert versions == [("known", "I", False), ("that", "U", True)]


def test_exact_duplicates_collapse_with_a_warning_and_are_no_quarantine(pipeline: Pipeline, logged: Records) -> None:
    extract(pipeline, (1, "a"), (1, "a"), (1, "a"), (2, None), (2, None))
    result = pipeline.load(TABLE)
    assert (result.inserted, result.duplicates, result.quarantined) == (2, 3, 0)
    assert [message for message in logged.messages(logging.WARNING) if "3 exact duplicates" in message]
    result = pipeline.load(TABLE)
    assert (result.changed, result.duplicates) == (0, 3)


def test_duplicates_and_conflicts_are_found_across_frames(pipeline: Pipeline) -> None:
    """In three frames, with a spool that goes to disk at once."""
    same = "SELECT range::INTEGER AS ID, 'same' AS NAME FROM range({})"
    extract(pipeline)
    pipeline.source.execute(
        f"INSERT INTO {TABLE} {same.format(5_000)}",
        f"INSERT INTO {TABLE} VALUES (0, 'same'), (1, 'other'), (2, 'same')",
    )
    result = pipeline.load(TABLE, batch_rows=2_048, spool_bytes=0)
    assert (result.inserted, result.duplicates, result.quarantined) == (4_999, 2, 2)
    assert len(active(pipeline)) == 4_999


def test_quarantine_is_counted_in_the_event_and_warned_of(pipeline: Pipeline, logged: Records) -> None:
    extract(pipeline, (1, "a"), (None, "nobody"))
    pipeline.load(TABLE)
    query = 'SELECT "RowsQuarantined" FROM {ops}."PipelineEventLog" WHERE "EventType" IN (\'EXTRACT\', \'TABLE_TOTAL\')'
    assert pipeline.query(query) == [(1,), (1,)]
    [warning] = logged.messages(logging.WARNING)
    assert "1 rows were quarantined (NULL_KEY)" in warning


def test_only_so_many_rows_are_kept_but_all_are_counted(pipeline: Pipeline) -> None:
    extract(pipeline, *((None, str(number)) for number in range(20)), (1, "a"), (1, "b"))
    assert pipeline.load(TABLE, quarantine_rows=5).quarantined == 22
    assert len(quarantined(pipeline)) == 5
    assert pipeline.load(TABLE, quarantine_rows=0).quarantined == 22
    assert quarantined(pipeline) == []


def test_a_digest_names_a_row_by_a_secret_and_is_not_its_hash(pipeline: Pipeline) -> None:
    extract(pipeline, (1, "a"), (1, "b"))
    digests: list[str | None] = []
    for secret in (b"one", b"one", b"another"):
        pipeline.load(TABLE, digest_key=secret)
        digests += {digest for _, digest, _ in quarantined(pipeline)}
    assert digests[0] == digests[1] != digests[2]
    extract(pipeline, (1, "a"))
    pipeline.load(TABLE)
    [(key_hash,)] = pipeline.query('SELECT "_key_hash" FROM {bronze}', TABLE)
    assert bytes(key_hash).hex() not in digests


def test_values_that_json_or_python_cannot_hold_are_quarantined_as_text(pipeline: Pipeline) -> None:
    pipeline.source.execute(
        "CREATE TABLE ACCT (ID INTEGER, T TIMESTAMP, Z TIMESTAMPTZ, D DATE, F DOUBLE, B BLOB, N DECIMAL(38,2), U UUID)",
        "INSERT INTO ACCT VALUES (NULL, 'infinity', '-infinity', 'infinity', 'NaN', '\\x00'::BLOB, 1.10, uuid()), "
        "(NULL, '9999-12-31 23:59:59.999999', '0001-01-01 00:00:00+00', '5877642-06-25 (BC)', '-inf', NULL, NULL, NULL)",
    )
    pipeline.set_key(TABLE, "ID")
    assert pipeline.load(TABLE).quarantined == 2
    finite, infinite = sorted((row for _, _, row in quarantined(pipeline)), key=lambda row: str(row["B"]), reverse=True)
    assert (infinite["F"], infinite["B"], infinite["N"]) == ("nan", "00", "1.10")
    assert finite["T"] == "9999-12-31 23:59:59.999999"
    assert "NaN" not in str(pipeline.query('SELECT "RowJson" FROM {ops}."Quarantine"'))
