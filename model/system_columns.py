"""The columns that Stage and Bronze hold beside the source's own (DESIGN.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable

from model.errors import ReservedColumnName

KEY_HASH = "_key_hash"
HASH_LAYOUT = "_hash_layout"

ROW_HASH = "_row_hash"
EXTRACTED_AT = "_extracted_at"
CDC_OPERATION = "_cdc_operation"
CDC_VALID_FROM = "_cdc_valid_from"
CDC_VALID_TO = "_cdc_valid_to"
CDC_IS_CURRENT = "_cdc_is_current"
CDC_BATCH_ID = "_cdc_batch_id"

SCD2_KEY = "_scd2_key"
BRONZE_HASH = "UdmHash"
EFFECTIVE = "UdmEffectiveDateTime"
END = "UdmEndDateTime"
ACTIVE = "UdmActiveFlag"
SCD2_OPERATION = "UdmScd2Operation"
BATCH_ID = "_batch_id"
END_BATCH_ID = "_end_batch_id"

ADOPTING = "_adopting"  # numbers Stage's rows while a predecessor's tables are taken over; no run loads a table that has it
BEFORE = {ROW_HASH: "_row_hash_before", BRONZE_HASH: "UdmHash_before", SCD2_KEY: "_scd2_key_before"}
"""What a predecessor's row hashes, and a number that tells no versions apart, are called once its tables have been taken over."""
POSITION = "_position"  # of a row in its extract: beside the source's columns until the row is loaded

STAGING_SYSTEM = (KEY_HASH, ROW_HASH, HASH_LAYOUT, CDC_OPERATION)
STAGE_SYSTEM = (
    KEY_HASH,
    ROW_HASH,
    HASH_LAYOUT,
    EXTRACTED_AT,
    CDC_OPERATION,
    CDC_VALID_FROM,
    CDC_VALID_TO,
    CDC_IS_CURRENT,
    CDC_BATCH_ID,
)
BRONZE_SYSTEM = (
    SCD2_KEY,
    KEY_HASH,
    BRONZE_HASH,
    HASH_LAYOUT,
    EFFECTIVE,
    END,
    ACTIVE,
    SCD2_OPERATION,
    BATCH_ID,
    END_BATCH_ID,
)
_RESERVED = {name.casefold(): name for name in (*STAGE_SYSTEM, *BRONZE_SYSTEM, *BEFORE.values(), ADOPTING, POSITION)}


def check_not_reserved(table: str, columns: Iterable[str]) -> None:
    """Refuse source columns named like ours, without regard to case, as SQL Server compares names.

    Raises:
        ReservedColumnName: naming the table, the column and the way round it.
    """
    for column in columns:
        if column.casefold() in _RESERVED:
            raise ReservedColumnName(
                f"{table}: the source column {column!r} is named like the pipeline's own column "
                f"{_RESERVED[column.casefold()]!r}.",
                remedy="Load a view that gives the column another name.",
            )
