"""The plan of a schema change: what is created, added or kept, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from connections.duckdb_target import DuckDBTarget
from model.errors import SchemaEvolutionError
from model.masking import MaskMethod, stored_column
from model.names import stage_name
from model.system_columns import STAGE_SYSTEM
from model.types import BINARY, TEXT, TIMESTAMP, Column, decimal, integer
from model.widening import Widening
from schema.evolution import LayerPlan, likely_renames, plan_layer

STAGE = stage_name("UDM_Stage", "DNA", "ACCT")
ID = Column(name="ID", type=integer(64), source_type="BIGINT")
NAME = Column(name="NAME", type=TEXT, source_type="VARCHAR")
BALANCE = Column(name="BALANCE", type=decimal(18, 2), source_type="DECIMAL(18,2)")
SYSTEM = tuple(Column(name=name, type=BINARY, source_type="BLOB") for name in STAGE_SYSTEM)
HELD = (ID, NAME, BALANCE, *SYSTEM)


def plan(target: DuckDBTarget, source: Sequence[Column], held: Sequence[Column]) -> LayerPlan:
    return plan_layer(target, "DNA.ACCT", STAGE, source, held, STAGE_SYSTEM)


def test_a_table_that_is_missing_is_created(target: DuckDBTarget) -> None:
    assert plan(target, (ID, NAME), ()) == LayerPlan(name=STAGE, create=True)


def test_a_table_that_fits_needs_nothing(target: DuckDBTarget) -> None:
    assert plan(target, (ID, NAME, BALANCE), HELD) == LayerPlan(name=STAGE)


def test_the_order_of_columns_means_nothing(target: DuckDBTarget) -> None:
    found = plan(target, (BALANCE, NAME, ID), HELD[::-1])
    assert (found.create, found.added, found.vanished) == (False, (), ())


def test_new_columns_are_added_in_the_sources_order(target: DuckDBTarget) -> None:
    city, since = Column(name="CITY", type=TEXT), Column(name="SINCE", type=TIMESTAMP)
    assert plan(target, (since, ID, NAME, BALANCE, city), HELD).added == (since, city)


def test_a_mask_that_needs_another_type_says_what_to_do(target: DuckDBTarget) -> None:
    masked = stored_column(BALANCE, MaskMethod.HMAC)
    with pytest.raises(SchemaEvolutionError, match="'BALANCE' is masked with hmac-sha256 now") as caught:
        plan(target, (ID, NAME, masked), HELD)
    assert "Rename that column in Stage and in Bronze" in caught.value.remedy
    assert plan(target, (ID, stored_column(NAME, MaskMethod.HMAC), stored_column(BALANCE, MaskMethod.NULL)), HELD).added == ()


def test_vanished_columns_are_kept_and_named(target: DuckDBTarget) -> None:
    found = plan(target, (ID,), HELD)
    assert found.vanished == ("NAME", "BALANCE")
    assert found.added == ()


def test_a_renamed_column_is_one_vanished_and_one_added(target: DuckDBTarget) -> None:
    renamed = Column(name="FULL_NAME", type=TEXT)
    found = plan(target, (ID, renamed, BALANCE), HELD)
    assert (found.added, found.vanished) == ((renamed,), ("NAME",))


def test_a_likely_rename_is_one_vanished_and_one_new_column_of_a_type(target: DuckDBTarget) -> None:
    def renames(*source: Column, before: tuple[str, ...] = ("ID", "NAME", "BALANCE")) -> list[tuple[str, str]]:
        return likely_renames(plan(target, source, HELD), before)

    renamed, other = Column(name="FULL_NAME", type=TEXT), Column(name="CITY", type=TEXT)
    assert renames(ID, renamed, BALANCE) == [("NAME", "FULL_NAME")]
    assert renames(ID, renamed, other, BALANCE) == []  # nobody knows which
    assert renames(ID, Column(name="SINCE", type=TIMESTAMP), BALANCE) == []
    assert renames(ID, renamed, BALANCE, before=("ID", "BALANCE")) == []  # NAME had gone long ago


def test_a_wider_column_is_altered_and_its_steps_are_told(target: DuckDBTarget) -> None:
    wider = Column(name="BALANCE", type=decimal(20, 3), source_type="DECIMAL(20,3)")
    found = plan(target, (ID, NAME, wider, Column(name="CITY", type=TEXT)), HELD)
    [one] = found.widened
    assert (one.column, one.before, one.after, one.how) == ("BALANCE", "DECIMAL(18,2)", "DECIMAL(20,3)", Widening.REWRITE)
    assert list(found.steps(target)) == [
        "add column 'CITY' (VARCHAR) to UDM_Stage.DNA.ACCT_cdc",
        "alter column 'BALANCE' of UDM_Stage.DNA.ACCT_cdc from DECIMAL(18,2) to DECIMAL(20,3) (rewrites its rows)",
    ]


def test_a_stored_type_that_is_not_ours_is_never_altered(target: DuckDBTarget) -> None:
    held = [column if column is not NAME else Column(name="NAME", type=TEXT, source_type="JSON") for column in HELD]
    with pytest.raises(SchemaEvolutionError, match="holds it as JSON, which is"):
        plan(target, (ID, NAME, BALANCE), held)


@pytest.mark.parametrize(
    "changed",
    [
        Column(name="NAME", type=integer(64)),
        Column(name="BALANCE", type=decimal(18, 4)),
        Column(name="BALANCE", type=decimal(17, 2)),
        Column(name="ID", type=integer(32)),
    ],
)
def test_a_column_of_another_type_is_an_error_that_names_both_types(target: DuckDBTarget, changed: Column) -> None:
    source = [changed if column.name == changed.name else column for column in (ID, NAME, BALANCE)]
    with pytest.raises(SchemaEvolutionError) as caught:
        plan(target, source, HELD)
    [held] = [column for column in HELD if column.name == changed.name]
    for part in ("DNA.ACCT", repr(changed.name), str(changed.type), held.source_type, str(STAGE)):
        assert part in str(caught.value)


def test_a_type_that_changed_is_told_also_where_the_column_is_new_elsewhere(target: DuckDBTarget) -> None:
    with pytest.raises(SchemaEvolutionError):
        plan(target, (Column(name="ID", type=TEXT), Column(name="CITY", type=TEXT)), HELD)


def test_a_table_of_somebody_else_is_never_taken_over(target: DuckDBTarget) -> None:
    with pytest.raises(SchemaEvolutionError, match=r"UDM_Stage\.DNA\.ACCT_cdc exists, but lacks .*_key_hash.*_cdc_batch_id"):
        plan(target, (ID, NAME), (ID, NAME))
    with pytest.raises(SchemaEvolutionError, match=r"lacks the pipeline's columns _cdc_is_current\. "):
        plan(target, (ID, NAME), [column for column in HELD if column.name != "_cdc_is_current"])
    theirs = [replace(ID, source_type="VARCHAR"), replace(NAME, name="LABEL")]
    differs = r"columns it lacks NAME; it also has LABEL; ID is VARCHAR and not BIGINT\. "
    with pytest.raises(SchemaEvolutionError, match=differs):
        plan(target, (ID, NAME), theirs)


def test_planning_changes_nothing(target: DuckDBTarget) -> None:
    plan(target, (ID, NAME), ())
    with target.engine.connect() as connection:
        assert target.catalogue(connection, "UDM_Stage") == {}


def test_a_column_renamed_only_in_case_is_refused_by_both_names(target: DuckDBTarget) -> None:
    with pytest.raises(SchemaEvolutionError, match=r"column 'NAME' as 'Name' now"):
        plan(target, (ID, Column(name="Name", type=TEXT), BALANCE), HELD)
