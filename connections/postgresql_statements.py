"""The DDL that PostgreSQL's target sends as text: indexes, statistics, storage. tests/golden/postgresql.sql shows all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from model.names import TableName
from model.system_columns import (
    ACTIVE,
    BATCH_ID,
    CDC_BATCH_ID,
    CDC_IS_CURRENT,
    CDC_OPERATION,
    EFFECTIVE,
    END,
    END_BATCH_ID,
    HASH_LAYOUT,
    KEY_HASH,
    SCD2_OPERATION,
)

_LONGEST_PURPOSE = 30
LONGEST_NAME = 63
"""Bytes; PostgreSQL cuts longer names in silence. https://www.postgresql.org/docs/14/limits.html"""
# The current index answers alone for pages that VACUUM has seen since they changed; by default it comes at 20 % of the rows.
STAGE_STORAGE: Mapping[str, Any] = {"postgresql_with": {"autovacuum_vacuum_scale_factor": "0.01"}}
# Without WAL: a crash empties it and ends the batch. Autovacuum would keep it from being dropped for a second.
STAGING_STORAGE: Mapping[str, Any] = {"prefixes": ["UNLOGGED"], "postgresql_with": {"autovacuum_enabled": "off"}}
# The columns that the promotions look rows up by. Autovacuum gathers the statistics of all, be they few or many, in its own time.
STAGING_LOOKED_UP = (KEY_HASH, CDC_OPERATION)
STAGE_LOOKED_UP = (KEY_HASH, HASH_LAYOUT, CDC_IS_CURRENT, CDC_BATCH_ID)
BRONZE_LOOKED_UP = (KEY_HASH, END, ACTIVE, SCD2_OPERATION, BATCH_ID, END_BATCH_ID)


def one_active_index(name: TableName, table: str, key: str, flag: str) -> str:
    """A partial unique index; here and below `table` is the name as SQL has it."""
    return _index(index_name("ux", name.table, "one_active"), table, f"({quoted(key)}) WHERE {quoted(flag)}", unique=True)


def current_index(name: TableName, table: str, key: str, read_back: Sequence[str], flag: str) -> str:
    """A partial unique index that covers what is read back: an index-only scan costs the same however wide the table."""
    body = f"({quoted(key)}) INCLUDE ({listed(read_back)}) WHERE {quoted(flag)}"
    return _index(current_index_name(name), table, body, unique=True)


def current_index_name(stage: TableName) -> str:
    """What `current_index` is called."""
    return index_name("ux", stage.table, "current")


def window_index(name: TableName, table: str, date: str, read_back: Sequence[str], flag: str) -> str:
    """A partial index by date that covers what is read back of a window."""
    body = f"({quoted(date)}) INCLUDE ({listed(read_back)}) WHERE {quoted(flag)}"
    return _index(index_name("ix", name.table, "window"), table, body)


def batch_index(name: TableName, table: str) -> str:
    """Over the batch that opened a version."""
    return _index(index_name("ix", name.table, "batch"), table, f"({quoted(BATCH_ID)})")


def versions_index(name: TableName, table: str) -> str:
    """Over a key's versions in time: what was so at an instant."""
    return _index(index_name("ix", name.table, "versions"), table, f"({listed((KEY_HASH, EFFECTIVE))})")


def sparse_indexes(name: TableName, table: str) -> list[str]:
    """Over deleted and over ended versions, of which a first load has none."""
    bodies = {
        "deleted": f"({quoted(KEY_HASH)}) WHERE {quoted(SCD2_OPERATION)} = 'D'",
        "end_batch": f"({quoted(END_BATCH_ID)}) WHERE {quoted(END_BATCH_ID)} IS NOT NULL",
    }
    return [_index(index_name("ix", name.table, purpose), table, body) for purpose, body in bodies.items()]


def index_name(prefix: str, table: str, purpose: str) -> str:
    """A name of at most 63 bytes; one that would be longer is cut and told apart by a digest of the whole."""
    whole = f"{prefix}_{table}_{purpose}"
    if len(whole.encode()) <= LONGEST_NAME:
        return whole
    digest = hashlib.blake2b(whole.encode(), digest_size=6).hexdigest()
    tail = f"_{digest}_{purpose}" if len(purpose.encode()) <= _LONGEST_PURPOSE else f"_{digest}"
    return whole.encode()[: LONGEST_NAME - len(tail)].decode(errors="ignore") + tail


def _index(index: str, table: str, body: str, *, unique: bool = False) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX IF NOT EXISTS {quoted(index)} ON {table} {body}"


def listed(names: Iterable[str]) -> str:
    """Names as a list of columns."""
    return ", ".join(map(quoted, names))


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'
