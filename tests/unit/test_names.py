"""Names of tables, and which table and batch a staging table belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.names import TableName, bronze_name, stage_name, staging_name, staging_owner
from model.warehouse import names_differing_in_case


def test_each_layer_has_its_name() -> None:
    assert str(stage_name("UDM_Stage", "DNA", "ACCT")) == "UDM_Stage.DNA.ACCT_cdc"
    assert str(bronze_name("UDM_Bronze", "DNA", "ACCT")) == "UDM_Bronze.DNA.ACCT_scd2_python"
    assert str(staging_name("UDM_Stage", "DNA", "ACCT", 12)) == "UDM_Stage.DNA._staging_ACCT_12"


def test_names_compare_by_value() -> None:
    assert stage_name("S", "DNA", "ACCT") == TableName(database="S", schema="DNA", table="ACCT_cdc")
    assert stage_name("S", "DNA", "ACCT") != stage_name("S", "CCM", "ACCT")


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("_staging_ACCT_7", ("ACCT", 7)),
        ("_staging_ACCT_TYPE_7", ("ACCT_TYPE", 7)),
        ("_staging_ACCT_7_12", ("ACCT_7", 12)),
        ("_staging_ACCT_7_12_13", ("ACCT_7_12", 13)),
        ("_staging_a b\n_9223372036854775807", ("a b\n", 2**63 - 1)),
    ],
)
def test_the_last_number_is_the_batch_and_all_before_it_the_table(name: str, owner: tuple[str, int]) -> None:
    assert staging_owner(name) == owner


@pytest.mark.parametrize(
    "name",
    [
        "ACCT_cdc",
        "ACCT_7",
        "_staging_ACCT",
        "_staging_A_",
        "_staging_7",
        "_staging__7",
        "staging_A_7",
        "x_staging_A_7",
        "_staging_A_7 ",
    ],
)
def test_other_tables_have_no_owner(name: str) -> None:
    assert staging_owner(name) is None


@pytest.mark.parametrize("other", ["ACCT_TYPE", "ACCT_7", "ACC", "acct", "XACCT", "_staging_ACCT"])
def test_no_batch_of_another_table_belongs_to_acct(other: str) -> None:
    for batch in (1, 7, 12, 712):
        owner = staging_owner(staging_name("S", "DNA", other, batch).table)
        assert owner == (other, batch)
        assert owner[0] != "ACCT"


@settings(deadline=None)
@given(table=st.text(min_size=1), batch=st.integers(0, 2**63 - 1))
def test_every_staging_table_is_traced_to_its_owner(table: str, batch: int) -> None:
    assert staging_owner(staging_name("S", "DNA", table, batch).table) == (table, batch)


names = st.tuples(st.text("AC_17", min_size=1), st.integers(0, 200))


@given(one=names, other=names)
def test_two_batches_or_tables_never_share_a_staging_table(one: tuple[str, int], other: tuple[str, int]) -> None:
    assert (staging_name("S", "DNA", *one) == staging_name("S", "DNA", *other)) == (one == other)


def test_names_that_differ_in_case_alone_are_paired() -> None:
    assert names_differing_in_case(["Id", "NAME", "ID", "Straße", "STRASSE"]) == [("Id", "ID"), ("Straße", "STRASSE")]
    assert names_differing_in_case(["ID", "NAME", "ID_2"]) == []
