"""The indexes that rows of UdmTablesColumnsList ask for."""

from __future__ import annotations

import pytest

from connections.duckdb_target import DuckDBTarget
from connections.postgresql_statements import LONGEST_NAME, index_name
from schema.column_sync import ListedColumn
from schema.wanted_indexes import WantedIndex, wanted_indexes
from tests.golden.promotions import TABLES


def row(name: str, index: str = "", layer: str = "", kind: str = "", *, is_index: bool = True) -> ListedColumn:
    return ListedColumn(
        name=name, is_key=False, is_excluded=False, mask="", layer=layer, is_index=is_index, index_name=index, index_type=kind
    )


def test_rows_of_one_name_are_one_index_on_the_layer_that_they_say(target: DuckDBTarget) -> None:
    both = [row("order", "ix_both", "Source"), row("ACCTNBR", "ix_both")]
    listed = [*both, row("ACCTNBR", layer="stage"), row("Order", is_index=False)]
    wanted, refused = wanted_indexes(target, TABLES, listed)
    assert refused == []
    assert wanted == [
        WantedIndex(table=TABLES.bronze, name="ix_both", columns=("Order", "ACCTNBR"), columnstore=False),
        WantedIndex(table=TABLES.stage, name="ix_ACCT_cdc_ACCTNBR", columns=("ACCTNBR",), columnstore=False),
    ]


@pytest.mark.parametrize("listed", [row("NOWHERE"), row("Order", kind="UNIQUE"), row("Order", kind="CLUSTERED")])
def test_what_cannot_be_had_is_told_and_nothing_else_is_made_of_it(target: DuckDBTarget, listed: ListedColumn) -> None:
    wanted, [refused] = wanted_indexes(target, TABLES, [listed])
    assert wanted == []
    assert str(TABLES.bronze) in refused


def test_names_are_short_enough_whatever_is_long_in_them() -> None:
    for table, purpose in (("t" * 80, "c"), ("t", "c" * 80), ("t" * 80, "c" * 80)):
        assert len(index_name("ix", table, purpose)) <= LONGEST_NAME
    assert index_name("ix", "t", "c" * 80) != index_name("ix", "t", "c" * 81)
