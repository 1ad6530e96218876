"""`--adopt SOURCE.TABLE`: Stage and Bronze as a predecessor left them are taken over, shown first and done with `--yes`.

Closed versions get a key hash and a layout, and nothing else of them changes. The order makes it one that can end anywhere:
from the moment that Stage's rows are numbered no run loads the table, and those numbers go last.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from connections.target import Session, Target
from data_load.index_management import create_current_index, create_one_active_index, create_window_index
from model import ops
from model import system_columns as sc
from model.errors import IntegrityError
from model.warehouse import WarehouseTable
from orchestration.adoption_findings import LayerFindings
from orchestration.adoption_lines import lines_of
from orchestration.adoption_plan import Adoption, held_columns, plan_adoption
from orchestration.hash_layouts import register_layout
from orchestration.healing import next_instant, publish
from orchestration.large_plan import date_named
from orchestration.results import TableResult
from orchestration.run_context import RunContext
from orchestration.shown_first import GIVE_YES, Say, run_one_by_one
from orchestration.table_config import TableConfig
from schema.adoption import Takeover, is_ours, plan_takeover
from schema.adoption_steps import apply_takeover, end_takeover, number_on, number_rows, read_unhashed, write_adopted
from schema.column_sync import sync_columns
from schema.rekey import Layer
from schema.staging_cleanup import drop_dead_staging, drop_staging

LOG = logging.getLogger("udm.adopt")
_TICK = timedelta(microseconds=1)


def run_adoption(run: RunContext, configs: Sequence[TableConfig], *, say: Say) -> list[TableResult]:
    """Take the tables over, one after the other; a dry run shows the plan alone."""
    return run_one_by_one(run, configs, "adopted", lambda session, config: _adopt(run, session, config, say))


def _adopt(run: RunContext, session: Session, config: TableConfig, say: Say) -> int:
    names = config.warehouse_table(run.target, run.batch)
    held = held_columns(run.target, names)
    if all(held) and all(map(is_ours, held)):
        say(f"{config}: its tables are the pipeline's own already; nothing is to be done.")
        return 0
    plan = plan_adoption(run, config, held)
    for line in lines_of(run.target, plan):
        say(line)
    if run.options.dry_run:
        say(GIVE_YES)
        return 0
    if plan.doubled:
        raise IntegrityError(
            f"{config}: {plan.doubled:,} current rows share their key with another one, so that nothing was taken over.",
            remedy="Run the statements that were shown, or others that say which of the rows is right; then give --adopt again.",
        )
    drop_dead_staging(run.target, names)
    changed = _apply(run, session, config, plan)
    say(f"{config}: {changed:,} rows were hashed; the tables are the pipeline's own now.")
    return changed


def _apply(run: RunContext, session: Session, config: TableConfig, plan: Adoption) -> int:
    target, tables, layouts = run.target, plan.tables, plan.layouts
    stage, bronze = plan.takeovers
    number_rows(target, stage)
    _keep_batches_apart(run, plan)
    identity = layouts.id or register_layout(target, tables, layouts.layout, run.batch, plan.key.catalogue)
    for takeover in plan.takeovers:
        run.retry.ops(f"altering {takeover.layer.name}", partial(_bring, target, tables, takeover))
    number_rows(target, bronze)
    number_on(target, tables.bronze)
    layers = (stage.layer, bronze.layer)
    changed = sum(_hash(run, session, plan, layer, identity, current=current) for layer in layers for current in (True, False))
    drop_staging(target, tables.staging)
    with session.begin() as connection:
        create_one_active_index(target, connection, tables.bronze)
    with session.begin() as connection:
        create_current_index(target, connection, tables.stage)
    if config.is_large:
        create_window_index(target, tables.stage, date_named(config, plan.rules.columns).name)
    sync_columns(target, tables.source, tables.table, tables.columns, tables.keys)
    _publish(target, tables, run.batch, plan.found)
    end_takeover(target, tables.stage)
    for name in (tables.bronze, tables.stage):
        target.settle(name)
    return changed


def _bring(target: Target, tables: WarehouseTable, takeover: Takeover) -> None:
    """Bring a layer to its columns by what it holds now: an attempt before this one may have done a part."""
    with target.engine.connect() as connection:
        held = target.columns_of(connection, takeover.layer.name)
    numbered = all(name != sc.SCD2_KEY for name, _ in takeover.renamed)
    apply_takeover(target, plan_takeover(target, tables, takeover.layer, held, numbered=numbered))


def _hash(run: RunContext, session: Session, plan: Adoption, layer: Layer, layout_id: int, *, current: bool) -> int:
    """Hash the rows that have no key hash, a batch at a time, each a transaction of its own."""
    target, tables, changed = run.target, plan.tables, 0
    while True:
        run.cancellation.check()
        with target.engine.connect() as connection:
            most = run.settings.batch_rows
            frame = read_unhashed(target, connection, tables, layer, plan.layouts.layout, most, current=current)
        if frame.is_empty():
            return changed
        write = partial(write_adopted, target, session, tables, layer, frame, layout_id, run.spool_folder.new_table)
        run.retry.transaction(partial(write, current=current), lambda: False)
        changed += frame.height
        LOG.info("%s: %s: %d %s rows hashed", tables, layer.name, changed, "current" if current else "other")


def _keep_batches_apart(run: RunContext, plan: Adoption) -> None:
    """Give no later run the number of a batch that the tables name, and let ops know those that it does not.

    A batch is recognised by its id: with a predecessor's it would close and count that one's versions as its own.
    """
    target, greatest = run.target, max(found.greatest_batch for found in plan.found)
    batches = target.own(ops.PIPELINE_BATCH)
    with target.recorder.begin() as connection:
        drawn = target.draw(connection, ops.BATCH_SEQUENCE)
        known = set(connection.execute(sa.select(batches.c.BatchId)).scalars())
        now = target.now(connection)
    if drawn <= greatest:
        with target.recorder.begin() as connection:
            connection.execute(target.ddl(target.databases.general, target.restart(ops.BATCH_SEQUENCE, greatest + 1)))
    unknown = sorted({0, *_named_batches(target, plan)} - known)
    about = {"StartedAt": now, "EndedAt": now, "HostName": "", "ProcessId": 0, "Command": f"before --adopt {plan.tables}"}
    with target.recorder.begin() as connection:
        if unknown:
            connection.execute(sa.insert(batches), [{**about, "BatchId": number} for number in unknown])


def _named_batches(target: Target, plan: Adoption) -> set[int]:
    named: set[int] = set()
    with target.engine.connect() as connection:
        for takeover, columns in zip(plan.takeovers, ((sc.CDC_BATCH_ID,), (sc.BATCH_ID, sc.END_BATCH_ID)), strict=True):
            for column in (name for name in columns if name not in takeover.added):
                stored = target.table(takeover.layer.name, (column,)).c[column]
                named.update(connection.execute(sa.select(stored).where(stored.is_not(None)).distinct()).scalars())
    return named


def _publish(target: Target, tables: WarehouseTable, batch: int, found: Sequence[LayerFindings]) -> None:
    """Announce the table as of an instant after all of its own, so that later ones follow it whatever clock it was kept by."""
    instant = next_instant(target, tables)
    later = [one.last_instant + _TICK for one in found if one.last_instant is not None]
    publish(target, tables, batch, max([instant, *later]))
