"""Which tables a command loads: selection by name, small against large, and rows that contradict each other."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from connections.duckdb_target import DuckDBTarget
from connections.general import create_missing
from model.control import TABLES_LIST
from model.errors import ConfigurationError
from orchestration.table_config import LOAD_TOOL, TableConfig, TableConfigLoader, select_tables

ACCT, ACCT_TYPE, TXN, CARDS, CCM_ACCT = CONFIGS = [
    TableConfig(source="DNA", table="ACCT"),
    TableConfig(source="DNA", table="ACCT_TYPE"),
    TableConfig(source="DNA", table="TXN", aggregate_column="POSTED_ON"),
    TableConfig(source="CCM", table="CARDS"),
    TableConfig(source="CCM", table="ACCT"),
]


def select(*, large: bool = False, table: str | None = None, source: str | None = None) -> list[TableConfig]:
    return select_tables(CONFIGS, large=large, table=table, source=source)


def refusal(*, large: bool = False, table: str | None = None, source: str | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        select(large=large, table=table, source=source)
    return caught.value


def test_without_names_each_command_takes_its_own_kind() -> None:
    assert select() == [ACCT, ACCT_TYPE, CARDS, CCM_ACCT]
    assert select(large=True) == [TXN]


def test_names_select_without_regard_to_case() -> None:
    assert select(table="acct", source="dna") == [ACCT]
    assert select(source="ccm") == [CARDS, CCM_ACCT]


def test_a_name_is_matched_whole_and_in_every_source() -> None:
    assert select(table="ACCT") == [ACCT, CCM_ACCT]
    assert select(table="ACCT_TYPE") == [ACCT_TYPE]


def test_a_source_without_tables_of_the_commands_kind_is_nothing_to_do() -> None:
    assert select(large=True, source="CCM") == []


@pytest.mark.parametrize(("table", "nearest"), [("ACT", "ACCT"), ("acct_typ", "ACCT_TYPE"), ("CARD", "CARDS"), ("TNX", "TXN")])
def test_an_unknown_table_names_the_nearest_known_ones(table: str, nearest: str) -> None:
    error = refusal(table=table)
    assert f"Unknown table {table!r}" in str(error)
    assert error.remedy.startswith("Did you mean ")
    assert nearest in error.remedy


def test_nothing_near_lists_what_is_known() -> None:
    assert refusal(table="ZZZZZZ").remedy == "Known: ACCT, ACCT_TYPE, CARDS, TXN."
    assert refusal(source="ZZZ").remedy == "Known: CCM, DNA."


def test_an_unknown_source_is_told_before_its_table() -> None:
    error = refusal(table="ACCT", source="DNB")
    assert "Unknown source 'DNB'" in str(error)
    assert "DNA" in error.remedy


def test_a_table_of_another_source_is_unknown_in_this_one() -> None:
    error = refusal(table="CARDS", source="DNA")
    assert "Unknown table 'CARDS'" in str(error)
    assert "CARDS" not in error.remedy


@pytest.mark.parametrize("names", [{"table": ""}, {"source": ""}, {"table": "", "source": "DNA"}])
def test_an_empty_name_is_unknown_and_not_nothing_to_do(names: dict[str, str]) -> None:
    # --table "$TABLE" with TABLE unset must not exit 0.
    assert "Unknown" in str(refusal(**names))  # type: ignore[arg-type]


def test_an_empty_list_knows_no_name() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown source 'DNA'.*Known: none"):
        select_tables([], large=False, table=None, source="DNA")
    assert select_tables([], large=False, table=None, source=None) == []


@pytest.mark.parametrize(
    ("large", "table", "kind", "command"),
    [(False, "TXN", "large", "main_large_tables.py"), (True, "CARDS", "small", "main_small_tables.py")],
)
def test_a_table_of_the_other_kind_names_the_other_command(*, large: bool, table: str, kind: str, command: str) -> None:
    error = refusal(large=large, table=table)
    assert f"{table} is a {kind} table" in str(error)
    assert command in error.remedy


@pytest.fixture
def general(target: DuckDBTarget) -> DuckDBTarget:
    create_missing(target)
    return target


def load(general: DuckDBTarget, *rows: dict[str, object]) -> list[TableConfig]:
    defaults = {column.name: None for column in TABLES_LIST.columns} | {"StageLoadTool": LOAD_TOOL}
    with general.engine.begin() as connection:
        connection.execute(sa.insert(general.own(TABLES_LIST)), [defaults | row for row in rows])
    return TableConfigLoader(general).load()


def row(source: str, table: str, **values: object) -> dict[str, object]:
    return {"SourceName": source, "SourceObjectName": table, **values}


def test_rows_for_this_tool_are_loaded_in_order_with_every_column(general: DuckDBTarget) -> None:
    full = row(
        "DNA",
        "TXN",
        SourceServer="srv",
        SourceDatabase="db",
        SourceSchemaName="CORE",
        StageTableName="TX_S",
        BronzeTableName="TX_B",
        SourceAggregateColumnName="POSTED",
        SourceAggregateColumnType="DATE",
        SourceIndexHint="IX",
        PartitionOn="ID",
        FirstLoadDate=date(2020, 1, 1),
        LookbackDays=7,
    )
    loaded = load(
        general, full, row("CCM", "CARDS"), row("DNA", "OTHER", StageLoadTool="SSIS"), row("DNA", "NONE", StageLoadTool=None)
    )
    assert loaded == [
        TableConfig(source="CCM", table="CARDS"),
        TableConfig(
            source="DNA",
            table="TXN",
            source_server="srv",
            source_database="db",
            source_schema="CORE",
            stage_table="TX_S",
            bronze_table="TX_B",
            aggregate_column="POSTED",
            aggregate_column_type="DATE",
            index_hint="IX",
            partition_on="ID",
            first_load_date=date(2020, 1, 1),
            lookback_days=7,
        ),
    ]
    names = loaded[1].warehouse_table(general, 5)
    assert [str(name) for name in (names.stage, names.bronze, names.staging)] == [
        "UDM_Stage.DNA.TX_S_cdc",
        "UDM_Bronze.DNA.TX_B_scd2_python",
        "UDM_Stage.DNA._staging_TX_S_5",
    ]


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (row("DNA", "ACCT"), row("DNA", "ACCT"), "source table"),
        (row("DNA", "ACCT"), row("dna", "Acct"), "source table"),
        (row("DNA", "ACCT"), row("DNA", "B", StageTableName="acct"), "Stage table"),
        (row("DNA", "ACCT"), row("DNA", "B", BronzeTableName="ACCT"), "Bronze table"),
        (row("DNA", "A", BronzeTableName="X"), row("DNA", "B", BronzeTableName="x"), "Bronze table"),
    ],
)
def test_two_rows_for_one_table_stop_the_run(
    general: DuckDBTarget, first: dict[str, object], second: dict[str, object], what: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"have the same {what}"):
        load(general, first, second)


def test_one_name_in_two_sources_is_two_tables(general: DuckDBTarget) -> None:
    assert len(load(general, row("DNA", "ACCT"), row("CCM", "ACCT"), row("DNA", "ACCT_TYPE"))) == 3


def test_a_row_of_another_tool_contradicts_nothing(general: DuckDBTarget) -> None:
    assert len(load(general, row("DNA", "ACCT"), row("DNA", "ACCT", StageLoadTool="SSIS"))) == 1
