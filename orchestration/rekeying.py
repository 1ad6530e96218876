"""`--rekey SOURCE.TABLE`: another key for a history that is there, shown first and done with `--yes`.

The order makes it one that can end anywhere: the new layout is stored first, and from then on no run loads the table, for two
layouts have two keys; then rows are changed, Stage and Bronze, away and home; at last the older layouts are given the new key.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import sqlalchemy as sa

from connections.target import Session
from extract.spool import Spool
from model.errors import SchemaEvolutionError
from model.types import Column
from model.warehouse import WarehouseTable
from model.widening import Widening
from orchestration.extraction import columns_of, stored_as
from orchestration.hash_layouts import Layouts, is_catalogues, read_layouts, register_layout, rewrite_keys
from orchestration.healing import heal
from orchestration.masking import layout_for
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.shown_first import GIVE_YES, Say, run_one_by_one
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig
from schema.altering import alter_column
from schema.column_sync import TableKey, mark_key
from schema.evolution import Widened
from schema.rekey import (
    Layer,
    Pass,
    collisions,
    key_conversions,
    layers,
    left_to_do,
    read_rehashed,
    write_hashes,
)
from schema.staging_cleanup import drop_dead_staging, drop_staging

LOG = logging.getLogger("udm.rekey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekey:
    """What is to be done: the table with its new key, the layouts, and key columns that need another type, by layer."""

    tables: WarehouseTable
    key: TableKey
    layouts: Layouts
    conversions: tuple[tuple[Layer, tuple[tuple[Column, Column], ...]], ...]

    @property
    def before(self) -> str:
        """The key or keys that the history has, as its layouts say."""
        keys = {other.key_names: None for identity, other in self.layouts.known.items() if identity}
        return " or ".join(", ".join(names) for names in keys) or "none"

    @property
    def is_done(self) -> bool:
        """Whether every layout has the new key."""
        return all(other.keys == self.layouts.layout.keys for other in self.layouts.known.values())


def run_rekey(run: RunContext, configs: Sequence[TableConfig], *, say: Say) -> list[TableResult]:
    """Re-key the tables, one after the other; a dry run shows the plan alone."""
    return run_one_by_one(run, configs, "re-keyed", lambda session, config: _rekey(run, session, config, say))


def _rekey(run: RunContext, session: Session, config: TableConfig, say: Say) -> int:
    target = run.target
    if not run.options.dry_run:
        drop_dead_staging(target, config.warehouse_table(target, run.batch))
        heal(run, session, config)
    plan = _plan(run, config)
    tables = plan.tables
    if plan.is_done:
        say(f"{tables}: the key is {', '.join(tables.keys)} already; nothing is to be done.")
        return 0
    for line in _lines(run, plan):
        say(line)
    if run.options.dry_run:
        say(GIVE_YES)
        return 0
    changed = _apply(run, session, plan)
    say(f"{tables}: the key is {', '.join(tables.keys)} now.")
    return changed


def _apply(run: RunContext, session: Session, plan: Rekey) -> int:
    target, tables, layouts = run.target, plan.tables, plan.layouts
    if not layouts.id:
        identity = register_layout(target, tables, layouts.layout, run.batch, plan.key.catalogue)
        known = {other: layout for other, layout in layouts.known.items() if other}
        layouts = replace(layouts, id=identity, known={**known, identity: layouts.layout})
    _convert(run, plan)
    passes = [(which, layer, current) for which in Pass for layer in layers(tables) for current in (True, False)]
    changed = sum(_change(run, session, tables, layer, layouts, which, current=current) for which, layer, current in passes)
    rewrite_keys(target, tables, layouts)
    if not plan.key.is_users:
        mark_key(target, tables.source, tables.table, tables.keys)
    return changed


def _plan(run: RunContext, config: TableConfig) -> Rekey:
    source = run.settings.sources.get(config.source)
    with SourceReading(run, source) as reading:
        description = reading.extractor().describe(config.source_table)
    tables, rules, key = columns_of(run, config, description)
    layouts = read_layouts(run.target, tables, layout_for(run.settings, tables, rules))
    if is_catalogues(layouts, key) and key.catalogue:
        key = replace(key, columns=key.catalogue)
        tables = config.warehouse_table(run.target, run.batch, stored_as(run.target, rules.stored, key.columns), key.columns)
        layouts = read_layouts(run.target, tables, layout_for(run.settings, tables, rules))
    _check_masks(tables, layouts)
    with run.target.engine.connect() as connection:
        held = [(layer, run.target.columns_of(connection, layer.name)) for layer in layers(tables)]
    return Rekey(
        tables=tables,
        key=key,
        layouts=layouts,
        conversions=tuple((layer, _conversions(run, tables, layer, columns)) for layer, columns in held if columns),
    )


def _check_masks(tables: WarehouseTable, layouts: Layouts) -> None:
    masks = layouts.layout.masks
    if not all(mask.method.keeps_token for mask in masks) or any(other.masks != masks for other in layouts.known.values()):
        raise SchemaEvolutionError(
            f"{tables}: its rows are masked, now or in the history, so that their hashes cannot be had from what is stored.",
            remedy="Load the table under another StageTableName and BronzeTableName, and keep the old tables beside it.",
        )


def _conversions(
    run: RunContext, tables: WarehouseTable, layer: Layer, held: Sequence[Column]
) -> tuple[tuple[Column, Column], ...]:
    lacking = [name for name in tables.keys if name not in {column.name for column in held}]
    if lacking:
        raise SchemaEvolutionError(
            f"{tables}: {layer.name} has no column {', '.join(lacking)}, so the history has no value of the new key.",
            remedy="Load the table under another StageTableName and BronzeTableName, and keep the old tables beside it.",
        )
    possible, others = key_conversions(run.target, tables, held)
    for stored, wanted in others:
        raise SchemaEvolutionError(
            f"{tables}: the key column {wanted.name!r} is {wanted.type} at the source now, and {layer.name} holds it as "
            f"{stored.source_type}, which cannot be converted without a person.",
            remedy=f"Convert it in Stage and Bronze to {run.target.type_text(wanted.type)} by hand, then give the command again.",
        )
    return tuple(possible)


def _lines(run: RunContext, plan: Rekey) -> list[str]:
    """The plan, as it is shown.

    Raises:
        SchemaEvolutionError: current rows would share the new key, or have none.
    """
    tables = plan.tables
    lines = [f"{tables}: the key becomes {', '.join(tables.keys)}; the history has {plan.before}."]
    for layer, pairs in plan.conversions:
        for stored, wanted in pairs:
            wide = run.target.type_text(wanted.type)
            lines.append(f"  alter column {wanted.name!r} of {layer.name} from {stored.source_type} to {wide}")
        if not pairs:
            lines.append(f"  {_check_collisions(run, tables, layer, plan.layouts)}")
    return [*lines, "  Versions keep all that they hold but these hashes. Until this is done no run loads the table."]


def _check_collisions(run: RunContext, tables: WarehouseTable, layer: Layer, layouts: Layouts) -> str:
    with run.target.engine.connect() as connection:
        found = collisions(read_rehashed(run.target, connection, tables, layer, layouts.layout, current=True))
        others = run.target.table(layer.name, ())
        rows = connection.execute(sa.select(sa.func.count()).select_from(others)).scalar_one()
    current, nulls, shared = found
    if nulls or shared:
        raise SchemaEvolutionError(
            f"{tables}: {', '.join(tables.keys)} is no key of the {current:,} current rows of {layer.name}: {nulls:,} have a "
            f"NULL in it, and {shared:,} share it with another row.",
            remedy="If the source has changed since, load the table by the old key once more (see UdmTablesColumnsList), then "
            "give this command again. Else choose a key that tells rows apart.",
        )
    return f"new key hashes for {rows:,} rows of {layer.name}, and new row hashes for the {current:,} current ones of them"


def _convert(run: RunContext, plan: Rekey) -> None:
    """Give key columns their new types, then look again for rows that would share a key."""
    target = run.target
    for layer, pairs in plan.conversions:
        for stored, wanted in pairs:
            after = target.type_text(wanted.type)
            change = Widened(
                column=wanted.name, before=stored.source_type, wanted=wanted.type, after=after, how=Widening.REWRITE
            )
            run.retry.ops(f"altering column {wanted.name!r} of {layer.name}", partial(alter_column, target, layer.name, change))
        if pairs:
            _check_collisions(run, plan.tables, layer, plan.layouts)


def _change(
    run: RunContext, session: Session, tables: WarehouseTable, layer: Layer, layouts: Layouts, which: Pass, *, current: bool
) -> int:
    """One pass over a layer's current rows, or the others: read whole, then written in batches of a transaction each."""
    changed = 0
    with Spool(run.spool_folder, run.settings.spool_bytes) as spool:
        with run.target.engine.connect() as connection:
            for frame in read_rehashed(run.target, connection, tables, layer, layouts.layout, current=current):
                run.cancellation.check()
                spool.append(left_to_do(frame, layouts.id, which, current=current))
        for frame in spool.frames():
            run.cancellation.check()
            write = partial(write_hashes, run.target, session, tables, layer, frame, layouts.id, run.spool_folder.new_table)
            run.retry.transaction(partial(write, current=current), lambda: False)
            changed += frame.height
            LOG.info("%s: %s: %d rows changed %s", tables, layer.name, changed, which.value)
    drop_staging(run.target, tables.staging)
    return changed
