"""`--adopt`: a predecessor's Stage and Bronze are taken over with their history, and no row becomes an update that is none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from model import system_columns as sc
from model.errors import SchemaEvolutionError
from model.types import FLOAT64, decimal, integer
from orchestration.adopting import run_adoption
from schema.adoption_steps import write_adopted
from tests.contract.command import command_of, list_tables
from tests.contract.conftest import Records
from tests.contract.pipeline import Pipeline
from tests.contract.predecessor import BATCHES, Row, hex_of, leave, number_of

TABLE = "ACCT"
COLUMNS = "ID INTEGER, LEG VARCHAR, V DECIMAL(18,2), NOTE VARCHAR, PRIMARY KEY (ID, LEG)"
FIRST: list[tuple[Any, ...]] = [(i, f"L{i % 2}", i, None if i % 3 else f"note {i}") for i in range(40)]
SECOND = [(i, leg, v + (i < 5), note) for i, leg, v, note in FIRST if i not in {7, 8}]
THIRD = [*SECOND, *(row for row in FIRST if row[0] == 7)]
OURS = {"_key_hash", "_row_hash", "UdmHash", "_hash_layout", "_row_hash_before", "UdmHash_before", "_scd2_key"}


def grown(pipeline: Pipeline) -> None:
    """A history with updates, deletes and a row that came back, as a predecessor would have left it."""
    for day in (FIRST, SECOND, THIRD):
        pipeline.source.table(TABLE, COLUMNS, day)
        pipeline.load(TABLE)


def adopt(pipeline: Pipeline, *, yes: bool = True, **options: Any) -> tuple[str, list[str]]:
    """What the command does, its result's status and what it says."""
    said: list[str] = []
    [result] = pipeline.run_tables(TABLE, dry_run=not yes, run_all=partial(run_adoption, say=said.append), **options)
    return str(result.status), [*said, result.message]


def history(pipeline: Pipeline) -> tuple[list[Row], ...]:
    """All that is none of the pipeline's own: values, dates, flags, kinds and batches."""
    return tuple(pipeline.dump(layer, TABLE, tuple(OURS)) for layer in ("stage", "bronze"))


def later(rows: list[Row]) -> list[Row]:
    """The same with the batch numbers that a predecessor gave."""
    names = {sc.CDC_BATCH_ID, sc.BATCH_ID, sc.END_BATCH_ID}
    return [row | {name: row[name] + BATCHES for name in names if row.get(name) is not None} for row in rows]


@pytest.mark.parametrize("hashed", [hex_of, number_of], ids=["hex", "number"])
def test_a_history_is_shown_then_taken_over_and_the_first_run_writes_nothing(
    pipeline: Pipeline, hashed: Callable[[bytes], str | int]
) -> None:
    grown(pipeline)
    ours = pipeline.dumps(TABLE)
    before = tuple(later(rows) for rows in history(pipeline))
    leave(pipeline, TABLE, hashed=hashed)
    message = pipeline.fail(TABLE)
    assert "exists already, as a predecessor of this pipeline left it" in message
    assert f"--adopt DNA.{TABLE}" in message

    untouched = pipeline.dumps(TABLE)
    status, said = adopt(pipeline, yes=False)
    assert (status, pipeline.dumps(TABLE)) == ("SUCCESS", untouched)
    text = "\n".join(said)
    for told in (
        "rename column '_row_hash'",
        "rename column 'UdmHash'",
        f"hash {len(untouched[0])} of the {len(untouched[0])} rows",
        "The first run would make 0 updates, 0 inserts and 0 deletes, and leave 39 rows as they are",
    ):
        assert told in text, text

    assert adopt(pipeline)[0] == "SUCCESS"
    assert history(pipeline) == before
    stage, bronze = pipeline.dumps(TABLE)
    # The hashes are those of a load: the very same key hashes for all versions, row hashes for the current ones.
    layers = ((stage, ours[0], sc.ROW_HASH, sc.CDC_IS_CURRENT), (bronze, ours[1], sc.BRONZE_HASH, sc.ACTIVE))
    for adopted, loaded, row_hash, flag in layers:
        assert sorted(bytes(row[sc.KEY_HASH]) for row in adopted) == sorted(bytes(row[sc.KEY_HASH]) for row in loaded)
        current = sorted(bytes(row[row_hash]) for row in adopted if row[flag])
        assert current == sorted(bytes(row[row_hash]) for row in loaded if row[flag])
        assert {row[row_hash] for row in adopted if not row[flag]} == {None}
        assert sorted(row[sc.BEFORE[row_hash]] for row in adopted) == sorted(hashed(bytes(row[row_hash])) for row in loaded)
    assert pipeline.load(TABLE).changed == 0
    assert history(pipeline) == before


def test_the_history_goes_on_after_it_was_taken_over(pipeline: Pipeline, logged: Records) -> None:
    grown(pipeline)
    leave(pipeline, TABLE)
    adopt(pipeline)
    fourth = [(i, leg, -v if i == 20 else v, note) for i, leg, v, note in THIRD if i != 21] + [FIRST[8], (99, "L1", 1, "new")]
    pipeline.source.table(TABLE, COLUMNS, fourth)
    result = pipeline.load(TABLE)
    assert (result.inserted, result.updated, result.deleted, result.unchanged) == (2, 1, 1, 37)
    assert pipeline.batch > 3 + BATCHES
    kinds = 'SELECT "ID", "UdmScd2Operation" FROM {bronze} WHERE "_batch_id" = :batch'
    assert sorted(pipeline.query(kinds, TABLE, batch=pipeline.batch)) == [(8, "R"), (20, "U"), (99, "I")]
    [(ended,)] = pipeline.query('SELECT count(*) FROM {bronze} WHERE "_end_batch_id" = :batch', TABLE, batch=pipeline.batch)
    assert ended == 2
    assert pipeline.load(TABLE).changed == 0
    assert "_before" not in "".join(logged.messages(logging.WARNING))  # what was kept is no column that vanished
    assert "nothing is to be done" in adopt(pipeline)[1][0]


def test_columns_that_a_predecessor_had_not_are_added_and_bronze_is_numbered(pipeline: Pipeline) -> None:
    grown(pipeline)
    leave(pipeline, TABLE, without=(sc.SCD2_KEY, sc.EXTRACTED_AT, sc.CDC_BATCH_ID, sc.BATCH_ID, sc.END_BATCH_ID))
    assert adopt(pipeline)[0] == "SUCCESS"
    [(rows, numbers)] = pipeline.query('SELECT count(*), count(DISTINCT "_scd2_key") FROM {bronze}', TABLE)
    assert rows == numbers > 40
    assert pipeline.query('SELECT DISTINCT "_batch_id" FROM {bronze}', TABLE) == [(0,)]
    pipeline.source.table(TABLE, COLUMNS, [(i, leg, v + 1, note) for i, leg, v, note in THIRD])
    assert pipeline.load(TABLE).updated == 39
    [(rows, numbers)] = pipeline.query('SELECT count(*), count(DISTINCT "_scd2_key") FROM {bronze}', TABLE)
    assert rows == numbers
    assert pipeline.load(TABLE).changed == 0


def test_types_are_converted_where_nothing_is_lost(pipeline: Pipeline) -> None:
    grown(pipeline)
    leave(pipeline, TABLE, types={"V": decimal(30, 6), "ID": integer(64)})
    status, said = adopt(pipeline)
    assert status == "SUCCESS", said
    assert "alter column 'V'" in "\n".join(said)
    assert pipeline.columns("bronze", TABLE)["V"] == pipeline.type_text(decimal(18, 2))
    assert pipeline.load(TABLE).changed == 0


def test_a_type_that_would_lose_something_is_refused_with_a_fresh_table_beside(pipeline: Pipeline) -> None:
    grown(pipeline)

    def finer(_: str, rows: list[Row]) -> list[Row]:
        return [row | {"V": row["V"] + row["V"] / 1000} for row in rows]

    leave(pipeline, TABLE, types={"V": decimal(30, 6)}, change=finer)
    before = pipeline.dumps(TABLE)
    status, said = adopt(pipeline)
    assert (status, pipeline.dumps(TABLE)) == ("FAILED", before)
    assert "column 'V' of" in said[-1]
    assert f"SET StageTableName = '{TABLE}_2', BronzeTableName = '{TABLE}_2'" in said[-1]


def test_a_number_that_was_kept_as_a_float_is_lost(pipeline: Pipeline) -> None:
    grown(pipeline)
    leave(pipeline, TABLE, types={"V": FLOAT64}, change=lambda _, rows: [row | {"V": float(row["V"])} for row in rows])
    assert "cannot be converted without loss" in adopt(pipeline)[1][-1]


def test_updates_to_come_are_told(pipeline: Pipeline) -> None:
    grown(pipeline)
    leave(pipeline, TABLE)
    pipeline.source.table(TABLE, COLUMNS, [(i, leg, v + (i in {11, 12}), note) for i, leg, v, note in THIRD if i != 13])
    _, said = adopt(pipeline, yes=False)
    assert "would make 2 updates, 0 inserts and 1 deletes, and leave 36 rows" in "\n".join(said)
    adopt(pipeline)
    result = pipeline.load(TABLE)
    assert (result.updated, result.inserted, result.deleted, result.unchanged) == (2, 0, 1, 36)


def statements(said: list[str]) -> list[str]:
    """The SQL that was shown."""
    return [line.strip().removesuffix(";") for line in "\n".join(said).splitlines() if line.strip().startswith("UPDATE ")]


def test_doubled_rows_stop_it_and_the_sql_that_was_shown_mends_them(pipeline: Pipeline) -> None:
    grown(pipeline)

    def doubled(layer: str, rows: list[Row]) -> list[Row]:
        flag, ends = (sc.CDC_IS_CURRENT, sc.CDC_VALID_TO) if layer == "stage" else (sc.ACTIVE, sc.END)
        again = [row | {flag: True, ends: None} for row in rows if row["ID"] == 2 and not row[flag]]
        return [row for row in rows if row["ID"] != 2 or row[flag]] + again

    leave(pipeline, TABLE, change=doubled)
    before = pipeline.dumps(TABLE)
    status, said = adopt(pipeline)
    assert (status, pipeline.dumps(TABLE)) == ("FAILED", before)
    assert "2 current rows share their key with another one" in said[-1]
    mending = statements(said)
    assert len(mending) == 2
    for statement in mending:
        pipeline.query(statement)
    assert adopt(pipeline)[0] == "SUCCESS"
    assert pipeline.load(TABLE).changed == 0
    versions = pipeline.query('SELECT "V", "UdmActiveFlag" FROM {bronze} WHERE "ID" = 2', TABLE)
    assert sorted(versions) == [(2, False), (3, True)]


def test_orphans_are_told_and_the_sql_that_was_shown_mends_them(pipeline: Pipeline) -> None:
    grown(pipeline)

    def orphaned(layer: str, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row["ID"] != (30 if layer == "stage" else 31)]

    leave(pipeline, TABLE, change=orphaned)
    status, said = adopt(pipeline)
    assert status == "SUCCESS"
    assert "1 keys are current in" in "\n".join(said)
    mending = statements(said)
    assert len(mending) == 2
    for statement in mending:
        pipeline.query(statement)
    result = pipeline.load(TABLE)
    assert (result.inserted, result.changed) == (2, 2)
    current = pipeline.query('SELECT "ID", count(*) FROM {bronze} WHERE "UdmActiveFlag" = {true} GROUP BY "ID"', TABLE)
    assert sorted(current) == [(row[0], 1) for row in sorted(THIRD)]


def test_a_predecessors_own_number_and_indexes_stay(pipeline: Pipeline) -> None:
    grown(pipeline)
    leave(pipeline, TABLE)
    pipeline.query('CREATE INDEX "ix_theirs" ON {bronze} ("ID", "_scd2_key")', TABLE)
    before = {row[sc.SCD2_KEY] for row in pipeline.dump("bronze", TABLE)}
    assert adopt(pipeline)[0] == "SUCCESS"
    assert {row[sc.SCD2_KEY] for row in pipeline.dump("bronze", TABLE)} == before
    with pipeline.target.engine.connect() as connection:
        kept = pipeline.target.index_names(connection, pipeline.name("bronze", TABLE))
    # The T-SQL test server makes names of its own of it.
    assert any(name.startswith("ix_theirs") for name in kept)
    pipeline.source.table(TABLE, COLUMNS, [*THIRD, (100, "L0", 1, None)])
    assert pipeline.load(TABLE).inserted == 1
    [(number,)] = pipeline.query('SELECT "_scd2_key" FROM {bronze} WHERE "ID" = 100', TABLE)
    assert number > max(before)


def test_what_no_predecessor_left_is_not_taken_over(pipeline: Pipeline) -> None:
    grown(pipeline)
    leave(pipeline, TABLE, without=(sc.ACTIVE,))
    assert "made by something else" in pipeline.fail(TABLE) or "exists already" in pipeline.fail(TABLE)
    status, said = adopt(pipeline)
    assert status == "FAILED"
    assert "lacks UdmActiveFlag" in said[-1]
    assert SchemaEvolutionError.__name__ in str(pipeline.query('SELECT "ErrorType" FROM {ops}."PipelineEventLog"'))


def test_a_takeover_that_ends_anywhere_is_taken_up_and_no_run_loads_the_table_meanwhile(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(pipeline)
    before = tuple(later(rows) for rows in history(pipeline))
    leave(pipeline, TABLE)
    write, writes = write_adopted, 0

    def breaking(*arguments: Any, **options: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            raise RuntimeError
        write(*arguments, **options)

    monkeypatch.setattr("orchestration.adopting.write_adopted", breaking)
    runs = 0
    while adopt(pipeline, batch_rows=20)[0] == "FAILED":
        writes, runs = 0, runs + 1
        assert "has not come to its end" in pipeline.fail(TABLE)
    assert runs > 4
    assert history(pipeline) == before
    assert pipeline.load(TABLE).changed == 0


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_both_commands_show_then_do_it_and_what_they_leave_reconciles(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, large: bool
) -> None:
    today = datetime.now(UTC).date()
    columns = "ID INTEGER PRIMARY KEY, D DATE, V VARCHAR"
    rows = [(i, today - timedelta(days=i % 3), f"v{i}") for i in range(30)]
    days = {"SourceAggregateColumnName": "D", "FirstLoadDate": today - timedelta(days=2)} if large else {}
    list_tables(pipeline, TABLE, **days)
    command = command_of(pipeline, monkeypatch, tmp_path, large=large)
    for changed in (rows, [(i, on, value + "!" if i < 5 else value) for i, on, value in rows if i != 9]):
        pipeline.source.table(TABLE, columns, changed)
        assert command() == 0
    leave(pipeline, TABLE)
    if large:
        pipeline.query('DELETE FROM {ops}."PipelineExtractionState"')
    assert command() == 1
    capsys.readouterr()
    assert command("--adopt", "dna.acct") == 0
    shown = capsys.readouterr().out
    assert "would make 0 updates" in shown
    assert "give --yes to do it" in shown
    assert command("--adopt", "DNA.ACCT", "--yes") == 0
    capsys.readouterr()
    assert command() == 0
    assert "Nothing changed since the last run." in capsys.readouterr().out
    assert command("--reconcile") == 0, capsys.readouterr().out
