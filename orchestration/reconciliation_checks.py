"""The checks of a table's history: each is a `Check`, most of them one statement of SQL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa

from cdc.reconciliation.seals import Seal, Sealed, seal_versions
from connections.target import Target
from data_load.markers import rows_of, unpromoted
from model import system_columns as sc
from model.ops import PIPELINE_BATCH, RECONCILIATION_SEAL
from model.warehouse import WarehouseTable
from orchestration.reconciliation_results import Check
from scd2.history import batches_of, count_defects, find_defects, layers_agree, mending

_LISTED = 100
_ROWS = 100_000


def history_checks(target: Target, tables: WarehouseTable, batch: int) -> tuple[Check, ...]:
    """All of them, in the order in which they are shown; the seals are renewed. `batch` 0 renews none."""
    return (
        _versions(target, tables),
        _sealed(target, tables, batch),
        _layers(target, tables),
        _batches(target, tables),
        _unpromoted(target, tables),
    )


def _versions(target: Target, tables: WarehouseTable) -> Check:
    """At most one active version a key, no overlap, no gap but after a delete, flags and intervals that agree."""
    began = time.perf_counter()
    with target.engine.connect() as connection:
        versions, found = count_defects(target, connection, tables.bronze)
        listed = find_defects(target, connection, tables.bronze, _LISTED) if found else []
    return Check(
        name="HISTORY",
        compared=versions,
        different=sum(found.values()),
        details={str(defect): count for defect, count in found.items()},
        advice=tuple(f"{mending(target, tables.bronze, one)}  -- {one.defect}" for one in listed),
        seconds=time.perf_counter() - began,
    )


def _sealed(target: Target, tables: WarehouseTable, batch: int) -> Check:
    """Closed versions are what they were when their months were sealed; what has closed since is sealed now."""
    began = time.perf_counter()
    known = _read_seals(target, tables)
    with target.engine.connect() as connection:
        now = target.now(connection)
        columns = sorted(column.name for column in target.columns_of(connection, tables.bronze))
        sealed = seal_versions(_closed_versions(target, connection, tables), columns, now, known)
    if batch:
        _write_seals(target, tables, batch, sealed, now)
    seals = target.own(RECONCILIATION_SEAL)
    return Check(
        name="SEALED",
        compared=sealed.versions,
        different=len(sealed.broken),
        details={"months": ", ".join(f"{month:%Y-%m}" for month in sealed.broken)},
        advice=tuple(_accept(target, seals, tables, month) for month in sealed.broken),
        seconds=time.perf_counter() - began,
    )


def _accept(target: Target, seals: sa.Table, tables: WarehouseTable, month: date) -> str:
    statement = sa.delete(seals).where(*rows_of(seals, tables), seals.c.EndMonth == month)
    text = str(statement.compile(dialect=target.text_dialect, compile_kwargs={"literal_binds": True}))
    return f"{' '.join(text.split())}  -- accepts the versions as they are now"


def _closed_versions(target: Target, connection: sa.Connection, tables: WarehouseTable) -> Iterator[pl.DataFrame]:
    columns = [column for column in target.columns_of(connection, tables.bronze) if column.name != sc.SCD2_KEY]
    bronze = target.table(tables.bronze, (sc.SCD2_KEY, sc.END))
    query = sa.select(bronze.c[sc.SCD2_KEY], *(target.travelling(column) for column in columns)).select_from(bronze)
    for frame in target.read_many(connection, query.where(bronze.c[sc.END].is_not(None)), _ROWS):
        yield frame.rename(dict(zip(frame.columns, (sc.SCD2_KEY, *(column.name for column in columns)), strict=True)))


def _read_seals(target: Target, tables: WarehouseTable) -> dict[date, Seal]:
    seals = target.own(RECONCILIATION_SEAL)
    with target.engine.connect() as connection:
        rows = connection.execute(sa.select(seals).where(*rows_of(seals, tables))).all()
    return {
        row.EndMonth: Seal(
            month=row.EndMonth,
            up_to=row.SealedUpTo,
            versions=row.Versions,
            checksum=row.Checksum,
            columns=tuple(json.loads(row.Columns)),
        )
        for row in rows
    }


def _write_seals(target: Target, tables: WarehouseTable, batch: int, sealed: Sealed, now: datetime) -> None:
    renewed = sealed.renewed()
    if not renewed:
        return
    seals = target.own(RECONCILIATION_SEAL)
    rows = [
        {
            "SourceName": tables.source,
            "TableName": tables.table,
            "EndMonth": seal.month,
            "SealedUpTo": seal.up_to,
            "Versions": seal.versions,
            "Checksum": seal.checksum,
            "Columns": json.dumps(seal.columns, ensure_ascii=False),
            "BatchId": batch,
            "SealedAt": now,
        }
        for seal in renewed
    ]
    with target.recorder.begin() as connection:
        old = seals.c.EndMonth.in_([seal.month for seal in renewed])
        connection.execute(sa.delete(seals).where(*rows_of(seals, tables), old))
        connection.execute(sa.insert(seals), rows)


def _layers(target: Target, tables: WarehouseTable) -> Check:
    began = time.perf_counter()
    with target.engine.connect() as connection:
        found = layers_agree(target, connection, tables)
    details = {"only in Stage": found.only_stage, "only in Bronze": found.only_bronze, "other hash": found.other_hash}
    return Check(
        name="STAGE_BRONZE", compared=found.keys, different=found.different, details=details, seconds=time.perf_counter() - began
    )


def _batches(target: Target, tables: WarehouseTable) -> Check:
    began = time.perf_counter()
    batches = target.own(PIPELINE_BATCH)
    with target.engine.connect() as connection:
        named = batches_of(target, connection, tables)
        known = set(connection.execute(sa.select(batches.c.BatchId)).scalars())
    unknown = sorted(named - known)
    details = {"batches that ops does not know": ", ".join(map(str, unknown[:_LISTED]))}
    return Check(
        name="BATCHES", compared=len(named), different=len(unknown), details=details, seconds=time.perf_counter() - began
    )


def _unpromoted(target: Target, tables: WarehouseTable) -> Check:
    began = time.perf_counter()
    pending = [one.promotion.batch for one in unpromoted(target, tables)]
    details = {"batches that Bronze does not hold whole (the next load promotes them)": ", ".join(map(str, pending))}
    seconds = time.perf_counter() - began
    return Check(name="UNPROMOTED", compared=len(pending), different=len(pending), details=details, seconds=seconds)
