"""Guards: which extract sizes and which numbers of deletes are believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config import Settings
from model.errors import GuardBlocked
from orchestration.guards import check_size, deletes_blocked


@pytest.mark.parametrize("extracted", [0, 1, 10**9])
@pytest.mark.parametrize("baseline", [None, 0])
def test_without_a_baseline_any_extract_is_believed(defaults: Settings, extracted: int, baseline: int | None) -> None:
    check_size("DNA.ACCT", extracted, baseline, defaults)


@pytest.mark.parametrize("extracted", [100, 101, 1_000, 4_999, 5_000])
def test_from_a_tenth_to_five_times_the_baseline_is_believed(defaults: Settings, extracted: int) -> None:
    check_size("DNA.ACCT", extracted, 1_000, defaults)


@pytest.mark.parametrize("extracted", [0, 1, 99, 5_001, 10**9])
def test_outside_of_that_the_table_is_blocked(defaults: Settings, extracted: int) -> None:
    with pytest.raises(GuardBlocked) as caught:
        check_size("DNA.ACCT", extracted, 1_000, defaults)
    assert f"DNA.ACCT: the extract has {extracted:,} rows" in str(caught.value)
    assert "1,000" in str(caught.value)
    assert "--force" in caught.value.remedy


@pytest.mark.parametrize("baseline", [1, 5, 9])
def test_an_empty_extract_of_a_table_that_was_not_empty_is_blocked_however_small_it_was(
    defaults: Settings, baseline: int
) -> None:
    with pytest.raises(GuardBlocked):
        check_size("DNA.ACCT", 0, baseline, defaults)
    with pytest.raises(GuardBlocked):
        check_size("DNA.ACCT", 0, baseline, replace(defaults, guard_low=0.0))


def test_ninety_five_per_cent_fewer_rows_are_blocked(defaults: Settings) -> None:
    with pytest.raises(GuardBlocked):
        check_size("DNA.ACCT", 2_500, 50_000, defaults)


def test_the_ratios_are_settings(defaults: Settings) -> None:
    wide = replace(defaults, guard_low=0.001, guard_high=50.0)
    check_size("DNA.ACCT", 1, 1_000, wide)
    check_size("DNA.ACCT", 50_000, 1_000, wide)
    with pytest.raises(GuardBlocked):
        check_size("DNA.ACCT", 500, 1_000, replace(defaults, guard_low=0.6))


@pytest.mark.parametrize(
    ("deleted", "active", "blocked"),
    [
        (0, 0, False),
        (0, 10_000, False),
        (1_000, 1_000, False),
        (1_001, 5_005, False),
        (1_001, 5_004, True),
        (2_000, 10_000, False),
        (2_001, 10_000, True),
        (10_000, 10_000, True),
        (10_000, 100_000, False),
        (20_001, 100_000, True),
    ],
)
def test_deletes_are_blocked_above_a_fifth_of_the_keys_and_above_a_thousand(
    defaults: Settings, deleted: int, active: int, *, blocked: bool
) -> None:
    assert deletes_blocked(deleted, active, defaults) is blocked


def test_both_limits_of_the_deletes_are_settings(defaults: Settings) -> None:
    assert deletes_blocked(1, 4, replace(defaults, delete_guard_rows=0))
    assert not deletes_blocked(1, 5, replace(defaults, delete_guard_rows=0))
    assert not deletes_blocked(10_000, 10_000, replace(defaults, delete_guard_ratio=1.0))
    assert not deletes_blocked(10_000, 10_000, replace(defaults, delete_guard_rows=10_000))
