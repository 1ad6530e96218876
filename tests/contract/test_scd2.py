"""Bronze: one row a version, half-open intervals, at most one active version a key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from model.system_columns import BRONZE_SYSTEM
from tests.contract.backends import Backend
from tests.contract.days import DAYS, TABLE, History, play
from tests.contract.pipeline import Pipeline, opened_pipeline

KEYS = range(1, 7)


@pytest.fixture(scope="module")
def history(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with opened_pipeline(backend, tmp_path_factory.mktemp("scd2")) as pipeline:
        yield play(pipeline)


def test_a_new_key_opens_an_active_version(history: History) -> None:
    [version] = history.versions(1)
    assert (version["UdmScd2Operation"], version["UdmActiveFlag"], version["UdmEndDateTime"]) == ("I", True, None)
    assert version["UdmEffectiveDateTime"] == history.instants[0]
    assert (version["_batch_id"], version["_end_batch_id"]) == (history.batches[0], None)


def test_an_update_closes_the_version_before_and_not_the_one_just_inserted(history: History) -> None:
    """Never again: expire statements that also matched the version just inserted."""
    versions = history.versions(2)
    assert [version["UdmScd2Operation"] for version in versions] == ["I", "U", "U"]
    assert [version["UdmActiveFlag"] for version in versions] == [False, False, True]
    assert [version["_end_batch_id"] for version in versions] == [history.batches[1], history.batches[2], None]


def test_a_version_ends_at_exactly_the_instant_its_successor_begins(history: History) -> None:
    for before, after in pairwise(history.versions(2)):
        assert before["UdmEndDateTime"] == after["UdmEffectiveDateTime"]


def test_a_delete_closes_the_version_and_marks_it(history: History) -> None:
    [version] = history.versions(3)
    assert (version["UdmScd2Operation"], version["UdmActiveFlag"]) == ("D", False)
    assert (version["UdmEndDateTime"], version["_end_batch_id"]) == (history.instants[1], history.batches[1])
    assert version["_batch_id"] == history.batches[0]


@pytest.mark.parametrize("key", [4, 5])
def test_a_key_that_comes_back_opens_a_version_marked_r(history: History, key: int) -> None:
    gone, back = history.versions(key)
    assert (gone["UdmScd2Operation"], back["UdmScd2Operation"]) == ("D", "R")
    assert (back["UdmActiveFlag"], back["UdmEffectiveDateTime"]) == (True, history.instants[3])


def test_a_gap_exists_only_between_a_d_and_its_r(history: History) -> None:
    for key in KEYS:
        for before, after in pairwise(history.versions(key)):
            gap = before["UdmEndDateTime"] != after["UdmEffectiveDateTime"]
            assert gap == ((before["UdmScd2Operation"], after["UdmScd2Operation"]) == ("D", "R"))
            assert before["UdmEndDateTime"] <= after["UdmEffectiveDateTime"]


def test_every_version_lasts_longer_than_nothing(history: History) -> None:
    closed = [version for version in history.bronze if version["UdmEndDateTime"] is not None]
    assert closed
    assert all(version["UdmEffectiveDateTime"] < version["UdmEndDateTime"] for version in closed)


def test_a_version_is_open_exactly_when_it_is_active(history: History) -> None:
    assert all((row["UdmEndDateTime"] is None) == row["UdmActiveFlag"] for row in history.bronze)
    assert all((row["_end_batch_id"] is None) == row["UdmActiveFlag"] for row in history.bronze)


def test_bronze_holds_its_key_the_sources_columns_and_then_ours(history: History) -> None:
    expected = (BRONZE_SYSTEM[0], "ID", "NAME", "BALANCE", *BRONZE_SYSTEM[1:])
    assert tuple(history.pipeline.columns("bronze", TABLE)) == expected


def test_surrogate_keys_are_unique_and_later_batches_have_greater_ones(history: History) -> None:
    keys = [version["_scd2_key"] for version in history.bronze]
    assert len(set(keys)) == len(keys)
    for earlier, later in pairwise(history.batches):
        low = [version["_scd2_key"] for version in history.bronze if version["_batch_id"] <= earlier]
        high = [version["_scd2_key"] for version in history.bronze if version["_batch_id"] == later]
        assert max(low) < min(high, default=max(low) + 1)


def test_a_unique_index_refuses_a_second_active_version(history: History) -> None:
    pipeline = history.pipeline
    assert len(pipeline.backend.indexes(pipeline.target, pipeline.name("bronze", TABLE))) == 1
    names = [name for name in pipeline.columns("bronze", TABLE) if name != "_scd2_key"]
    bronze = pipeline.target.table(pipeline.name("bronze", TABLE), ("_scd2_key", *names))
    values: dict[str, sa.ColumnElement[Any]] = {name: bronze.c[name] for name in names}
    if (key := pipeline.target.surrogate_key(bronze)) is not None:
        values = {"_scd2_key": key, **values}
    active = sa.select(*values.values()).where(bronze.c["UdmActiveFlag"] == sa.true())
    with pytest.raises(sa.exc.IntegrityError), pipeline.target.engine.begin() as connection:
        connection.execute(sa.insert(bronze).from_select(list(values), active))
    assert pipeline.dump("bronze", TABLE) == history.bronze


def test_the_unique_index_allows_any_number_of_closed_versions(history: History) -> None:
    assert sum(version["ID"] == 2 and not version["UdmActiveFlag"] for version in history.bronze) == 2


def test_a_table_is_published_once_a_successful_run_with_its_instant(history: History) -> None:
    rows = history.pipeline.query('SELECT "BatchId", "Instant", "PublishedAt" FROM {ops}."TablePublished" ORDER BY 1')
    assert tuple(batch for batch, _, _ in rows) == history.batches
    assert all(instant <= published for _, instant, published in rows)
    assert list(history.instants) == sorted(set(history.instants))


def test_a_failed_run_is_not_published(pipeline: Pipeline) -> None:
    pipeline.fail("NO_SUCH_TABLE")
    assert pipeline.query('SELECT * FROM {ops}."TablePublished"') == []


def clock(*instants: datetime) -> object:
    """A clock that shows these instants and then stays at the last."""
    remaining = list(instants)
    return lambda _connection: remaining.pop(0) if len(remaining) > 1 else remaining[0]


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(0)], ids=["steps back", "stands still"])
def test_instants_increase_although_the_clock_does_not(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    noon = datetime(2026, 10, 25, 12, 0, 0, 123)  # noqa: DTZ001 - instants are naive UTC
    monkeypatch.setattr(pipeline.target, "now", clock(*(noon + n * step for n in range(60))))
    history = play(pipeline, days=DAYS[:4])
    assert list(history.instants) == sorted(set(history.instants))
    assert [len(history.versions(key)) for key in KEYS] == [1, 3, 1, 2, 2, 1]
    assert all(row["UdmEffectiveDateTime"] < row["UdmEndDateTime"] for row in history.bronze if row["UdmEndDateTime"])
    assert sorted(row["ID"] for row in history.bronze if row["UdmActiveFlag"]) == [row[0] for row in DAYS[-1]]
