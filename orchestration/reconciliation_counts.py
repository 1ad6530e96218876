"""The cheap reconciliation, for every day: rows, and the sums of numbers, of source, Stage and Bronze."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal

import polars as pl
import sqlalchemy as sa

from cdc.reconciliation.rows import Layer
from connections.target import Target
from model.conform import conform
from model.errors import UnusableDateColumn
from model.system_columns import ACTIVE, CDC_IS_CURRENT
from model.types import MAX_DECIMAL_DIGITS, Column, ColumnType, Kind, decimal
from observability.event_tracker import Event
from orchestration.extraction import Described
from orchestration.reconciliation_portion import Portion
from orchestration.reconciliation_results import Check
from orchestration.reconciliation_sides import name_of
from orchestration.run_context import RunContext
from orchestration.source_reading import SourceReading
from orchestration.table_config import TableConfig

_FLAG = {Layer.STAGE: CDC_IS_CURRENT, Layer.BRONZE: ACTIVE}
# A sum of 38 digits is added up in two halves, each of which 128 bits hold for any number of rows.
_HALF = 10**19
_EXACT = Context(prec=80)


@dataclass(slots=True, kw_only=True)
class Totals:
    """Rows, and the sum of each numeric column; rows with a NULL in the key are not loaded, so not counted."""

    rows: int = 0
    null_keys: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)

    def add(self, frame: pl.DataFrame, keys: Sequence[str], columns: Sequence[Column]) -> None:
        """Count a conformed frame in."""
        whole = frame.drop_nulls(keys)
        self.rows += whole.height
        self.null_keys += frame.height - whole.height
        for column in columns:
            scale = column.type.scale if column.type.kind is Kind.DECIMAL else 0
            numbers = whole.get_column(column.name).to_physical().cast(pl.Int128)
            half = pl.lit(_HALF, dtype=pl.Int128)
            upper, lower = pl.select((numbers // half).sum(), (numbers % half).sum().alias("lower")).row(0)
            total = int(upper) * _HALF + int(lower)
            self.sums[column.name] = _EXACT.add(self.sums.get(column.name, Decimal(0)), Decimal(total).scaleb(-scale, _EXACT))


def count_checks(
    run: RunContext, config: TableConfig, described: Described, portion: Portion, reading: SourceReading, event: Event
) -> tuple[Check, ...]:
    """Compare the counts and sums of both layers with the source's."""
    began = time.perf_counter()
    if portion.date is not None and portion.date.margin:
        raise UnusableDateColumn(
            f"{config}: column {portion.date.column.name!r} is stored as texts of several zones, whose days no sum tells apart.",
            remedy="Leave this table to --reconcile without counts.",
        )
    numbers = numeric_columns(described)
    source = run.retry.extract(lambda: _at_source(run, config, described, portion, reading, numbers))
    event.RowsExtracted, event.RowsQuarantined = source.rows + source.null_keys, source.null_keys
    checks = []
    for layer in Layer:
        totals = _in_layer(run.target, described, portion, layer, numbers)
        differing = {name: 1 for name in source.sums if source.sums[name] != totals.sums.get(name, Decimal(0))}
        rows = {"rows at the source": source.rows, f"rows in {layer.capitalize()}": totals.rows}
        details = {**rows, "quarantined": source.null_keys}
        different = int(source.rows != totals.rows) + len(differing)
        seconds = time.perf_counter() - began
        name = f"COUNTS_{layer}"
        check = Check(name=name, compared=source.rows, different=different, columns=differing, details=details, seconds=seconds)
        checks.append(check)
    return tuple(checks)


def numeric_columns(described: Described) -> tuple[Column, ...]:
    """The whole and decimal numbers that both sides hold as they are: neither masked nor excluded."""
    rules, added = described.rules, described.plans[0].added
    left_out = {*rules.excluded, *(name for name, _ in rules.masks), *(column.name for column in added)}
    return tuple(
        column
        for column in described.rules.columns
        if column.type.kind in {Kind.INTEGER, Kind.DECIMAL} and column.name not in left_out
    )


def _at_source(
    run: RunContext,
    config: TableConfig,
    described: Described,
    portion: Portion,
    reading: SourceReading,
    numbers: Sequence[Column],
) -> Totals:
    keys = described.tables.keys
    wanted = {column.name for column in numbers} | set(keys) | ({portion.date.column.name} if portion.date else set())
    columns = [column for column in described.rules.columns if column.name in wanted]
    totals = Totals()
    try:
        for selection in portion.selections():
            for frame in reading.extractor().read(config.source_table, columns, run.settings.batch_rows, selection):
                run.cancellation.check()
                totals.add(portion.inside(conform(str(config), frame, columns)), keys, numbers)
                run.reporter.rows_extracted(str(config), frame.height)
    except BaseException:
        reading.let_go()
        raise
    return totals


def _in_layer(
    target: Target, described: Described, portion: Portion, layer: Layer, numbers: Sequence[Column]
) -> Totals:
    table = target.table(name_of(described.tables, layer), (*described.tables.names, _FLAG[layer]))
    sums = [sa.func.sum(sa.cast(table.c[column.name], target.sql_type(_widest(column)))) for column in numbers]
    query = sa.select(sa.func.count(), *(one for one in sums)).select_from(table)
    query = query.where(table.c[_FLAG[layer]] == sa.true(), *portion.conditions(table))
    with target.engine.connect() as connection:
        rows, *found = connection.execute(query).one()
    return Totals(rows=rows, sums={c.name: Decimal(total or 0) for c, total in zip(numbers, found, strict=True)})


def _widest(column: Column) -> ColumnType:
    return decimal(MAX_DECIMAL_DIGITS, column.type.scale if column.type.kind is Kind.DECIMAL else 0)
