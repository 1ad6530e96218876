"""Every T-SQL statement beside the promotions, as the product makes it, without a driver or a server: for a DBA's review."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc

from cdc.engine import read_current
from cdc.moves import find_elsewhere, move_statements
from cdc.reconciliation.rows import Layer
from connections import mssql_catalogue, mssql_health, mssql_indexes, mssql_lock, mssql_session, mssql_statements
from connections.general import create_missing
from connections.mssql_insert import statement
from connections.mssql_target import MSSQLTarget
from connections.target import Databases
from data_load.bcp_loader import STAGING_COLUMNS
from data_load.bulk_engines import SESSION
from data_load.index_management import create_current_index, create_one_active_index, create_window_index
from data_load.markers import last_instant, unpromoted, write_marker
from data_load.sample import verify_sample
from data_load.schema_utils import create_table, drop_table, typed
from extract.udm_connectorx_extractor import StoredWindow, read_current_hashes, read_current_rows
from model.chunks import WHOLE
from model.date_column import date_column
from model.errors import LoadVerificationError
from model.names import bronze_name, stage_name, staging_name
from model.ops import BATCH_SEQUENCE
from model.ops import INSTANT as INSTANT_TYPE
from model.row_hash import HashLayout
from model.system_columns import ADOPTING, BRONZE_HASH, CDC_IS_CURRENT, CDC_VALID_TO, KEY_HASH, SCD2_KEY
from model.types import DATE, TEXT, TIMESTAMP, TIMESTAMPTZ, UUID, Column, Kind, decimal, integer
from model.types import TIME as TIME_OF_DAY
from model.warehouse import Promotion, WarehouseTable
from model.windows import NO_DATE, day_window, later_window
from orchestration.checkpoints import Checkpoints, Ended
from orchestration.confirmation import read_missing
from orchestration.healing import next_instant, publish
from orchestration.pipeline_state import AttemptState
from orchestration.reconciliation_portion import WHOLE as WHOLE_TABLE
from orchestration.reconciliation_sides import Sides, read_layer
from scd2.engine import changes_of
from scd2.history import agreement, batches_of, count_defects, find_defects
from scd2.proof import check_counts
from schema.adoption import BRONZE_TYPES, Conversion, Takeover, adopted_layers, plan_takeover, prove
from schema.adoption_mending import close_orphans, keep_newest
from schema.adoption_steps import adoption_statement, apply_takeover, end_takeover, number_on, number_rows, read_unhashed
from schema.column_sync import read_listed
from schema.rekey import layers, rekey_statement
from schema.table_creator import create_bronze, create_stage

DATABASES = Databases(stage="UDM_Stage", bronze="UDM_Bronze", general="General")
TABLES = WarehouseTable(
    source="DNA",
    table="ACCT",
    stage=stage_name("UDM_Stage", "DNA", "ACCT"),
    bronze=bronze_name("UDM_Bronze", "DNA", "ACCT"),
    staging=staging_name("UDM_Stage", "DNA", "ACCT", 7),
    columns=(
        Column(name="ACCTNBR", type=integer(64)),
        Column(name="NOTEBAL", type=decimal(22, 3)),
        Column(name="Order", type=TEXT),
        Column(name="OPENED", type=TIME_OF_DAY),
        Column(name="SENT", type=TIMESTAMPTZ),
        Column(name="GUID", type=UUID),
    ),
    keys=("ACCTNBR",),
)
LARGE = WarehouseTable(
    source="DNA",
    table="RTXN",
    stage=stage_name("UDM_Stage", "DNA", "RTXN"),
    bronze=bronze_name("UDM_Bronze", "DNA", "RTXN"),
    staging=staging_name("UDM_Stage", "DNA", "RTXN", 7),
    columns=(Column(name="ID", type=integer(64)), Column(name="POSTDATE", type=DATE)),
    keys=("ID",),
)
INSTANT = datetime(2026, 3, 29, 1, 30, 0, 123456)  # noqa: DTZ001
PROMOTION = Promotion(batch=7, instant=INSTANT, inserted=0, updated=0, deleted=0)
DIALECT = MSDialect_pyodbc(paramstyle="named")  # type: ignore[no-untyped-call]
DIALECT.server_version_info = (13, 0)  # type: ignore[assignment] # the oldest that is supported: a connection would say it
DIALECT._setup_version_attributes()  # type: ignore[no-untyped-call]


class _Result:
    """Whatever is asked of it, there is nothing."""

    returns_rows = False

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def scalar_one(self) -> Any:
        return 0

    def scalars(self) -> Any:
        return self

    def all(self) -> list[Any]:
        return []

    def first(self) -> None:
        return None

    scalar_one_or_none = scalar = first


class Recording(MSSQLTarget):
    """A target that writes down what it is asked to run. A table is said to be there where `held` has its columns."""

    def __init__(self, held: Sequence[Column] = ()) -> None:
        self.databases = DATABASES
        self.ran: list[str] = []
        self.held = tuple(held)
        self._own = {}
        self.dialect = DIALECT
        self.engine = self.recorder = cast("sa.Engine", self)

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        yield cast("sa.Connection", self)

    begin = connect

    def execute(self, statement: Any, *_: object) -> Any:
        if database := getattr(statement, "database", None):
            self.ran.append(mssql_statements.use(database))
        text = str(statement.compile(dialect=DIALECT)).strip()
        self.ran.append(text)
        result = _Result()
        if "MAX(" in text.upper():
            result.scalar_one = lambda: None  # type: ignore[method-assign]
        return result

    def rollback(self) -> None:
        """Nothing to undo."""

    @contextmanager
    def creating(self) -> Iterator[None]:
        yield

    @contextmanager
    def impatient(self, _: object) -> Iterator[None]:
        yield

    def columns_of(self, *_: object) -> tuple[Column, ...]:
        return self.held

    def now(self, *_: object) -> datetime:
        self.ran.append(mssql_statements.NOW)
        return INSTANT

    def read(self, _: object, query: Any, *__: object) -> Iterator[pl.DataFrame]:
        self.ran.append(str(query.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})))
        return iter(())


def sections() -> Iterator[tuple[str, list[str]]]:
    """Each group of statements with its title."""
    yield "Every session begins with (wherever a parameter is NULL the literal is sent)", list(mssql_session.SESSION_SETTINGS)
    yield "At the start: the server and its databases", [
        mssql_session.VERSION,
        mssql_session.DATABASE_ID,
        mssql_session.CREATE_DATABASE.format(database="[UDM_Stage]") + "; -- only with --create-databases",
    ]
    yield "At the start: warnings", [
        mssql_health.RCSI,
        *(mssql_health.LOG_SPACE.format(database=name) for name in ("[UDM_Stage]", "[UDM_Bronze]", "[General]")),
    ]
    yield "The catalogue", [
        mssql_catalogue.COLUMNS.format(database="[UDM_Stage]"),
        mssql_catalogue.TABLES.format(database="[UDM_Stage]"),
        mssql_catalogue.CATALOGUE.format(database="[General]"),
    ]
    yield "The first run: what General, Stage and Bronze lack", _ran(create_missing)
    yield "The table's lock, on the session that the promotions run on", [
        mssql_statements.use("General"),
        mssql_lock.TAKE,
        mssql_lock.HOLDER,
        mssql_lock.RELEASE,
    ]
    yield "Clocks, numbers and keys", _ran(
        lambda target: target.draw(target, BATCH_SEQUENCE),
        lambda target: read_listed(target, "DNA", "ACCT"),
        lambda target: next_instant(target, TABLES),
    )
    yield "A table's first load: Stage, Bronze and the batch's staging table", _ran(_create_tables)
    yield "Where another worker was quicker to create a schema", [mssql_statements.SCHEMA_ID]
    yield "A column that came to the source", _ran(
        lambda target: target.execute(target.add_column(TABLES.bronze, *typed(target, [Column(name="SINCE", type=TEXT)])))
    )
    yield "A column that became wider; what stands in the way of a rewriting one, and how long it waits", [
        Recording().alter_type(TABLES.bronze, "NOTEBAL", decimal(24, 3)),
        mssql_indexes.OVER_COLUMN.format(database="[UDM_Bronze]"),
        mssql_statements.LOCK_TIMEOUT.format(milliseconds=MSSQLTarget.alter_patience * 1000),
    ]
    yield "A history that gets another key (--rekey): Stage's current rows, and Bronze's closed ones", _ran(
        lambda target: target.execute(rekey_statement(target, TABLES, layers(TABLES)[0], 7, current=True)),
        lambda target: target.execute(rekey_statement(target, TABLES, layers(TABLES)[1], 7, current=False)),
    )
    title = "A predecessor's tables that are taken over (--adopt): columns, numbers, hashes in batches, the end"
    yield title, _ran(_adopt, held=_left())
    yield "What is shown with it, and run by nobody: doubled and orphaned rows", _mending()
    yield "Few rows to staging", [_insert()]
    yield "A bulk load that hangs: its own session, by host and process", [SESSION]
    title = "Read back: the hashes of the current rows, a sample of staging, rows whose layout has gone"
    yield title, _ran(_read_back, held=TABLES.columns)
    yield "In each promotion: what it did, and its marker", _ran(
        lambda target: check_counts(
            target, target, TABLES, PROMOTION, changes_of(target, TABLES, PROMOTION, from_stage=False), WHOLE
        ),
        lambda target: write_marker(target, target, DATABASES.bronze, TABLES, PROMOTION),
    )
    yield "Healing and publishing", _ran(
        lambda target: last_instant(target, target, TABLES),
        lambda target: unpromoted(target, TABLES),
        lambda target: publish(target, TABLES, 7, INSTANT),
    )
    yield "Indexes, after a first load and wherever one is missing or disabled", [
        *_ran(
            lambda target: create_one_active_index(target, target, TABLES.bronze),
            lambda target: create_current_index(target, target, TABLES.stage),
        ),
        mssql_statements.rebuild_index("UDM_Bronze.[DNA].[ACCT_scd2_python]", "ux_ACCT_scd2_python_one_active"),
    ]
    title = "Large tables: a window read back, its keys in other windows, what is missing from all, and the days' attempts"
    yield title, _ran(_windows, held=LARGE.columns)
    yield "Retention, in batches", _ran(_purge)
    yield "A reconciliation: rows by ranges of the key hash, the history, the two layers", _ran(_reconcile, held=TABLES.columns)
    yield "At the end", _ran(lambda target: drop_table(target, target, TABLES.staging))


def _ran(*acts: Callable[[Any], object], held: Sequence[Column] = ()) -> list[str]:
    target = Recording(held)
    for act in acts:
        act(target)
    return target.ran


def _create_tables(target: Any) -> None:
    create_stage(target, target, TABLES)
    create_bronze(target, target, TABLES)
    create_table(target, target, TABLES.staging, typed(target, (*TABLES.columns, *STAGING_COLUMNS)))


def _left() -> tuple[Column, ...]:
    """Bronze as a predecessor left it, with a type that is converted and one that must lose its NOT NULL."""
    others = (*BRONZE_TYPES, SCD2_KEY, "ACCTNBR", "NOTEBAL", "Order")
    held = {name: Column(name=name, type=TEXT, source_type="nvarchar(max)") for name in others if name != KEY_HASH}
    held[BRONZE_HASH] = Column(name=BRONZE_HASH, type=TEXT, nullable=False, source_type="varchar(64)")
    held["NOTEBAL"] = Column(name="NOTEBAL", type=decimal(38, 10), nullable=False, source_type="decimal(38,10)")
    held |= {name: replace(held[name], type=kind) for name, kind in BRONZE_TYPES.items() if kind is not None and name in held}
    return tuple(held.values())


def _adopt(target: Any) -> None:
    stage, bronze = adopted_layers(TABLES)
    number_rows(target, Takeover(layer=stage, number=ADOPTING))
    plan = plan_takeover(target, TABLES, bronze, target.held, numbered=True)
    for one in plan.conversions:
        prove(target, target, TABLES, bronze, one)
    posted = Column(name="POSTED", type=TIMESTAMP, source_type="datetime2(7)")
    prove(target, target, TABLES, bronze, Conversion(held=posted, wanted=TIMESTAMP, narrower=True))
    apply_takeover(target, plan)
    number_on(target, TABLES.bronze)
    read_unhashed(target, target, TABLES, bronze, HashLayout(keys=(("ACCTNBR", Kind.INTEGER),), values=()), 1000, current=True)
    for layer, current in ((stage, True), (bronze, False)):
        target.execute(adoption_statement(target, TABLES, layer, 7, current=current))
    target.execute(target.ddl(DATABASES.general, target.restart(BATCH_SEQUENCE, 4001)))
    end_takeover(target, TABLES.stage)


def _mending() -> list[str]:
    stage, bronze = adopted_layers(TABLES)
    target = Recording()
    return [keep_newest(target, TABLES, bronze), close_orphans(target, TABLES, bronze, stage, INSTANT)]


def _insert() -> str:
    target = Recording()
    columns = (*TABLES.columns, *STAGING_COLUMNS)
    types = [(mssql_catalogue.quoted(column.name), target.type_text(column.type)) for column in columns]
    return statement(target.quoted(TABLES.staging), types)


def _windows(target: Any) -> None:
    dates = date_column("DNA.RTXN", LARGE.columns[1], None, ZoneInfo("UTC"))
    create_window_index(target, LARGE.stage, "POSTDATE")
    for window in (day_window(date(2026, 3, 29)), later_window(date(2026, 3, 30)), NO_DATE):
        list(read_current_hashes(target, target, LARGE.stage, StoredWindow(date=dates, window=window)))
    find_elsewhere(target, LARGE, LARGE.columns[1])
    for move in move_statements(target, LARGE, [b"\x01" * 16]):
        target.execute(move)
    list(read_missing(target, LARGE, "POSTDATE"))
    checkpoints = Checkpoints(target=target, tables=LARGE)
    with suppress(KeyError):  # nothing comes back
        checkpoints.day_states()
    checkpoints.reads_since(date(2026, 1, 1))
    [attempt] = checkpoints.begin([day_window(date(2026, 3, 29))], 7, forced=False)
    checkpoints.end([Ended(attempt=attempt, batch=7, state=AttemptState.LOADED, rows=1, changed=1)])
    checkpoints.settle([attempt])


def _purge(target: Any) -> None:
    stage = target.table(TABLES.stage, (CDC_IS_CURRENT, CDC_VALID_TO))
    conditions = (stage.c[CDC_IS_CURRENT] == sa.false(), stage.c[CDC_VALID_TO] < sa.literal(INSTANT, INSTANT_TYPE))
    target.execute(target.delete_some(stage, conditions, 10_000))


def _reconcile(target: Any) -> None:
    held = {layer: {column.name: column for column in TABLES.columns} for layer in Layer}
    sides = cast("Sides", SimpleNamespace(tables=TABLES, held=held))
    for layer in Layer:
        list(read_layer(target, target, sides, layer, WHOLE_TABLE, pl.Series([3, 4, 9])))
    count_defects(target, target, TABLES.bronze)
    find_defects(target, target, TABLES.bronze, 100)
    for query in agreement(target, TABLES):
        target.execute(query)
    batches_of(target, target, TABLES)


def _read_back(target: Any) -> None:
    layout = HashLayout(keys=(), values=())
    read_current(target, TABLES, 1, {1: layout})
    values = {column.name: pl.Series([None], dtype=column.type.dtype) for column in TABLES.columns}
    sample = pl.DataFrame({**values, "_key_hash": [b"\x01" * 16], "_row_hash": [b"\x02" * 16]})
    with suppress(LoadVerificationError):  # nothing comes back
        verify_sample(target, target, TABLES, layout, sample)
    list(read_current_rows(target, target, TABLES.stage, TABLES.columns[:2], [3]))

