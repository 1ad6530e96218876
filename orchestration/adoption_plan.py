"""The plan of a takeover: what Stage and Bronze need, what they hold, and what is refused. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from connections.target import Target
from model import system_columns as sc
from model.errors import SchemaEvolutionError
from model.types import Column, ColumnType
from model.warehouse import WarehouseTable
from orchestration.adoption_findings import FirstRun, LayerFindings, first_run, look_at
from orchestration.extraction import columns_of
from orchestration.hash_layouts import Layouts, read_layouts
from orchestration.masking import layout_for
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig
from schema.adoption import Takeover, adopted_layers, plan_takeover, prove
from schema.column_rules import ColumnRules
from schema.column_sync import TableKey
from schema.rekey import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What is to be done, Stage before Bronze; `first` is None where a run could not be told."""

    tables: WarehouseTable
    rules: ColumnRules
    key: TableKey
    layouts: Layouts
    takeovers: tuple[Takeover, Takeover]
    found: tuple[LayerFindings, LayerFindings]
    first: FirstRun | None

    @property
    def doubled(self) -> int:
        """Current rows that are one too many, in both layers."""
        return sum(one.doubled for one in self.found)


def held_columns(target: Target, tables: WarehouseTable) -> list[tuple[Column, ...]]:
    """The columns of Stage and of Bronze; empty where there is no such table."""
    with target.engine.connect() as connection:
        return [target.columns_of(connection, name) for name in (tables.stage, tables.bronze)]


def plan_adoption(run: RunContext, config: TableConfig, held: Sequence[Sequence[Column]]) -> Adoption:
    """Look at both tables (`held`: their columns) and at the source; writes nothing.

    Raises:
        SchemaEvolutionError: they are not a predecessor's, or cannot be converted without loss.
    """
    target = run.target
    with SourceReading(run, run.settings.sources.get(config.source)) as reading:
        tables, rules, key = columns_of(run, config, reading.extractor().describe(config.source_table))
        if rules.masks:
            raise SchemaEvolutionError(
                f"{tables}: column {', '.join(name for name, _ in rules.masks)} is to be masked, and what a predecessor stored "
                "is in clear, or masked in its own way.",
                remedy="Clear MaskWith in UdmTablesColumnsList, adopt the table, then set it again: later versions are masked.",
            )
        layouts = read_layouts(target, tables, layout_for(run.settings, tables, rules))
        _check_key_is_held(tables, held)
        stage, bronze = adopted_layers(tables)
        takeovers = (
            plan_takeover(target, tables, stage, held[0], numbered=True),
            plan_takeover(target, tables, bronze, held[1], numbered=_numbered(target, bronze, held[1])),
        )
        _check_lossless(target, config, tables, takeovers)
        found = (look_at(target, tables, stage, layouts), look_at(target, tables, bronze, layouts))
        first = None if found[0].doubled else first_run(run, config, reading, tables, rules, layouts, found[0])
    return Adoption(tables=tables, rules=rules, key=key, layouts=layouts, takeovers=takeovers, found=found, first=first)


def _check_key_is_held(tables: WarehouseTable, held: Sequence[Sequence[Column]]) -> None:
    for name, columns in zip((tables.stage, tables.bronze), held, strict=True):
        lacking = sorted(set(tables.keys) - {column.name for column in columns})
        if columns and lacking:
            raise SchemaEvolutionError(
                f"{tables}: {name} has no column {', '.join(lacking)}, so that its rows have no key.",
                remedy="Set IsPrimaryKey in UdmTablesColumnsList for columns that the history has, or load the table under "
                "another StageTableName and BronzeTableName.",
            )


def _numbered(target: Target, bronze: Layer, held: Sequence[Column]) -> bool:
    """Whether `_scd2_key` tells Bronze's rows apart; where there is none it has yet to."""
    if sc.SCD2_KEY not in {column.name for column in held}:
        return True
    stored = target.table(bronze.name, (sc.SCD2_KEY,))
    number = stored.c[sc.SCD2_KEY]
    counts = sa.select(sa.func.count(), sa.func.count(number.distinct())).select_from(stored)
    with target.engine.connect() as connection:
        rows, distinct = connection.execute(counts).one()
    return bool(rows == distinct)


def _check_lossless(
    target: Target, config: TableConfig, tables: WarehouseTable, takeovers: Sequence[Takeover]
) -> None:
    """Prove each narrower type, and refuse what no type of the source's could hold.

    Raises:
        SchemaEvolutionError: naming the columns, and the way to a fresh table beside the old.
    """
    lossy: list[tuple[Layer, Column, ColumnType]] = []
    with target.engine.connect() as connection:
        for one in takeovers:
            lossy += [(one.layer, held, wanted) for held, wanted in one.lossy]
            for conversion in one.conversions:
                if conversion.narrower and not prove(target, connection, tables, one.layer, conversion):
                    lossy.append((one.layer, conversion.held, conversion.wanted))
    if lossy:
        told = "; ".join(
            f"column {held.name!r} of {layer.name} is {held.source_type}, and {target.type_text(wanted)} is wanted"
            for layer, held, wanted in lossy
        )
        raise SchemaEvolutionError(
            f"{tables}: these types cannot be converted without loss: {told}.", remedy=_fresh_table(target, config)
        )


def _fresh_table(target: Target, config: TableConfig) -> str:
    """The steps to a history that begins anew beside the old one."""
    taken = True
    number, new = 1, ""
    while taken:
        number += 1
        new = f"{config.stage_table or config.table}_{number}"
        taken = any(held_columns(target, replace(config, stage_table=new, bronze_table=new).warehouse_table(target, 0)))
    main = "main_large_tables.py" if config.is_large else "main_small_tables.py"
    update = (
        f"UPDATE {target.databases.general}.dbo.UdmTablesList SET StageTableName = '{new}', BronzeTableName = '{new}' "  # noqa: S608 - a hint
        f"WHERE SourceName = '{config.source}' AND SourceObjectName = '{config.table}'"
    )
    return (
        "Convert those columns by hand and give --adopt again. Or load a fresh table beside the old ones, which stay: "
        f"{update}; then python {main} --source {config.source} --table {config.table}. A view over both Bronze tables shows "
        "one history: the old one ends where the fresh one begins."
    )
