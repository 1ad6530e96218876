"""Create Stage and Bronze tables from the source catalogue's types."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from connections.target import Target
from data_load.schema_utils import create_table, typed
from model import system_columns as sc
from model.ops import INSTANT
from model.warehouse import WarehouseTable


def create_stage(target: Target, connection: sa.Connection, tables: WarehouseTable) -> None:
    """The change table: the source's columns, then ours."""
    columns = [*typed(target, tables.columns), *_stage_columns(target)]
    create_table(target, connection, tables.stage, columns, target.stage_storage)


def create_bronze(target: Target, connection: sa.Connection, tables: WarehouseTable) -> None:
    """The history table: its surrogate key, the source's columns, then ours."""
    columns = [target.surrogate_column(), *typed(target, tables.columns), *_bronze_columns(target)]
    create_table(target, connection, tables.bronze, columns)
    for statement in target.sparse_indexes(tables.bronze):
        connection.execute(target.ddl(tables.bronze.database, statement))


def _stage_columns(target: Target) -> list[sa.Column[Any]]:
    return [
        *_hash_columns(target, sc.ROW_HASH),
        sa.Column(sc.EXTRACTED_AT, INSTANT, nullable=False),
        sa.Column(sc.CDC_OPERATION, sa.Unicode(1), nullable=False),
        sa.Column(sc.CDC_VALID_FROM, INSTANT, nullable=False),
        sa.Column(sc.CDC_VALID_TO, INSTANT),
        sa.Column(sc.CDC_IS_CURRENT, sa.Boolean, nullable=False),
        sa.Column(sc.CDC_BATCH_ID, sa.BigInteger, nullable=False),
    ]


def _bronze_columns(target: Target) -> list[sa.Column[Any]]:
    return [
        *_hash_columns(target, sc.BRONZE_HASH),
        sa.Column(sc.EFFECTIVE, INSTANT, nullable=False),
        sa.Column(sc.END, INSTANT),
        sa.Column(sc.ACTIVE, sa.Boolean, nullable=False),
        sa.Column(sc.SCD2_OPERATION, sa.Unicode(1), nullable=False),
        sa.Column(sc.BATCH_ID, sa.BigInteger, nullable=False),
        sa.Column(sc.END_BATCH_ID, sa.BigInteger),
    ]


def _hash_columns(target: Target, row_hash: str) -> list[sa.Column[Any]]:
    return [
        sa.Column(sc.KEY_HASH, target.hash_type(), nullable=False),
        sa.Column(row_hash, target.hash_type(), nullable=False),
        sa.Column(sc.HASH_LAYOUT, sa.BigInteger, nullable=False),
    ]
