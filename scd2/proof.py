"""What a promotion proves before it commits: the versions that came out are those announced, and none has a rival."""

from __future__ import annotations

import sqlalchemy as sa

from connections.target import Target
from data_load.chunks import within
from model import system_columns as sc
from model.chunks import WHOLE, KeyRange
from model.errors import IntegrityError
from model.warehouse import Promotion, WarehouseTable


def check_counts(
    target: Target,
    connection: sa.Connection,
    tables: WarehouseTable,
    promotion: Promotion,
    changes: sa.FromClause,
    keys: KeyRange,
) -> None:
    """Compare the versions opened and closed with the batch's counts; of a chunk, with those of its range of the changes too.

    Raises:
        IntegrityError: they differ.
    """
    whole = (promotion.inserted + promotion.updated, promotion.updated + promotion.deleted)
    if keys.of > 1:
        _compare(target, connection, tables, promotion, _announced(connection, changes), keys)
    if keys.is_last:
        _compare(target, connection, tables, promotion, whole, WHOLE)


def _announced(connection: sa.Connection, changes: sa.FromClause) -> tuple[int, int]:
    operation = changes.c[sc.CDC_OPERATION]
    rows = connection.execute(sa.select(operation, sa.func.count()).group_by(operation))
    counts: dict[str, int] = {name: count for name, count in rows}  # noqa: C416 - rows are no tuples to mypy
    inserted, updated, deleted = (counts.get(name, 0) for name in ("I", "U", "D"))
    return inserted + updated, updated + deleted


def _compare(
    target: Target,
    connection: sa.Connection,
    tables: WarehouseTable,
    promotion: Promotion,
    wanted: tuple[int, int],
    keys: KeyRange,
) -> None:
    bronze = target.table(tables.bronze, (sc.KEY_HASH, sc.BATCH_ID, sc.END_BATCH_ID, sc.ACTIVE))
    batch = sa.literal(promotion.batch, sa.BigInteger)
    in_range = within(target, bronze.c[sc.KEY_HASH], keys)
    opened = sa.select(sa.func.count()).where(bronze.c[sc.BATCH_ID] == batch, bronze.c[sc.ACTIVE] == sa.true(), *in_range)
    closed = sa.select(sa.func.count()).where(bronze.c[sc.END_BATCH_ID] == batch, *in_range)
    found = (connection.execute(opened).scalar_one(), connection.execute(closed).scalar_one())
    if found != wanted:
        part = "" if keys.of == 1 else f", chunk {keys.number} of {keys.of},"
        raise IntegrityError(
            f"{tables}: batch {promotion.batch}{part} should open {wanted[0]} and close {wanted[1]} versions in {tables.bronze}, "
            f"but opened {found[0]} and closed {found[1]}.",
            remedy="Nothing of it was promoted to Bronze. Stage and Bronze disagree: run a reconciliation.",
        )


def prove_one_active(
    target: Target, connection: sa.Connection, tables: WarehouseTable, promotion: Promotion, keys: KeyRange, *, first: bool
) -> None:
    """Where no index does it: no key that this batch gave a version has another active one.

    Raises:
        IntegrityError: a key has.
    """
    bronze = target.table(tables.bronze, (sc.KEY_HASH, sc.BATCH_ID, sc.ACTIVE))
    opened, active = bronze.alias("opened"), bronze.alias("active")
    batch = sa.literal(promotion.batch, sa.BigInteger)
    ours = (opened.c[sc.BATCH_ID] == batch, opened.c[sc.ACTIVE] == sa.true(), *within(target, opened.c[sc.KEY_HASH], keys))
    several = sa.select(active.c[sc.KEY_HASH]).where(active.c[sc.ACTIVE] == sa.true())
    if first:
        several = several.where(*within(target, active.c[sc.KEY_HASH], keys))
    else:
        several = several.where(active.c[sc.KEY_HASH].in_(sa.select(opened.c[sc.KEY_HASH]).where(*ours)))
    several = several.group_by(active.c[sc.KEY_HASH]).having(sa.func.count() > 1)
    found = connection.execute(sa.select(sa.func.count()).select_from(several.subquery("several"))).scalar_one()
    if found:
        raise IntegrityError(
            f"{tables}: batch {promotion.batch} would leave {found} keys with more than one active version in {tables.bronze}.",
            remedy="Nothing of it was promoted to Bronze. Stage and Bronze disagree: run a reconciliation.",
        )
