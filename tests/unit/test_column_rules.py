"""What UdmTablesColumnsList says of masks and exclusions is obeyed to the letter, or refused by name."""

from __future__ import annotations

import pytest

from model.errors import UnusableColumnRule
from model.masking import MaskMethod
from model.types import DATE, TEXT, Column, ColumnType, Kind, integer
from schema.column_rules import ColumnRules, check_no_rule_is_lost, choose_rules
from schema.column_sync import ListedColumn

COLUMNS = (Column(name="Id", type=integer(64)), Column(name="SSN", type=TEXT), Column(name="BORN", type=DATE))


def row(name: str, mask: str = "", *, is_excluded: bool = False) -> ListedColumn:
    return ListedColumn(name=name, is_key=False, is_excluded=is_excluded, mask=mask)


def choose(*listed: ListedColumn) -> ColumnRules:
    return choose_rules("DNA.ACCT", listed, COLUMNS, ("Id",), "General")


def test_without_rules_the_columns_are_stored_as_they_are() -> None:
    rules = choose(row("Id"), row("SSN"), row("GONE"))
    assert rules == ColumnRules(columns=COLUMNS, masks=(), excluded=(), unknown=())
    assert rules.stored == COLUMNS


def test_rules_are_found_without_regard_to_case_and_spelled_as_the_source_spells_them() -> None:
    rules = choose(row("ssn", "KEEP-last-4"), row("born", "null", is_excluded=True), row("ID", "hmac-sha256"))
    assert rules.masks == (("SSN", MaskMethod.KEEP_LAST_4), ("BORN", MaskMethod.NULL), ("Id", MaskMethod.HMAC))
    assert rules.excluded == ("BORN",)
    assert [(column.name, column.type) for column in rules.stored] == [
        ("Id", ColumnType(kind=Kind.TEXT, length=64)),
        ("SSN", ColumnType(kind=Kind.TEXT, length=8)),
        ("BORN", DATE),
    ]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([row("SSN", "sha256")], "'SSN' with 'sha256'"),
        ([row("SSN", "hmac-sha256"), row("ssn", "null")], "'SSN' in two ways"),
        ([row("BORN", "keep-last-4")], "'BORN' with keep-last-4"),
        ([row("id", "null")], "'Id' with null"),
        ([row("id", "keep-last-4")], "'Id' with keep-last-4"),
        ([row("id", is_excluded=True)], "'Id' from the hash"),
    ],
)
def test_what_cannot_be_applied_is_an_error_that_names_the_column(listed: list[ListedColumn], said: str) -> None:
    with pytest.raises(UnusableColumnRule, match=said) as caught:
        choose(*listed)
    assert "DNA.ACCT" in caught.value.message
    assert caught.value.remedy


def test_a_rule_for_a_column_that_never_was_is_an_error_and_for_one_that_vanished_is_not() -> None:
    rules = choose(row("SNN", "null"), row("OLD", is_excluded=True), row("ELSE"))
    assert rules.unknown == ("SNN", "OLD")
    check_no_rule_is_lost("DNA.ACCT", rules, ("old", "snn"), "General")
    with pytest.raises(UnusableColumnRule, match="SNN, but the source has no such column"):
        check_no_rule_is_lost("DNA.ACCT", rules, ("OLD",), "General")
