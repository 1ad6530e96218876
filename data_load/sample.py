"""A sample of loaded rows, chosen where a driver is most likely to alter a value, read back and hashed anew.

Where the row hash cannot be had from what is stored (a mask keeps too little of a value), or says nothing of a column that is
carried (excluded from the hash), the sent rows are hashed as they are stored instead: every stored value is compared anyway.

Of each column the least, the greatest, the longest, a blank, a NaN and a NULL value's row, and random rows beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
import sqlalchemy as sa

from connections.target import Target
from model.conform import conform
from model.errors import LoadVerificationError
from model.row_hash import HashLayout, hash_expressions, layout_of
from model.system_columns import CDC_OPERATION, KEY_HASH, ROW_HASH
from model.warehouse import WarehouseTable

_RANDOM_ROWS = 32
_KEYS_PER_QUERY = 500


@dataclass(slots=True, kw_only=True)
class SampleChooser:
    """Keeps the extreme rows of all frames it sees; of two frames' extremes the extremes."""

    names: Sequence[str]
    _kept: list[pl.DataFrame] = field(default_factory=list)

    def see(self, frame: pl.DataFrame) -> None:
        """Look at a frame on its way to the loader; rows that stand for a delete hold no values and are passed over."""
        self._kept.append(_extremes(frame.filter(pl.col(CDC_OPERATION) != "D"), self.names))

    def sample(self) -> pl.DataFrame:
        """The chosen rows' columns and hashes, each row once."""
        if not self._kept:
            return pl.DataFrame()
        return _extremes(pl.concat(self._kept).unique(KEY_HASH, maintain_order=True), self.names)


def _extremes(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    if frame.is_empty():
        return frame
    chosen = frame.select(positions for name in names for positions in _positions(name, frame.schema[name]))
    positions = pl.int_range(frame.height, eager=True)
    random = positions.sample(min(_RANDOM_ROWS, frame.height))
    return frame[sorted({row for row in chosen.row(0) if row is not None} | set(random))]


def _positions(name: str, dtype: pl.DataType) -> list[pl.Expr]:
    column = pl.col(name)
    found = [
        column.arg_min().alias(f"{name}:least"),
        column.arg_max().alias(f"{name}:greatest"),
        column.is_null().arg_max().alias(f"{name}:null"),
    ]
    if isinstance(dtype, pl.String):
        found.append(column.str.len_bytes().arg_max().alias(f"{name}:longest"))
        # The empty string is the least, so sampled already.
        found.append(((column.str.strip_chars() == "") & (column != "")).arg_max().alias(f"{name}:blank"))
    if dtype.is_float():
        found.append(column.is_nan().arg_max().alias(f"{name}:nan"))
    if isinstance(dtype, pl.Binary):
        found = [column.bin.size().arg_max().alias(f"{name}:longest"), column.is_null().arg_max().alias(f"{name}:null")]
    return found


def verify_sample(
    target: Target, connection: sa.Connection, tables: WarehouseTable, layout: HashLayout, sample: pl.DataFrame
) -> None:
    """Read the sample's rows back from staging, hash them, and compare with the hashes they were sent with.

    Raises:
        LoadVerificationError: naming the columns whose values changed.
    """
    if layout.excluded or not all(mask.method.keeps_token for mask in layout.masks):
        layout = layout_of(tables.columns, tables.keys)
        if not sample.is_empty():
            sample = sample.with_columns(hash_expressions(layout)[1])
    for start in range(0, sample.height, _KEYS_PER_QUERY):
        sent = sample.slice(start, _KEYS_PER_QUERY)
        back = _read_back(target, connection, tables, sent.get_column(KEY_HASH).to_list())
        stored = back.select(hash_expressions(layout))
        pairs = sent.select(KEY_HASH, ROW_HASH).join(stored, on=[KEY_HASH, ROW_HASH], how="anti")
        if not pairs.is_empty():
            altered = _altered_columns(sent, back, tables.names)
            raise LoadVerificationError(
                f"{tables}: {pairs.height} of {sample.height} sampled rows were altered while loading {tables.staging}: "
                f"column {', '.join(altered) or 'unknown'}.",
                remedy="Nothing was promoted. Load a view that casts the column to text, and report the driver.",
            )


def _read_back(target: Target, connection: sa.Connection, tables: WarehouseTable, keys: list[bytes]) -> pl.DataFrame:
    held = {column.name: column for column in target.columns_of(connection, tables.staging)}
    staging = target.table(tables.staging, (*tables.names, KEY_HASH))
    query = (
        sa.select(staging.c[KEY_HASH], *(target.travelling(held[name]) for name in tables.names))
        .select_from(staging)
        .where(staging.c[KEY_HASH].in_([target.binary_literal(key) for key in keys]))
    )
    frames = list(target.read(connection, query, _KEYS_PER_QUERY))
    if not frames:
        return pl.DataFrame(schema={KEY_HASH: pl.Binary, **{column.name: column.type.dtype for column in tables.columns}})
    frame = pl.concat(frames)
    return frame.select(KEY_HASH).hstack(conform(str(tables), frame, tables.columns))


def _altered_columns(sent: pl.DataFrame, back: pl.DataFrame, names: Sequence[str]) -> list[str]:
    both = sent.select(KEY_HASH, *names).join(back, on=KEY_HASH, how="inner", suffix=" ")
    return [name for name in names if not both.get_column(name).eq_missing(both.get_column(f"{name} ")).all()]
