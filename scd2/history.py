"""Whether a history holds together, as set-based SQL: versions of a key follow one another, at most one of them active.

What is found is only reported: which of two versions is right, and what a gap once held, is for a person to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from connections.target import Target
from model import system_columns as sc
from model.names import TableName
from model.warehouse import WarehouseTable


class Defect(StrEnum):
    """What is wrong with a version, or between it and the next one of its key; the first that fits."""

    TWO_ACTIVE = "TWO_ACTIVE"
    FLAG = "FLAG"
    INTERVAL = "INTERVAL"
    OVERLAP = "OVERLAP"
    GAP = "GAP"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectiveVersion:
    """A version by its surrogate key, its interval, and the next version of its key, if there is one."""

    defect: Defect
    version: int
    start: datetime
    end: datetime | None
    next_version: int | None
    next_start: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersAgree:
    """Keys current in Stage against keys active in Bronze, by their stored hashes."""

    keys: int
    only_stage: int
    only_bronze: int
    other_hash: int

    @property
    def different(self) -> int:
        """Keys on which the two disagree."""
        return self.only_stage + self.only_bronze + self.other_hash


def count_defects(target: Target, connection: sa.Connection, bronze: TableName) -> tuple[int, dict[Defect, int]]:
    """Versions looked at, and how many have which defect."""
    table = target.table(bronze, (sc.SCD2_KEY,))
    versions = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    judged = _judged(target, bronze)
    query = sa.select(judged.c.defect, sa.func.count()).where(judged.c.defect.is_not(None)).group_by(judged.c.defect)
    return versions, dict(sorted((Defect(defect), count) for defect, count in connection.execute(query)))


def find_defects(target: Target, connection: sa.Connection, bronze: TableName, limit: int) -> list[DefectiveVersion]:
    """Up to `limit` of the versions that have one."""
    versions = _judged(target, bronze)
    columns = (versions.c[name] for name in ("defect", sc.SCD2_KEY, sc.EFFECTIVE, sc.END, "next_version", "next_start"))
    query = sa.select(*columns).where(versions.c.defect.is_not(None)).order_by(versions.c[sc.SCD2_KEY]).limit(limit)
    return [
        DefectiveVersion(defect=Defect(defect), version=version, start=start, end=end, next_version=following, next_start=begins)
        for defect, version, start, end, following, begins in connection.execute(query)
    ]


def _judged(target: Target, bronze: TableName) -> sa.Subquery:
    """Versions with the next one of their key and their defect, NULL where there is none; none of keys that cannot have one."""
    table = target.table(bronze, (sc.SCD2_KEY, sc.KEY_HASH, sc.EFFECTIVE, sc.END, sc.ACTIVE, sc.SCD2_OPERATION))
    start, end, active = (table.c[name] for name in (sc.EFFECTIVE, sc.END, sc.ACTIVE))
    ended = sa.case((end.is_(None), 1), else_=0)
    order = (start, ended, end, table.c[sc.SCD2_KEY])

    def following(column: sa.ColumnElement[object]) -> sa.ColumnElement[object]:
        return sa.func.lead(column).over(partition_by=table.c[sc.KEY_HASH], order_by=order)

    query = sa.select(
        *(table.c[name] for name in (sc.SCD2_KEY, sc.EFFECTIVE, sc.END, sc.ACTIVE, sc.SCD2_OPERATION)),
        following(start).label("next_start"),
        following(active).label("next_active"),
        following(table.c[sc.SCD2_KEY]).label("next_version"),
    )
    pairs = query.where(table.c[sc.KEY_HASH].in_(_suspects(table))).subquery("pairs")
    return sa.select(pairs, _defect(pairs).label("defect")).subquery("judged")


def _suspects(table: sa.TableClause) -> sa.CompoundSelect[bytes]:
    """Keys, some of them twice, whose versions are not just one, open and active: those of the others need not be sorted."""
    key, active = table.c[sc.KEY_HASH], table.c[sc.ACTIVE]
    closed = sa.select(key).where(sa.or_(active == sa.false(), table.c[sc.END].is_not(None)))
    # Without a word of the end, for an index over the active versions answers this.
    several = sa.select(key).where(active == sa.true()).group_by(key).having(sa.func.count() > 1)
    return sa.union_all(closed, several)


def _defect(pairs: sa.Subquery) -> sa.ColumnElement[str]:
    start, end, following = pairs.c[sc.EFFECTIVE], pairs.c[sc.END], pairs.c.next_start
    active, closed = pairs.c[sc.ACTIVE] == sa.true(), pairs.c[sc.ACTIVE] == sa.false()
    not_deleted = pairs.c[sc.SCD2_OPERATION] != sa.literal_column("'D'")
    conditions = {
        Defect.TWO_ACTIVE: sa.and_(active, pairs.c.next_active == sa.true()),
        Defect.FLAG: sa.or_(sa.and_(active, end.is_not(None)), sa.and_(closed, end.is_(None))),
        Defect.INTERVAL: end <= start,
        Defect.OVERLAP: sa.or_(sa.and_(end.is_(None), following.is_not(None)), following < end),
        Defect.GAP: sa.and_(not_deleted, end.is_not(None), sa.or_(following > end, following.is_(None))),
    }
    return sa.case(*((condition, sa.literal_column(f"'{defect}'")) for defect, condition in conditions.items()))


def mending(target: Target, bronze: TableName, found: DefectiveVersion) -> str:
    """The SQL that would mend a defect if the later version is right; nobody executes it."""
    table = target.table(bronze, (sc.SCD2_KEY, sc.EFFECTIVE, sc.END, sc.ACTIVE, sc.SCD2_OPERATION))
    this = table.c[sc.SCD2_KEY] == sa.literal_column(str(found.version))
    update = sa.update(table).where(this)
    statement: sa.Update | sa.Delete
    if found.defect is Defect.FLAG and (found.end is not None or found.next_start is None):
        statement = update.values({sc.ACTIVE: sa.true() if found.end is None else sa.false()})
    elif found.next_start is not None and found.next_start <= found.start:
        statement = sa.delete(table).where(this)
    elif found.defect is Defect.INTERVAL and found.next_start is None:
        statement = update.values({sc.END: sa.null(), sc.ACTIVE: sa.true()})
    elif found.next_start is None:
        statement = update.values({sc.SCD2_OPERATION: sa.literal_column("'D'")})
    else:
        statement = update.values({sc.END: sa.literal_column(f"'{found.next_start}'"), sc.ACTIVE: sa.false()})
    text = str(statement.compile(dialect=target.text_dialect, compile_kwargs={"literal_binds": True}))
    return " ".join(text.split())


def layers_agree(target: Target, connection: sa.Connection, tables: WarehouseTable) -> LayersAgree:
    """Stage's current rows against Bronze's active versions, by key and stored row hash."""
    of_stage, of_bronze = agreement(target, tables)
    in_stage, only_stage, other = connection.execute(of_stage).one()
    only_bronze = connection.execute(of_bronze).scalar_one()
    return LayersAgree(keys=in_stage + only_bronze, only_stage=int(only_stage), only_bronze=only_bronze, other_hash=int(other))


def agreement(target: Target, tables: WarehouseTable) -> tuple[sa.Select[int, int, int], sa.Select[int]]:
    """The queries of Stage's keys, those that it alone has, and those with two hashes; and of those that Bronze alone has.

    Two joins and no full one, of which not every server is capable where keys are binary.
    """
    stage = _current(target, tables.stage, sc.ROW_HASH, sc.CDC_IS_CURRENT, "s")
    bronze = _current(target, tables.bronze, sc.BRONZE_HASH, sc.ACTIVE, "b")

    def count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

    same_key = stage.c.key_hash == bronze.c.key_hash
    of_stage = sa.select(sa.func.count(), count(bronze.c.key_hash.is_(None)), count(stage.c.row_hash != bronze.c.row_hash))
    of_bronze = sa.select(sa.func.count()).select_from(bronze)
    return (
        of_stage.select_from(stage.outerjoin(bronze, same_key)),
        of_bronze.where(~sa.exists(sa.select(sa.literal_column("1")).select_from(stage).where(same_key))),
    )


def _current(target: Target, name: TableName, row_hash: str, flag: str, alias: str) -> sa.Subquery:
    table = target.table(name, (sc.KEY_HASH, row_hash, flag))
    rows = sa.select(table.c[sc.KEY_HASH].label("key_hash"), table.c[row_hash].label("row_hash"))
    return rows.where(table.c[flag] == sa.true()).subquery(alias)


def batches_of(target: Target, connection: sa.Connection, tables: WarehouseTable) -> set[int]:
    """Every batch that a row of Stage or Bronze names."""
    named: Sequence[tuple[TableName, str]] = (
        (tables.stage, sc.CDC_BATCH_ID),
        (tables.bronze, sc.BATCH_ID),
        (tables.bronze, sc.END_BATCH_ID),
    )
    found: set[int] = set()
    for name, column in named:
        stored = target.table(name, (column,)).c[column]
        found.update(connection.execute(sa.select(stored).where(stored.is_not(None)).distinct()).scalars())
    return found
