"""SCD2 promotion: one batch's changes become versions in Bronze, set-based and in one transaction, or one a chunk of keys.

INSERT-first (DESIGN.md section 5): the new version of a key that has an active one goes in not yet active, the old one is closed,
the new one is activated, and only then does the transaction commit. A batch is recognised by its id, never by time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from connections.target import Session, Target
from data_load.chunks import Again, once, within
from data_load.index_management import create_one_active_index
from data_load.markers import is_chunk_in, write_marker
from data_load.regions import enclosed
from model import system_columns as sc
from model.chunks import WHOLE, KeyRange, Progress
from model.errors import IntegrityError
from model.ops import INSTANT
from model.region import Region
from model.warehouse import Promotion, WarehouseTable
from scd2.proof import check_counts, prove_one_active

_OPERATION = sc.CDC_OPERATION


def run_scd2(
    target: Target,
    session: Session,
    tables: WarehouseTable,
    promotion: Promotion,
    *,
    from_stage: bool = False,
    progress: Progress = Progress(),  # noqa: B008 - frozen
    again: Again = once,
) -> None:
    """Promote a batch's changes to Bronze, from its staging table or, when healing, from its rows in Stage.

    One transaction, or one each for the chunks that `progress` says remain; `again` runs them.

    Raises:
        IntegrityError: the versions that came out are not those that the batch announces; nothing of the chunk is committed.
    """
    run = _Run(target=target, session=session, tables=tables, promotion=promotion, from_stage=from_stage, region=None)
    run.all(progress, again)


def run_scd2_targeted(
    target: Target,
    session: Session,
    tables: WarehouseTable,
    promotion: Promotion,
    *,
    region: Region | None,
    progress: Progress = Progress(),  # noqa: B008 - frozen
    again: Again = once,
) -> None:
    """The same for the keys of a window's staging table alone, where all versions that are closed lie in `region` of Bronze.

    On servers the keys are looked up by index, so that the cost does not depend on how much Bronze holds.
    """
    run = _Run(target=target, session=session, tables=tables, promotion=promotion, from_stage=False, region=region)
    run.all(progress, again)


@dataclass(slots=True, kw_only=True)
class _Run:
    """The transactions of one promotion. `first` is read with the first of them: Bronze holds no other batch's rows."""

    target: Target
    session: Session
    tables: WarehouseTable
    promotion: Promotion
    from_stage: bool
    region: Region | None
    first: bool | None = None

    def all(self, progress: Progress, again: Again) -> None:
        target, database = self.target, self.target.databases.bronze
        for keys in progress.remaining():
            again(
                partial(self.promote, keys),
                partial(is_chunk_in, target, self.session, database, self.tables, self.promotion, keys),
            )
        again(self.index, lambda: False)
        if self.first:
            target.settle(self.tables.bronze)
            target.settle(self.tables.stage)

    def promote(self, keys: KeyRange) -> None:
        try:
            self._promote(keys)
        except sa.exc.IntegrityError as error:
            raise IntegrityError(
                f"{self.tables}: {self.tables.bronze} refused batch {self.promotion.batch}: a key would be active twice.",
                remedy="Nothing of it was promoted to Bronze. Stage and Bronze disagree: run a reconciliation.",
            ) from error

    def _promote(self, keys: KeyRange) -> None:
        target, tables, promotion = self.target, self.tables, self.promotion
        with self.session.begin() as connection:
            first = self._is_first(connection, keys) if self.first is None else self.first
            changes = changes_of(target, tables, promotion, keys, from_stage=self.from_stage)
            for statement in scd2_statements(target, tables, promotion, changes, first=first, region=self.region):
                connection.execute(statement)
            check_counts(target, connection, tables, promotion, changes, keys)
            if target.one_active_index(tables.bronze, sc.KEY_HASH, sc.ACTIVE) is None:
                prove_one_active(target, connection, tables, promotion, keys, first=first)
            write_marker(target, connection, target.databases.bronze, tables, promotion, keys)
        self.first = first

    def _is_first(self, connection: sa.Connection, keys: KeyRange) -> bool:
        bronze = self.target.table(self.tables.bronze, (sc.SCD2_KEY, sc.BATCH_ID))
        query = sa.select(bronze.c[sc.SCD2_KEY])
        if keys.number > 1:
            query = query.where(bronze.c[sc.BATCH_ID] != sa.literal(self.promotion.batch, sa.BigInteger))
        return connection.execute(query.limit(1)).first() is None

    def index(self) -> None:
        with self.session.begin() as connection:
            create_one_active_index(self.target, connection, self.tables.bronze)


def scd2_statements(
    target: Target,
    tables: WarehouseTable,
    promotion: Promotion,
    changes: sa.FromClause,
    *,
    first: bool,
    region: Region | None = None,
) -> Iterator[sa.Executable]:
    """The promotion's statements in their order; those that can change nothing are left out.

    `first`: Bronze held nothing before this batch, so that no key of it need be looked up.
    """
    bronze = target.table(tables.bronze, (*tables.stored_names, *sc.BRONZE_SYSTEM))
    instant = sa.literal(promotion.instant, INSTANT)
    batch = sa.literal(promotion.batch, sa.BigInteger)
    is_active = sa.and_(bronze.c[sc.ACTIVE] == sa.true(), *enclosed(target, bronze, region))
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

    Stage says which is which. Where Bronze should disagree the proof of one active version or `check_counts` stops the
    transaction.
    """
    before = bronze.alias("before")
    # What Stage calls an insert and Bronze knows was deleted last: only those few versions need be looked through.
    deleted = before.c[sc.SCD2_OPERATION] == sa.literal_column("'D'")
    known = sa.exists().where(before.c[sc.KEY_HASH] == changes.c[sc.KEY_HASH], deleted)
    updates = changes.c[_OPERATION] == sa.literal_column("'U'")
    operation = sa.case((updates, sa.literal_column("'U'")), (known, sa.literal_column("'R'")), else_=sa.literal_column("'I'"))
    return operation, sa.case((updates, sa.false()), else_=sa.true())


def changes_of(
    target: Target, tables: WarehouseTable, promotion: Promotion, keys: KeyRange = WHOLE, *, from_stage: bool
) -> sa.FromClause:
    """The batch's changes to a range of keys, a row each: from its staging table, or from Stage."""
    return _staged_in_stage(target, tables, promotion, keys) if from_stage else _staged(target, tables, keys)


def _staged(target: Target, tables: WarehouseTable, keys: KeyRange) -> sa.FromClause:
    staging = target.table(tables.staging, (*tables.names, *sc.STAGING_SYSTEM))
    columns = [staging.c[name] for name in (*tables.names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
    operation = staging.c[sc.CDC_OPERATION].label(_OPERATION)
    number = target.row_number(tables.names)
    rows = sa.select(*columns, operation, *_labelled(number))
    return rows.where(*within(target, staging.c[sc.KEY_HASH], keys)).subquery("changes")


def _staged_in_stage(target: Target, tables: WarehouseTable, promotion: Promotion, keys: KeyRange) -> sa.FromClause:
    stage = target.table(tables.stage, (*tables.stored_names, *sc.STAGE_SYSTEM))
    columns = [stage.c[name] for name in (*tables.stored_names, sc.KEY_HASH, sc.ROW_HASH, sc.HASH_LAYOUT)]
    operation = stage.c[sc.CDC_OPERATION].label(_OPERATION)
    numbered = target.row_number(tables.names) is not None
    # Stage's rows are numbered over all its batches: the batch's own are counted, as they were in its staging table.
    rows = sa.select(*columns, operation, *_labelled(sa.func.row_number().over() if numbered else None))
    of_batch = stage.c[sc.CDC_BATCH_ID] == sa.literal(promotion.batch, sa.BigInteger)
    return rows.where(of_batch, *within(target, stage.c[sc.KEY_HASH], keys)).subquery("changes")


def _labelled(number: sa.ColumnElement[int] | None) -> list[sa.ColumnElement[int]]:
    return [] if number is None else [number.label(sc.POSITION)]
