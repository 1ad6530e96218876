"""Bulk load into the batch's own staging table, and the proof that it arrived as it was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl
import sqlalchemy as sa

from connections.target import Target
from data_load.bulk_engines import Scratch, load
from data_load.sample import SampleChooser, verify_sample
from data_load.schema_utils import create_table, drop_table, typed
from model.errors import LoadVerificationError
from model.row_hash import HashLayout
from model.system_columns import CDC_OPERATION, HASH_LAYOUT, KEY_HASH, ROW_HASH
from model.types import Column, ColumnType, Kind, integer
from model.warehouse import WarehouseTable

STAGING_COLUMNS = (
    Column(name=KEY_HASH, type=ColumnType(kind=Kind.BINARY, length=16)),
    Column(name=ROW_HASH, type=ColumnType(kind=Kind.BINARY, length=16)),
    Column(name=HASH_LAYOUT, type=integer(64)),
    Column(name=CDC_OPERATION, type=ColumnType(kind=Kind.TEXT, length=1)),
)


def load_staging(
    target: Target,
    tables: WarehouseTable,
    layout: HashLayout,
    frames: Iterable[pl.DataFrame],
    expected: int,
    scratch: Scratch,
    *,
    outlasts: bool,
) -> int:
    """Create the batch's staging table and load it; nothing else is touched, so a failed load leaves Stage and Bronze be.

    `frames` hold the source's columns and the four staging ones. The row count must be `expected`, and a sample is read back
    and hashed anew against the hashes that the rows were sent with. `scratch` gives a private folder, where the target needs one.
    `outlasts`: the table must outlast a crash of the server, for a promotion in chunks resumes from it.

    Raises:
        LoadVerificationError: rows are missing or too many, or values changed on the way.
    """
    columns = (*tables.columns, *STAGING_COLUMNS)
    chooser = SampleChooser(names=tables.names)
    target.create_schema(tables.staging.database, tables.staging.schema)
    with target.engine.begin() as connection:
        drop_table(target, connection, tables.staging)
        create_table(target, connection, tables.staging, typed(target, columns), {} if outlasts else target.staging_storage)
    load(target, tables.staging, columns, _observed(chooser, frames), expected, scratch)
    with target.engine.connect() as connection:
        staging = target.table(tables.staging, ())
        loaded = connection.execute(sa.select(sa.func.count()).select_from(staging)).scalar_one()
        if loaded != expected:
            raise LoadVerificationError(
                f"{tables}: {expected} rows were sent to {tables.staging}, {loaded} arrived.",
                remedy="Nothing was promoted. Run the table again; if it repeats, look at the target's log.",
            )
        verify_sample(target, connection, tables, layout, chooser.sample())
    return loaded


def _observed(chooser: SampleChooser, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        chooser.see(frame)
        yield frame
