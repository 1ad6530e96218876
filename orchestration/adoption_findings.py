"""What a predecessor's tables hold before they are taken over: rows, doubled and orphaned keys, and the first run's work.

All of it from the hashes that the rows are about to get, in memory: about 64 bytes a current row and layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl
import sqlalchemy as sa

from cdc.current import current_of
from cdc.diff import Against, Changes
from connections.target import Target
from extract.selection import Between
from extract.spool import Spool
from model import system_columns as sc
from model.date_column import date_column
from model.types import Column
from model.warehouse import WarehouseTable
from model.windows import later_window
from orchestration.extraction import Described, compare_stream
from orchestration.hash_layouts import Layouts
from orchestration.large_plan import date_named
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig
from schema.column_rules import ColumnRules
from schema.evolution import LayerPlan
from schema.rekey import NEW_KEY, NEW_ROW, Layer, new_hashes, null_key, read_values


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFindings:
    """One layer: its rows, how many have no key hash yet, its current rows' hashes, those with a NULL in the key."""

    rows: int
    unhashed: int
    nulls: int
    greatest_batch: int
    last_instant: datetime | None
    current: pl.DataFrame = field(repr=False)

    @property
    def doubled(self) -> int:
        """Current rows that are one too many."""
        return self.current.height - self.current.get_column(sc.KEY_HASH).n_unique()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """What a run would do now; `since` says from which day on the source was read, where it was not read whole."""

    changes: Changes
    since: datetime | None


def orphans(one: LayerFindings, other: LayerFindings) -> int:
    """Keys that are current in one layer and not in the other."""
    return one.current.unique(sc.KEY_HASH).join(other.current, on=sc.KEY_HASH, how="anti").height


def disagreeing(one: LayerFindings, other: LayerFindings) -> int:
    """Keys that are current in both with different values."""
    both = one.current.join(other.current, on=sc.KEY_HASH, suffix=" there")
    return both.filter(pl.col(sc.ROW_HASH) != pl.col(f"{sc.ROW_HASH} there")).height


def look_at(target: Target, tables: WarehouseTable, layer: Layer, layouts: Layouts) -> LayerFindings:
    """Read a layer's current rows and hash them; reads nothing of the others but their number."""
    with target.engine.connect() as connection:
        held = {column.name for column in target.columns_of(connection, layer.name)}
        stage = layer.row_hash == sc.ROW_HASH
        batches = [name for name in ((sc.CDC_BATCH_ID,) if stage else (sc.BATCH_ID, sc.END_BATCH_ID)) if name in held]
        instants = (sc.CDC_VALID_FROM, sc.CDC_VALID_TO) if stage else (sc.EFFECTIVE, sc.END)
        stored = target.table(layer.name, (*held, sc.KEY_HASH))
        hashed = sa.func.count(stored.c[sc.KEY_HASH]) if sc.KEY_HASH in held else sa.literal_column("0")
        greatest = [sa.func.max(stored.c[name]) for name in (*instants, *batches)]
        rows, done, first, second, *numbers = connection.execute(sa.select(sa.func.count(), hashed, *greatest)).one()
        frames, nulls = [pl.DataFrame(schema={sc.KEY_HASH: pl.Binary, sc.ROW_HASH: pl.Binary})], 0
        is_current = [sa.column(layer.flag) == sa.true()]
        for _, values in read_values(target, connection, tables, layer, (layer.flag,), is_current, current=True):
            new = values.select(*new_hashes(layouts.layout, current=True), null_key(layouts.layout))
            nulls += int(new.get_column("null_key").sum())
            frames.append(new.select(pl.col(NEW_KEY).alias(sc.KEY_HASH), pl.col(NEW_ROW).alias(sc.ROW_HASH)))
    return LayerFindings(
        rows=rows,
        unhashed=rows - done,
        nulls=nulls,
        greatest_batch=max((number for number in numbers if number is not None), default=0),
        last_instant=max((instant for instant in (first, second) if instant is not None), default=None),
        current=pl.concat(frames),
    )


def first_run(
    run: RunContext,
    config: TableConfig,
    reading: SourceReading,
    tables: WarehouseTable,
    rules: ColumnRules,
    layouts: Layouts,
    stage: LayerFindings,
) -> FirstRun:
    """Read the source as a run would, a large table's last days alone, and compare it with what Stage holds; writes nothing."""
    plans = (LayerPlan(name=tables.stage), LayerPlan(name=tables.bronze))
    described = Described(tables=tables, plans=plans, rules=rules, layouts=layouts)
    selection, since = _last_days(run, config, rules)
    current = stage.current.with_columns(pl.lit(layouts.id, dtype=pl.Int64).alias(sc.HASH_LAYOUT))
    against = Against(current=current_of([current]), layout_id=layouts.id, layout=layouts.layout, older={})
    with Spool(run.spool_folder, run.settings.spool_bytes) as spool:
        frames = reading.extractor().read(config.source_table, rules.columns, run.settings.batch_rows, selection)
        compared = compare_stream(run, described, frames, lambda: against, spool)
    return FirstRun(changes=compared.changes, since=since)


def _last_days(run: RunContext, config: TableConfig, rules: ColumnRules) -> tuple[Between | None, datetime | None]:
    if not config.is_large:
        return None, None
    column: Column = date_named(config, rules.columns)
    zone = run.settings.sources.get(config.source).time_zone
    dates = date_column(str(config), column, config.aggregate_column_type, zone)
    lookback = run.settings.lookback_days if config.lookback_days is None else config.lookback_days
    with run.target.engine.connect() as connection:
        window = later_window(run.target.now(connection).date() - timedelta(days=lookback))
    start, end = dates.ends(window)
    return Between(column=column, start=start, end=end), window.start
