"""What came of a run: exit status, totals, and the words and cells that people read."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from model.names import TableName
from model.ops import Status
from orchestration.reporting import COLUMNS, counted, looked_at, summary
from orchestration.results import TableResult, exit_status


def result(status: Status = Status.SUCCESS, **values: float) -> TableResult:
    return TableResult(source="DNA", table="ACCT", status=status, **values)  # type: ignore[arg-type]


OK, FAILED, SKIPPED = (result(status) for status in (Status.SUCCESS, Status.FAILED, Status.SKIPPED))


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([], 0),
        ([OK], 0),
        ([OK, OK], 0),
        ([SKIPPED], 3),
        ([OK, SKIPPED], 3),
        ([FAILED], 1),
        ([OK, FAILED], 1),
        ([SKIPPED, FAILED], 1),
        ([OK, SKIPPED, FAILED], 1),
    ],
)
def test_a_failure_outweighs_a_skip_and_a_skip_success_in_any_order(results: list[TableResult], status: int) -> None:
    assert {exit_status(order) for order in permutations(results)} == {status}


def test_changed_counts_what_was_written() -> None:
    assert result(extracted=99, inserted=1, updated=20, deleted=300, unchanged=7, duplicates=5, quarantined=3).changed == 321
    assert result(extracted=99, unchanged=90, duplicates=5, quarantined=4).changed == 0


def test_the_rate_is_extracted_rows_over_the_whole_time() -> None:
    assert result(extracted=500, seconds=2.0).rows_per_second == 250
    assert result(extracted=500).rows_per_second == 0


def test_an_outcome_in_words_names_every_count_that_matters() -> None:
    changed = result(extracted=50_000, inserted=1_000, updated=20, deleted=3, unchanged=48_980, quarantined=4, seconds=1.25)
    assert counted(changed) == (
        "50,000 rows extracted: 1,000 inserted, 20 updated, 3 deleted, 48,980 unchanged, 4 quarantined (1.2 s)"
    )
    assert counted(result(extracted=50_000, unchanged=50_000, seconds=0.5)) == "nothing changed in 50,000 rows (0.5 s)"
    assert "2 quarantined" in counted(result(extracted=2, quarantined=2))


def test_the_summary_has_a_cell_for_each_column() -> None:
    whole = result(extracted=12_345, inserted=1, updated=2, deleted=3, unchanged=4, duplicates=5, quarantined=6, seconds=2.0)
    headers, [row] = summary([whole])
    assert row == ("DNA.ACCT", "SUCCESS", "12,345", "1", "2", "3", "4", "5", "6", "2.0", "6,172")
    assert headers == ("table", "status", *COLUMNS)


def test_the_summary_has_duplicates_only_where_a_table_had_any() -> None:
    headers, rows = summary([OK, result(extracted=7)])
    assert "duplicates" not in headers
    assert [len(row) for row in rows] == [len(headers)] * 2
    headers, rows = summary([OK, result(duplicates=1_234)])
    assert [row[headers.index("duplicates")] for row in rows] == ["0", "1,234"]


def test_the_history_shown_is_one_that_changed_else_one_that_was_loaded() -> None:
    tables = [TableName(database="B", schema="S", table=name) for name in "ABC"]
    same, changed, failed = (
        replace(result(inserted=inserted), bronze=table) for inserted, table in zip((0, 2, 3), tables, strict=True)
    )
    failed = replace(failed, status=Status.FAILED)
    assert looked_at([failed, same, changed]) == tables[1]
    assert looked_at([failed, same]) == tables[0]
    assert looked_at([failed]) is None


def test_the_summary_keeps_the_order_and_the_failures() -> None:
    _, rows = summary([FAILED, OK, SKIPPED])
    assert [row[1] for row in rows] == ["FAILED", "SUCCESS", "SKIPPED"]
