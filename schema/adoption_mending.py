"""The SQL that would mend what keeps a predecessor's two tables from agreeing: shown to people, and run by nobody here.

Set-based, over the key's own columns, for there are no key hashes yet: no key of a customer stands in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connections.target import Target
from model import system_columns as sc
from model.ops import INSTANT
from model.warehouse import WarehouseTable
from schema.rekey import Layer


def keep_newest(target: Target, tables: WarehouseTable, layer: Layer) -> str:
    """Of several current rows of a key close all but the newest, each when the next one begins."""
    begins, ends = _instants(layer)
    stored = target.table(layer.name, dict.fromkeys((*tables.keys, layer.flag, begins, ends)))
    newer = stored.alias("newer")
    later = (*_same_key(tables, stored, newer), newer.c[layer.flag] == sa.true(), newer.c[begins] > stored.c[begins])
    first = sa.select(sa.func.min(newer.c[begins])).where(*later).scalar_subquery()
    statement = sa.update(stored).values({ends: first, layer.flag: sa.false()})
    return _text(target, statement.where(stored.c[layer.flag] == sa.true(), sa.exists(sa.select(newer.c[begins]).where(*later))))


def close_orphans(target: Target, tables: WarehouseTable, layer: Layer, other: Layer, now: datetime) -> str:
    """Close a layer's current rows whose key is not current in the other one; a run then brings what the source has of them."""
    _, ends = _instants(layer)
    stored = target.table(layer.name, dict.fromkeys((*tables.keys, layer.flag, ends, sc.SCD2_OPERATION)))
    there = target.table(other.name, dict.fromkeys((*tables.keys, other.flag))).alias("there")
    known = sa.exists(sa.select(there.c[other.flag]).where(*_same_key(tables, stored, there), there.c[other.flag] == sa.true()))
    values: dict[str, sa.ColumnElement[Any]] = {ends: sa.literal(now, INSTANT), layer.flag: sa.false()}
    if layer.row_hash == sc.BRONZE_HASH:
        values[sc.SCD2_OPERATION] = sa.literal_column("'D'")
    return _text(target, sa.update(stored).values(values).where(stored.c[layer.flag] == sa.true(), ~known))


def _instants(layer: Layer) -> tuple[str, str]:
    return (sc.CDC_VALID_FROM, sc.CDC_VALID_TO) if layer.row_hash == sc.ROW_HASH else (sc.EFFECTIVE, sc.END)


def _same_key(tables: WarehouseTable, one: sa.TableClause, other: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    return [one.c[name] == other.c[name] for name in tables.keys]


def _text(target: Target, statement: sa.Update) -> str:
    return " ".join(str(statement.compile(dialect=target.text_dialect, compile_kwargs={"literal_binds": True})).split())
