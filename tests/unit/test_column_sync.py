"""The key of a table: the users' own, else the catalogue's, in the source's spelling."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from model.errors import MissingKey
from model.types import TEXT, Column, integer
from schema.column_sync import choose_key

COLUMNS = (Column(name="Id", type=integer(64)), Column(name="BRANCH", type=TEXT), Column(name="NAME", type=TEXT))


def choose(listed: Sequence[str], catalogue: Sequence[str]) -> tuple[str, ...]:
    return choose_key("DNA", "ACCT", listed, catalogue, COLUMNS, "General")


def test_the_catalogues_key_is_taken_where_the_users_set_none() -> None:
    assert choose([], ["Id", "BRANCH"]) == ("Id", "BRANCH")


def test_the_users_key_goes_before_the_catalogues() -> None:
    assert choose(["NAME"], ["Id"]) == ("NAME",)


def test_the_users_key_is_found_without_regard_to_case_and_spelled_as_the_source_spells_it() -> None:
    assert choose(["ID", "branch"], []) == ("Id", "BRANCH")


def test_a_column_listed_twice_is_one_column_of_the_key() -> None:
    assert choose(["ID", "Id", "BRANCH"], []) == ("Id", "BRANCH")


def test_no_key_says_which_rows_to_set() -> None:
    with pytest.raises(MissingKey, match=r"DNA\.ACCT has no primary key and no unique index on NOT NULL columns") as caught:
        choose([], [])
    assert "INSERT INTO General.dbo.UdmTablesColumnsList" in caught.value.remedy
    assert "'DNA', 'ACCT'" in caught.value.remedy


def test_a_listed_column_that_the_source_lacks_is_named() -> None:
    with pytest.raises(MissingKey, match=r"marks GONE, OLD as the key, but the source has no such column"):
        choose(["GONE", "Id", "OLD"], ["Id"])
