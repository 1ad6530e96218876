"""The pipeline's own columns: none of them can be confused with a source's."""

from __future__ import annotations

import pytest

from cdc.duplicates import POSITION
from model import system_columns as sc
from model.errors import ReservedColumnName
from model.system_columns import check_not_reserved

OURS = sorted({*sc.STAGE_SYSTEM, *sc.BRONZE_SYSTEM, *sc.STAGING_SYSTEM, POSITION})


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("spelled", [str, str.upper, str.lower], ids=["as is", "upper", "lower"])
def test_a_source_column_named_like_ours_is_refused_by_name_in_any_case(name: str, spelled: type[str]) -> None:
    column = spelled(name)
    with pytest.raises(ReservedColumnName) as caught:
        check_not_reserved("DNA.ACCT", ["ID", column])
    assert f"DNA.ACCT: the source column {column!r}" in str(caught.value)
    assert repr(name) in str(caught.value)
    assert "view" in caught.value.remedy


@pytest.mark.parametrize(
    "name", ["ID", "key_hash", "_keyhash", "_key_hash_", "UdmHash2", "BATCH_ID", "change_operation", "index", "before", "changes"]
)
def test_any_other_name_is_the_sources_to_use(name: str) -> None:
    check_not_reserved("DNA.ACCT", [name, "ID"])


def test_the_columns_of_both_layers_are_those_of_the_design() -> None:
    # DESIGN.md section 3: users' queries, and tables that are loaded, depend on the names.
    assert sc.STAGE_SYSTEM == (
        "_key_hash",
        "_row_hash",
        "_hash_layout",
        "_extracted_at",
        "_cdc_operation",
        "_cdc_valid_from",
        "_cdc_valid_to",
        "_cdc_is_current",
        "_cdc_batch_id",
    )
    assert sc.BRONZE_SYSTEM == (
        "_scd2_key",
        "_key_hash",
        "UdmHash",
        "_hash_layout",
        "UdmEffectiveDateTime",
        "UdmEndDateTime",
        "UdmActiveFlag",
        "UdmScd2Operation",
        "_batch_id",
        "_end_batch_id",
    )
    assert set(sc.STAGING_SYSTEM) < set(sc.STAGE_SYSTEM)


def test_no_layer_has_two_columns_that_differ_in_case_alone() -> None:
    for columns in (sc.STAGE_SYSTEM, sc.BRONZE_SYSTEM, sc.STAGING_SYSTEM):
        assert len({name.casefold() for name in columns}) == len(columns)
