"""Extract a table, or a part of it, and compare it, frame by frame, while it arrives. Writes nothing to Stage or Bronze."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import polars as pl

from cdc.current import Current
from cdc.diff import Against, Changes, ComparedFrame, Comparison, compare_frame
from cdc.duplicates import POSITION
from cdc.engine import read_current
from connections.target import Target
from extract.extractor import Extractor, SourceDescription, open_extractor
from extract.hashing import in_background, in_order, prefetched
from extract.spool import Spool, compacted
from extract.udm_connectorx_extractor import StoredWindow
from model.conform import conform
from model.errors import IntegrityError, ReservedColumnName
from model.system_columns import check_not_reserved
from model.types import Column
from model.warehouse import WarehouseTable, names_differing_in_case
from orchestration.hash_layouts import Layouts, check_key, find_layout, register_layout, warn_of_clear_history
from orchestration.healing import next_instant
from orchestration.masking import hashing_for, incomparable, layout_for
from orchestration.quarantine import NULL_KEY, Quarantined
from orchestration.run_context import RunContext
from orchestration.table_config import TableConfig
from schema.column_rules import ColumnRules, check_no_rule_is_lost, choose_rules
from schema.column_sync import TableKey, read_listed, table_key
from schema.evolution import LayerPlan, check_layers_agree, likely_renames, plan_evolution

LOG = logging.getLogger("udm.extraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A table as its source and the target have it now: names and columns, the schema changes that are due, masks and layouts."""

    tables: WarehouseTable
    plans: tuple[LayerPlan, LayerPlan]
    rules: ColumnRules
    layouts: Layouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a complete read changes, of how many current rows, and the rows that were set aside."""

    changes: Changes
    current: Current
    quarantined: Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """A complete extract, compared: what it changes, as of which instant (naive UTC), and the schema changes it needs."""

    tables: WarehouseTable
    layouts: Layouts
    plans: tuple[LayerPlan, LayerPlan]
    instant: datetime
    changes: Changes
    active: int
    quarantined: Quarantined


def extract_and_compare(run: RunContext, config: TableConfig, spool: Spool) -> Extracted:
    """Read the source once; rows that are new or differ go to the spool, the others are only counted."""
    source = run.settings.sources.get(config.source)
    with (
        run.connections.one(source, run.cancellation.wait),
        open_extractor(source, run.connections) as extractor,
        run.cancellation.watching(extractor),
    ):
        described = describe_table(run, config, extractor)
        tables, layouts = described.tables, described.layouts
        instant = next_instant(run.target, tables)
        frames = extractor.read(config.source_table, described.rules.columns, run.settings.batch_rows)
        compared = compare_stream(run, described, frames, partial(read_against, run, tables, layouts), spool)
    return Extracted(
        tables=tables,
        layouts=layouts,
        plans=described.plans,
        instant=instant,
        changes=compared.changes,
        active=len(compared.current.keys),
        quarantined=compared.quarantined,
    )


def compare_stream(
    run: RunContext,
    described: Described,
    frames: Iterable[pl.DataFrame],
    read: Callable[[], Against],
    spool: Spool,
    look: Callable[[pl.DataFrame], None] = lambda _: None,
    keep: Callable[[ComparedFrame], ComparedFrame] = lambda frame: frame,
) -> Compared:
    """Compare frames of the source while they arrive with what `read` reads from the target meanwhile.

    `look` is shown each frame in clear, and raises where it must not go on; `keep` says what of a compared one counts.
    """
    tables, rules = described.tables, described.rules
    hashing = hashing_for(run.settings, rules, described.layouts.layout, first=described.plans[0].create)
    comparison, quarantined = Comparison(), Quarantined(limit=run.settings.quarantine_rows)
    with prefetched(frames) as arriving, in_background(read) as against:

        def compared(frame: pl.DataFrame) -> ComparedFrame:
            clear = conform(str(tables), frame, rules.columns)
            look(clear)
            return keep(compare_frame(clear, hashing.hash(clear), hashing, against()))

        for frame in in_order(arriving, compared):
            run.cancellation.check()
            candidates = comparison.see(frame)
            spool.append(candidates if candidates.height * 2 > frame.height else compacted(candidates))
            quarantined.add(NULL_KEY, compacted(frame.null_keys))
            run.reporter.rows_extracted(str(tables), frame.height)
        current = against().current
    changes = comparison.finish(current)
    quarantined.add_conflicts(spool, POSITION, changes.quarantined_positions)
    return Compared(changes=changes, current=current, quarantined=quarantined)


def describe_table(run: RunContext, config: TableConfig, extractor: Extractor, *, tell: bool = True) -> Described:
    """Look the table up in its source's catalogue and in the target, and plan what has to change there; `tell`: say so."""
    description = extractor.describe(config.source_table)
    tables, rules, key = columns_of(run, config, description)
    tables, plans = _planned(run, tables, rules)
    layouts = _layouts(run, tables, rules, key)
    described = Described(tables=tables, plans=plans, rules=rules, layouts=layouts)
    if tell:
        tell_plan(run, described)
    return described


def tell_plan(run: RunContext, described: Described) -> None:
    """Say what will be done to Stage and Bronze: all that a dry run does about it."""
    tables, plans, layouts = described.tables, described.plans, described.layouts
    for step in (step for plan in plans for step in plan.steps(run.target)):
        LOG.info("%s: schema%s: %s", tables, ", not applied" if run.options.dry_run else "", step)
    for before, after in likely_renames(plans[0], layouts.columns_before):
        LOG.warning(
            "%s: column %s has vanished and %s of the same type is new: if it was renamed, its history goes on only where a view "
            "gives it its old name",
            tables, before, after,
        )  # fmt: skip


def columns_of(
    run: RunContext, config: TableConfig, description: SourceDescription
) -> tuple[WarehouseTable, ColumnRules, TableKey]:
    """The table's columns as they are to be stored, the rules that people set for them, and its key."""
    names = [column.name for column in description.columns]
    check_not_reserved(str(config), names)
    for one, other in names_differing_in_case(names):
        raise ReservedColumnName(
            f"{config}: the source columns {one!r} and {other!r} differ only in case, and the target takes them for one.",
            remedy="Load a view that gives one of them another name.",
        )
    general = run.target.databases.general
    listed = read_listed(run.target, config.source, config.table)
    key = table_key(config.source, config.table, listed, description.key, description.columns, general)
    rules = choose_rules(str(config), listed, description.columns, key.columns, general)
    columns = stored_as(run.target, rules.stored, {*key.columns, *_date_named(config, names)})
    tables = config.warehouse_table(run.target, run.batch, columns, key.columns)
    run.target.check_names(tables)
    return tables, rules, key


def _planned(
    run: RunContext, tables: WarehouseTable, rules: ColumnRules
) -> tuple[WarehouseTable, tuple[LayerPlan, LayerPlan]]:
    """What Stage and Bronze need, and the table with the columns that they hold."""
    with run.target.engine.connect() as connection:
        plans = plan_evolution(run.target, connection, tables, run.settings.alter_max_rows)
        check_layers_agree(run.target, connection, tables, plans)
    vanished = plans[0].vanished
    check_no_rule_is_lost(str(tables), rules, vanished, run.target.databases.general)
    if vanished:
        LOG.warning("%s: the source has no column %s any more; it is kept, later versions hold NULL", tables, ", ".join(vanished))
    return replace(tables, stored=(*tables.names, *vanished)), plans


def stored_as(target: Target, columns: tuple[Column, ...], indexed: Collection[str]) -> tuple[Column, ...]:
    """The columns with the indexed ones bounded where the target wants that; a layout names kinds, so no hash changes."""
    return tuple(replace(column, type=target.key_type(column.type)) if column.name in indexed else column for column in columns)


def _date_named(config: TableConfig, names: Iterable[str]) -> list[str]:
    """The date column of a large table, as the source spells it."""
    return [name for name in names if name.casefold() == (config.aggregate_column or "").casefold()]


def _layouts(run: RunContext, tables: WarehouseTable, rules: ColumnRules, key: TableKey) -> Layouts:
    layouts = find_layout(run.target, tables, layout_for(run.settings, tables, rules))
    check_key(tables, layouts, key, run.target.databases.general)
    if layouts.id:
        return layouts
    warn_of_clear_history(tables, layouts)
    if run.options.dry_run:
        return layouts
    identity = register_layout(run.target, tables, layouts.layout, run.batch, key.catalogue)
    known = {key: value for key, value in layouts.known.items() if key}
    return Layouts(id=identity, layout=layouts.layout, known={**known, identity: layouts.layout})


def read_against(run: RunContext, tables: WarehouseTable, layouts: Layouts, stored: StoredWindow | None = None) -> Against:
    """What the table's frames are compared with: all current rows, or those of a window."""
    return against_current(run, tables, layouts, read_current(run.target, tables, layouts.id, layouts.known, stored))


def against_current(run: RunContext, tables: WarehouseTable, layouts: Layouts, current: Current) -> Against:
    """The same for current rows that have been read.

    Raises:
        IntegrityError: one of them has a layout that nobody knows.
    """
    unknown = [identity for identity in current.layouts_in_use if identity not in layouts.known]
    if unknown:
        raise IntegrityError(
            f"{tables}: Stage holds rows of hash layout {unknown[0]}, which ops.HashLayout does not know.",
            remedy="Restore General from the same moment as Stage.",
        )
    older = {identity: layouts.known[identity] for identity in current.layouts_in_use if identity != layouts.id}
    return Against(
        current=current,
        layout_id=layouts.id,
        layout=layouts.layout,
        older=older,
        incomparable=incomparable(run.settings, tables, layouts, older, force=run.options.force),
    )
