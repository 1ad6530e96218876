"""Quarantine: how much is kept, and that a digest names a row without telling its key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from config import Settings
from extract.spool import Spool, SpoolFolder
from orchestration.quarantine import CONFLICTING, NULL_KEY, Quarantined, digest

KEY_HASH = bytes(range(16))


def rows(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"n": numbers}, schema={"n": pl.Int64})


@pytest.mark.parametrize(("limit", "kept"), [(0, []), (1, [1]), (3, [1, 2, 3]), (4, [1, 2, 3, 4]), (100, [1, 2, 3, 4, 5])])
def test_no_more_rows_are_kept_than_the_setting_says(limit: int, kept: list[int]) -> None:
    quarantined = Quarantined(limit=limit)
    for frame in (rows(1, 2), rows(), rows(3), rows(4, 5)):
        quarantined.add(NULL_KEY, frame)
    assert [n for _, frame in quarantined.rows for n in frame.get_column("n")] == kept


def test_each_row_keeps_its_reason(tmp_path: Path) -> None:
    quarantined = Quarantined(limit=10)
    quarantined.add(NULL_KEY, rows(1))
    with SpoolFolder(tmp_path) as folder, Spool(folder, 0) as spool:
        for start in (0, 3):
            spool.append(rows(start, start + 1, start + 2).with_columns(pl.col("n").alias("_position")))
        quarantined.add_conflicts(spool, "_position", pl.Series([1, 5]))
        quarantined.add_conflicts(spool, "_position", pl.Series([], dtype=pl.Int64))
    assert [(reason, frame.get_column("n").to_list()) for reason, frame in quarantined.rows] == [
        (NULL_KEY, [1]),
        (CONFLICTING, [1]),
        (CONFLICTING, [5]),
    ]


def test_a_digest_is_keyed_and_stable(defaults: Settings) -> None:
    one, other = (replace(defaults, digest_key=key) for key in (b"one", b"other"))
    assert digest(KEY_HASH, one) == digest(KEY_HASH, one)
    assert digest(KEY_HASH, one) != digest(KEY_HASH, other)
    assert digest(KEY_HASH, one) != digest(KEY_HASH[::-1], one)
    assert len(digest(KEY_HASH, one)) == 32


def test_a_digest_shows_no_key_hash(defaults: Settings) -> None:
    assert KEY_HASH.hex() not in digest(KEY_HASH, defaults)


def test_the_longest_key_that_settings_hold_can_be_used(defaults: Settings) -> None:
    assert digest(KEY_HASH, replace(defaults, digest_key=b"k" * 64))
