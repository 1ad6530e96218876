"""SCD2 promotion: one batch's changes become versions in Bronze, set-based and in one transaction.

INSERT-first (DESIGN.md section 5): the new version of a key that has an active one goes in not yet active, the old one is closed,
the new one is activated, and only then does the transaction commit. A batch is recognised by its id, never by time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from connections.target import Session, Target
from data_load.index_management import create_one_active_index
from data_load.markers import write_marker
from model import system_columns as sc
from model.errors import IntegrityError
from model.ops import INSTANT
from model.warehouse import Promotion, WarehouseTable

_OPERATION = sc.CDC_OPERATION


def run_scd2(
    target: Target, session: Session, tables: WarehouseTable, promotion: Promotion, *, from_stage: bool = False
) -> None:
    """Promote a batch's changes to Bronze, from its staging table or, when healing, from its rows in Stage.

    Raises:
        IntegrityError: the versions that came out are not those that the batch announces; nothing is committed.
    """
    with session.begin() as connection:
        bronze = target.table(tables.bronze, (sc.SCD2_KEY,))
        first = connection.execute(sa.select(bronze.c[sc.SCD2_KEY]).limit(1)).first() is None
        for statement in scd2_statements(target, tables, promotion, from_stage=from_stage, first=first):
            connection.execute(statement)
        _check(target, connection, tables, promotion)
        write_marker(target, connection, target.databases.bronze, tables, promotion)
    with session.begin() as connection:
        create_one_active_index(target, connection, tables.bronze)
    if first:
        target.settle(tables.bronze)
        target.settle(tables.stage)


def scd2_statements(
    target: Target, tables: WarehouseTable, promotion: Promotion, *, from_stage: bool, first: bool
) -> Iterator[sa.Executable]:
    """The promotion's statements in their order; those that can change nothing are left out.

    `first`: Bronze is empty, so that no key of it need be looked up.
    """
    bronze = target.table(tables.bronze, (*tables.stored_names, *sc.BRONZE_SYSTEM))
    changes = _staged_in_stage(target, tables, promotion) if from_stage else _staged(target, tables)
    instant = sa.literal(promotion.instant, INSTANT)
    batch = sa.literal(promotion.batch, sa.BigInteger)
    is_active = bronze.c[sc.ACTIVE] == sa.true()
    if promotion.inserted or promotion.updated:
        yield _insert_versions(target, tables, bronze, changes, instant, batch, first=first)
    if promotion.updated or promotion.deleted:
        deleted = changes.c[_OPERATION] == sa.literal_column("'D'")
        yield (
            sa.update(bronze)
            .values(
                {
                    sc.END: instant,
                    sc.ACTIVE: sa.false(),
                    sc.END_BATCH_ID: batch,
                    sc.SCD2_OPERATION: sa.case((deleted, sa.literal_column("'D'")), else_=bronze.c[sc.SCD2_OPERATION]),
                }
            )
            .where(is_active, bronze.c[sc.KEY_HASH] == changes.c[sc.KEY_HASH], bronze.c[sc.BATCH_ID] != batch)
        )
    if promotion.updated:
        waiting = (bronze.c[sc.BATCH_ID] == batch, bronze.c[sc.ACTIVE] == sa.false(), bronze.c[sc.END].is_(None))
        yield sa.update(bronze).values({sc.ACTIVE: sa.true()}).where(*waiting)


def _insert_versions(
    target: Target,
    tables: WarehouseTable,
    bronze: sa.TableClause,
    changes: sa.FromClause,
    instant: sa.ColumnElement[Any],
    batch: sa.ColumnElement[Any],
    *,
    first: bool,
) -> sa.Insert:
    operation, is_active = _first_version() if first else _next_version(bronze, changes)
    names = [name for name in tables.stored_names if name in changes.c]
    values: dict[str, sa.ColumnElement[Any]] = {name: changes.c[name] for name in names}
    values |= {
        sc.KEY_HASH: changes.c[sc.KEY_HASH],
        sc.BRONZE_HASH: changes.c[sc.ROW_HASH],
        sc.HASH_LAYOUT: changes.c[sc.HASH_LAYOUT],
        sc.EFFECTIVE: instant,
        sc.ACTIVE: is_active,
        sc.SCD2_OPERATION: operation,
        sc.BATCH_ID: batch,
    }
    surrogate = target.surrogate_key(bronze)
    if surrogate is not None:
        values = {sc.SCD2_KEY: surrogate, **values}
    rows = sa.select(*values.values()).where(changes.c[_OPERATION] != sa.literal_column("'D'"))
    return sa.insert(bronze).from_select([bronze.c[name] for name in values], rows)


def _first_version() -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    return sa.literal_column("'I'"), sa.true()


def _next_version(bronze: sa.TableClause, changes: sa.FromClause) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """Operation and flag: an update waits for its predecessor to be closed; an insert that Bronze knows came back.

    Stage says which is which. Where Bronze should disagree the one-active index or `_check` stops the transaction.
    """
    before = bronze.alias("before")
    # What Stage calls an insert and Bronze knows was deleted last: only those few versions need be looked through.
    deleted = before.c[sc.SCD2_OPERATION] == sa.literal_column("'D'")
    known = sa.exists().where(before.c[sc.KEY_HASH] == changes.c[sc.KEY_HASH], deleted)
    updates = changes.c[_OPERATION] == sa.literal_column("'U'")
    operation = sa.case((updates, sa.literal_column("'U'")), (known, sa.literal_column("'R'")), else_=sa.literal_column("'I'"))
    return operation, sa.case((updates, sa.false()), else_=sa.true())


def _staged(target: Target, tables: WarehouseTable) -> sa.FromClause:
    staging = target.table(tables.staging, (*tables.names, *sc.STAGING_SYSTEM))
    columns = [staging.c[name] for name in (*tables.names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
    return sa.select(*columns, staging.c[sc.CDC_OPERATION].label(_OPERATION)).subquery("changes")


def _staged_in_stage(target: Target, tables: WarehouseTable, promotion: Promotion) -> sa.FromClause:
    stage = target.table(tables.stage, (*tables.stored_names, *sc.STAGE_SYSTEM))
    columns = [stage.c[name] for name in (*tables.stored_names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
    rows = sa.select(*columns, stage.c[sc.CDC_OPERATION].label(_OPERATION))
    return rows.where(stage.c[sc.CDC_BATCH_ID] == sa.literal(promotion.batch, sa.BigInteger)).subquery("changes")


def _check(target: Target, connection: sa.Connection, tables: WarehouseTable, promotion: Promotion) -> None:
    bronze = target.table(tables.bronze, (sc.BATCH_ID, sc.END_BATCH_ID, sc.ACTIVE))
    batch = sa.literal(promotion.batch, sa.BigInteger)
    opened = sa.select(sa.func.count()).where(bronze.c[sc.BATCH_ID] == batch, bronze.c[sc.ACTIVE] == sa.true())
    closed = sa.select(sa.func.count()).where(bronze.c[sc.END_BATCH_ID] == batch)
    found = (connection.execute(opened).scalar_one(), connection.execute(closed).scalar_one())
    wanted = (promotion.inserted + promotion.updated, promotion.updated + promotion.deleted)
    if found != wanted:
        raise IntegrityError(
            f"{tables}: batch {promotion.batch} should open {wanted[0]} and close {wanted[1]} versions in {tables.bronze}, "
            f"but opened {found[0]} and closed {found[1]}.",
            remedy="Nothing was promoted to Bronze. Stage and Bronze disagree: run a reconciliation.",
        )
