"""Rows that cannot be loaded safely: a NULL in the key, or one key with different rows. Kept aside, counted, warned of."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from math import isfinite

import polars as pl
import sqlalchemy as sa

from config import Settings
from connections.target import Target
from data_load.markers import rows_of
from extract.spool import Spool
from model.ops import QUARANTINE
from model.system_columns import KEY_HASH
from model.warehouse import WarehouseTable

LOG = logging.getLogger("udm.quarantine")
NULL_KEY, CONFLICTING = "NULL_KEY", "CONFLICTING_DUPLICATE"


@dataclass(slots=True, kw_only=True)
class Quarantined:
    """The quarantined rows of one table and run, at most `limit` of them kept for the Quarantine table."""

    limit: int
    rows: list[tuple[str, pl.DataFrame]] = field(default_factory=list)

    def add(self, reason: str, frame: pl.DataFrame) -> None:
        """Keep rows while there is room."""
        room = self.limit - sum(kept.height for _, kept in self.rows)
        if room > 0 and not frame.is_empty():
            self.rows.append((reason, frame.head(room)))

    def add_conflicts(self, spool: Spool, position: str, positions: pl.Series) -> None:
        """Find the conflicting rows among the spooled candidates."""
        if len(positions):
            wanted = positions.implode()
            for frame in spool.frames():
                self.add(CONFLICTING, frame.filter(pl.col(position).is_in(wanted)))


def digest(key_hash: bytes, settings: Settings) -> str:
    """A keyed digest that names a row and tells nothing of its key (32 hex digits)."""
    return hashlib.blake2b(key_hash, key=settings.digest_key, digest_size=16).hexdigest()


def forget_quarantine(target: Target, tables: WarehouseTable, batch: int) -> None:
    """Remove what an earlier attempt of this batch wrote: the table is extracted anew, and its rows are counted once."""
    written = target.own(QUARANTINE)
    with target.engine.begin() as connection:
        connection.execute(sa.delete(written).where(*rows_of(written, tables, batch)))


def record_quarantine(
    target: Target, settings: Settings, tables: WarehouseTable, batch: int, quarantined: Quarantined, count: int
) -> None:
    """Write the kept rows to General.ops.Quarantine and warn with their number."""
    if not count:
        return
    reasons = ", ".join(sorted({reason for reason, _ in quarantined.rows}))
    LOG.warning("%s: %d rows were quarantined (%s); see %s.ops.Quarantine", tables, count, reasons, target.databases.general)
    with target.engine.begin() as connection:
        now = target.now(connection)
        rows = [
            {
                "BatchId": batch,
                "SourceName": tables.source,
                "TableName": tables.table,
                "Reason": reason,
                "KeyDigest": None if reason == NULL_KEY else digest(key_hash, settings),
                "RowJson": row,
                "QuarantinedAt": now,
            }
            for reason, frame in quarantined.rows
            for key_hash, row in zip(frame.get_column(KEY_HASH).to_list(), _as_json(frame, tables.names), strict=True)
        ]
        if rows:
            connection.execute(sa.insert(target.own(QUARANTINE)), rows)


def _as_json(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    columns = [_as_text(name, dtype) if (dtype := frame.schema[name]).is_temporal() else pl.col(name) for name in names]
    rows = ({name: _plain(value) for name, value in row.items()} for row in frame.select(columns).iter_rows(named=True))
    return [json.dumps(row, ensure_ascii=False) for row in rows]


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """Dates and timestamps; beyond the years that Python has, infinity among them, as days or microseconds since 1970."""
    column = pl.col(name)
    ours = (column >= pl.lit(date.min).cast(dtype)) & (column < pl.lit(date.max).cast(dtype).dt.offset_by("1d"))
    return pl.when(ours).then(column).cast(pl.String).fill_null(column.to_physical().cast(pl.String)).alias(name)


def _plain(value: object) -> object:
    """As JSON can hold it: it has no bytes, decimals, NaN or infinity."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, Decimal) or (isinstance(value, float) and not isfinite(value)) else value
