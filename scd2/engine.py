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
        if target.one_active_index(tables.bronze, sc.KEY_HASH, sc.ACTIVE) is None:
            _prove_one_active(target, connection, tables, promotion, first=first)
        write_marker(target, connection, target.databases.bronze, tables, promotion)
    with session.begin() as connection:
        create_one_active_index(target, connection, tables.bronze)


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
        yield _insert_versions(tables, bronze, changes, instant, batch, first=first)
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
    if sc.POSITION in changes.c:
        greatest = sa.select(sa.func.coalesce(sa.func.max(bronze.c[sc.SCD2_KEY]), 0)).scalar_subquery()
        values = {sc.SCD2_KEY: greatest + changes.c[sc.POSITION], **values}
    rows = sa.select(*values.values()).where(changes.c[_OPERATION] != sa.literal_column("'D'"))
    return sa.insert(bronze).from_select([bronze.c[name] for name in values], rows)


def _first_version() -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    return sa.literal_column("'I'"), sa.true()


def _next_version(bronze: sa.TableClause, changes: sa.FromClause) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """Operation and flag: an update waits for its predecessor to be closed; an insert that Bronze knows came back.

    Stage says which is which. Where Bronze should disagree the proof of one active version or `_check` stops the transaction.
    """
    before = bronze.alias("before")
    known = sa.exists().where(before.c[sc.KEY_HASH] == changes.c[sc.KEY_HASH])
    updates = changes.c[_OPERATION] == sa.literal_column("'U'")
    operation = sa.case((updates, sa.literal_column("'U'")), (known, sa.literal_column("'R'")), else_=sa.literal_column("'I'"))
    return operation, sa.case((updates, sa.false()), else_=sa.true())


def _staged(target: Target, tables: WarehouseTable) -> sa.FromClause:
    staging = target.table(tables.staging, (*tables.names, *sc.STAGING_SYSTEM))
    columns = [staging.c[name] for name in (*tables.names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
    operation = staging.c[sc.CDC_OPERATION].label(_OPERATION)
    number = target.row_number(tables.names)
    return sa.select(*columns, operation, *_labelled(number)).subquery("changes")


def _staged_in_stage(target: Target, tables: WarehouseTable, promotion: Promotion) -> sa.FromClause:
    stage = target.table(tables.stage, (*tables.stored_names, *sc.STAGE_SYSTEM))
    columns = [stage.c[name] for name in (*tables.stored_names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
    operation = stage.c[sc.CDC_OPERATION].label(_OPERATION)
    numbered = target.row_number(tables.names) is not None
    # Stage's rows are numbered over all its batches: the batch's own are counted, as they were in its staging table.
    rows = sa.select(*columns, operation, *_labelled(sa.func.row_number().over() if numbered else None))
    return rows.where(stage.c[sc.CDC_BATCH_ID] == sa.literal(promotion.batch, sa.BigInteger)).subquery("changes")


def _labelled(number: sa.ColumnElement[int] | None) -> list[sa.ColumnElement[int]]:
    return [] if number is None else [number.label(sc.POSITION)]


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


def _prove_one_active(
    target: Target, connection: sa.Connection, tables: WarehouseTable, promotion: Promotion, *, first: bool
) -> None:
    """Where no index does it: no key that this batch gave a version has another active one."""
    bronze = target.table(tables.bronze, (sc.KEY_HASH, sc.BATCH_ID, sc.ACTIVE))
    opened, active = bronze.alias("opened"), bronze.alias("active")
    batch = sa.literal(promotion.batch, sa.BigInteger)
    keys = sa.select(opened.c[sc.KEY_HASH]).where(opened.c[sc.BATCH_ID] == batch, opened.c[sc.ACTIVE] == sa.true())
    several = sa.select(active.c[sc.KEY_HASH]).where(active.c[sc.ACTIVE] == sa.true())
    if not first:
        several = several.where(active.c[sc.KEY_HASH].in_(keys))
    several = several.group_by(active.c[sc.KEY_HASH]).having(sa.func.count() > 1)
    found = connection.execute(sa.select(sa.func.count()).select_from(several.subquery("several"))).scalar_one()
    if found:
        raise IntegrityError(
            f"{tables}: batch {promotion.batch} would leave {found} keys with more than one active version in {tables.bronze}.",
            remedy="Nothing was promoted to Bronze. Stage and Bronze disagree: run a reconciliation.",
        )
