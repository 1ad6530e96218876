"""The plan of a layer that a predecessor left, from its catalogue alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model import system_columns as sc
from model.errors import SchemaEvolutionError
from model.types import BOOLEAN, FLOAT64, TEXT, TIMESTAMP, Column, ColumnType, decimal, integer
from schema.adoption import BRONZE_TYPES, Takeover, adopted_layers, is_ours, plan_takeover
from tests.golden.tsql import TABLES, Recording

TARGET = Recording()
STAGE, BRONZE = adopted_layers(TABLES)
LEFT = {
    "ACCTNBR": integer(64),
    "NOTEBAL": decimal(22, 3),
    sc.SCD2_KEY: integer(64),
    **{name: kind for name, kind in BRONZE_TYPES.items() if kind is not None and name != sc.HASH_LAYOUT},
}


def held(**types: ColumnType) -> list[Column]:
    """Bronze's columns; its old hash is text and may not be NULL."""
    columns = [Column(name=name, type=kind, source_type=TARGET.type_text(kind)) for name, kind in {**LEFT, **types}.items()]
    return [*columns, Column(name=sc.BRONZE_HASH, type=TEXT, nullable=False, source_type="varchar(64)")]


def planned(columns: list[Column], *, numbered: bool = True) -> Takeover:
    return plan_takeover(TARGET, TABLES, BRONZE, columns, numbered=numbered)


def test_the_old_hash_is_renamed_and_ours_are_added_the_key_hash_last() -> None:
    plan = planned(held())
    assert plan.renamed == ((sc.BRONZE_HASH, "UdmHash_before"),)
    assert plan.added == (sc.BRONZE_HASH, sc.HASH_LAYOUT, sc.KEY_HASH)
    assert [column.name for column in plan.nullable] == [sc.BRONZE_HASH]
    assert (plan.number, plan.conversions, plan.lossy) == (None, (), ())


def test_what_was_begun_is_planned_no_second_time() -> None:
    renamed = [replace(column, name="UdmHash_before") if column.name == sc.BRONZE_HASH else column for column in held()]
    assert planned(renamed).renamed == ()
    done = [*renamed, *(Column(name=name, type=TEXT) for name in (sc.BRONZE_HASH, sc.HASH_LAYOUT, sc.KEY_HASH))]
    plan = planned(done)
    assert (plan.renamed, plan.added) == ((), ())
    assert is_ours(done)
    assert not is_ours([*done, Column(name=sc.ADOPTING, type=integer(64))])


def test_a_number_that_tells_no_rows_apart_is_kept_under_another_name() -> None:
    plan = planned(held(), numbered=False)
    assert (plan.number, plan.renamed[-1]) == (sc.SCD2_KEY, (sc.SCD2_KEY, "_scd2_key_before"))
    assert planned([column for column in held() if column.name != sc.SCD2_KEY]).number == sc.SCD2_KEY


@pytest.mark.parametrize(
    ("kind", "narrower"),
    [(decimal(20, 3), False), (integer(32), False), (decimal(30, 6), True)],
    ids=["wider", "whole numbers", "narrower: has to prove itself"],
)
def test_types_that_can_be_converted(kind: ColumnType, *, narrower: bool) -> None:
    plan = planned(held(NOTEBAL=kind))
    assert [(one.held.name, one.wanted, one.narrower) for one in plan.conversions] == [("NOTEBAL", decimal(22, 3), narrower)]
    assert plan.lossy == ()


@pytest.mark.parametrize(
    ("name", "kind"), [("NOTEBAL", FLOAT64), ("ACCTNBR", TEXT), (sc.ACTIVE, integer(32)), (sc.END, TEXT)]
)
def test_types_that_would_lose_something(name: str, kind: ColumnType) -> None:
    assert [column.name for column, _ in planned(held(**{name: kind})).lossy] == [name]


def test_a_table_without_what_tells_its_versions_apart_is_no_predecessors() -> None:
    with pytest.raises(SchemaEvolutionError, match="lacks UdmActiveFlag"):
        planned([column for column in held() if column.name != sc.ACTIVE])
    with pytest.raises(SchemaEvolutionError, match="does not exist"):
        planned([])


def test_a_column_that_differs_in_case_alone_is_not_taken_for_a_missing_one() -> None:
    with pytest.raises(SchemaEvolutionError, match="'notebal'"):
        planned([replace(column, name="notebal") if column.name == "NOTEBAL" else column for column in held()])


def test_flags_and_instants_stay_as_they_are() -> None:
    spelled = [replace(c, source_type="datetime2(7)") if c.type == TIMESTAMP else c for c in held(**{sc.ACTIVE: BOOLEAN})]
    assert planned(spelled).conversions == ()
