"""The SQL that would mend what only a person may decide of current rows: several of one key in Stage, or another key's hash.

Rows are named by their stored hashes and instants, never by values. Several active versions in Bronze are the history's to list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import sqlalchemy as sa

from cdc.diff import as_bytes
from cdc.reconciliation.rows import KIND, LAYER, Difference, Layer
from cdc.reconciliation.segments import KEY_LIES, KEY_STORED
from connections.target import Target
from model import system_columns as sc
from model.warehouse import WarehouseTable
from orchestration.reconciliation_sides import FLAG, name_of
from orchestration.reconciliation_values import Group

_LISTED = 100


@dataclass(slots=True, kw_only=True)
class Undecided:
    """The first keys of which Stage holds several rows; the first rows under another key's hash: that one and their own."""

    doubled: list[bytes] = field(default_factory=list)
    lying: dict[Layer, list[tuple[bytes, bytes]]] = field(default_factory=lambda: {layer: [] for layer in Layer})

    def take(self, group: Group) -> None:
        """Note what a group has of them."""
        of_stage = (pl.col(KIND) == str(Difference.DUPLICATE)) & (pl.col(LAYER) == str(Layer.STAGE))
        if room := _LISTED - len(self.doubled):
            keys = group.differences.filter(of_stage).get_column(sc.KEY_HASH).unique().head(room)
            self.doubled += as_bytes(keys).to_list()
        for layer, found in self.lying.items():
            rows = group.layers[layer].filter(pl.col(KEY_LIES)).head(_LISTED - len(found))
            found.extend(zip(*(as_bytes(rows.get_column(name)).to_list() for name in (KEY_STORED, sc.KEY_HASH)), strict=True))


def advice_for(target: Target, tables: WarehouseTable, layer: Layer, undecided: Undecided) -> tuple[str, ...]:
    """A statement a row, with what it goes by."""
    mending = _Mending(target=target, table=target.table(name_of(tables, layer), (*tables.names, *_names(layer))), layer=layer)
    with target.engine.connect() as connection:
        lines = [mending.under_right_hash(connection, stored, right) for stored, right in undecided.lying[layer]]
        if layer is Layer.STAGE:
            lines += [line for key in undecided.doubled for line in mending.one_current(connection, key)]
    return tuple(lines)


def _names(layer: Layer) -> Sequence[str]:
    since = sc.CDC_VALID_FROM if layer is Layer.STAGE else sc.EFFECTIVE
    more = (sc.CDC_VALID_TO, sc.CDC_BATCH_ID) if layer is Layer.STAGE else ()
    return (sc.KEY_HASH, FLAG[layer], since, *more)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mending:
    target: Target
    table: sa.TableClause
    layer: Layer

    def under_right_hash(self, connection: sa.Connection, stored: bytes, right: bytes) -> str:
        """Give a row its own key's hash."""
        conditions = self._current(stored)
        rows = connection.execute(sa.select(sa.func.count()).select_from(self.table).where(*conditions)).scalar_one()
        update = sa.update(self.table).where(*conditions).values({sc.KEY_HASH: self.target.binary_literal(right)})
        unsure = "" if rows == 1 else f": {rows} rows carry this hash; name the wrong one by its key beside it"
        return f"{self._text(update)}  -- {Difference.KEY_HASH}{unsure}"

    def one_current(self, connection: sa.Connection, key: bytes) -> Iterator[str]:
        """End every current row of a key but the latest."""
        columns = [self.table.c[name] for name in (sc.CDC_VALID_FROM, sc.CDC_BATCH_ID)]
        query = sa.select(*columns).where(*self._current(key)).order_by(*columns)
        *earlier, (latest, batch) = connection.execute(query).all()
        for start, of_batch in dict.fromkeys((row[0], row[1]) for row in earlier):
            since, of = (self.table.c[name] for name in (sc.CDC_VALID_FROM, sc.CDC_BATCH_ID))
            one = (*self._current(key), since == self._instant(start), of == sa.literal_column(str(of_batch)))
            copies = sum((row[0], row[1]) == (start, of_batch) for row in earlier)
            if (start, of_batch) == (latest, batch):
                yield f"{self._text(self.target.delete_some(self.table, one, copies))}  -- {Difference.DUPLICATE}, a copy"
                continue
            ended = {FLAG[self.layer]: sa.false(), sc.CDC_VALID_TO: self._instant(latest)}
            yield f"{self._text(sa.update(self.table).where(*one).values(ended))}  -- {Difference.DUPLICATE}"

    def _current(self, key: bytes) -> tuple[sa.ColumnElement[bool], ...]:
        return (self.table.c[sc.KEY_HASH] == self.target.binary_literal(key), self.table.c[FLAG[self.layer]] == sa.true())

    @staticmethod
    def _instant(value: Any) -> sa.ColumnElement[Any]:
        return sa.literal_column(f"'{value}'")

    def _text(self, statement: sa.Update | sa.Delete) -> str:
        text = str(statement.compile(dialect=self.target.text_dialect, compile_kwargs={"literal_binds": True}))
        return " ".join(text.split())
