"""The promotions' SQL, reviewed as text for each dialect. After a change on purpose: UDM_UPDATE_GOLDEN=1, then read the diff."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.engine.interfaces import Compiled

from model.types import TEXT, Column
from model.warehouse import Promotion
from tests.golden import tsql
from tests.golden.promotions import DIALECTS, EVERYTHING, TABLES, TARGETS, as_text, others, promotions

FOLDER = Path(__file__).parent
dialects = pytest.mark.parametrize("dialect", sorted(DIALECTS))


def statements(dialect: str, title: str = "", promotion: Promotion = EVERYTHING) -> list[Compiled]:
    return [found for name, all_of in promotions(dialect, promotion=promotion) if name.startswith(title) for found in all_of]


def plain(statement: Compiled) -> str:
    """On one line, without quotes around names and without the tables' names before the columns'."""
    return re.sub(r"(\w+\.)*(\w+)\.", "", re.sub(r'["\[\]]', "", " ".join(str(statement).split())))


def updates(dialect: str, setting: str) -> list[tuple[Compiled, str, str]]:
    """SCD2 updates that set a column: the statement, its SET and its WHERE."""
    found = []
    for statement in statements(dialect, "SCD2"):
        if match := re.fullmatch(r"UPDATE \S+ SET (.*?)( FROM .*)? WHERE (.*?)", plain(statement)):
            *_, condition = plain(statement).split(" WHERE ")
            if f"{setting}=" in match[1]:
                found.append((statement, match[1], condition))
    return found


@dialects
def test_the_statements_are_those_that_were_reviewed(dialect: str) -> None:
    golden = FOLDER / f"{dialect}.sql"
    text = as_text(dialect)
    if os.environ.get("UDM_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), "If this is on purpose: UDM_UPDATE_GOLDEN=1, and review the diff."


def test_there_is_no_golden_file_without_its_dialect() -> None:
    # Statements to sources have tests of their own.
    assert {path.stem for path in FOLDER.glob("*.sql") if path.stem not in {"oracle", "mssql_source"}} == DIALECTS.keys()


@dialects
def test_flags_and_operations_are_literals_and_not_parameters(dialect: str) -> None:
    # SQL Server uses a filtered index only where the predicate is a literal.
    for statement in statements(dialect):
        bound = set(map(type, statement.params.values()))
        assert bound <= {int, datetime}, f"{statement} binds {bound}"
    true, false = {"mssql": ("1", "0")}.get(dialect, ("true", "false"))
    text = " ".join(plain(statement) for statement in statements(dialect))
    for literal in (f"_cdc_is_current = {true}", f"UdmActiveFlag = {true}", f"UdmActiveFlag = {false}", "_cdc_operation = 'D'"):
        assert literal in text


@pytest.mark.parametrize("dialect", sorted(TARGETS))
def test_what_is_read_back_and_indexed_is_found_by_literal_flags_too(dialect: str) -> None:
    found = dict(others(dialect))
    [hashes] = found["Hashes read back"]
    assert hashes.params == {}
    assert plain(hashes).endswith("WHERE _cdc_is_current = true")
    # DuckDB has none: its promotions prove themselves.
    assert [plain(index)[:19] for index in found["Indexes of Bronze"][:1]] == ["CREATE UNIQUE INDEX"] * (dialect != "duckdb")


@dialects
def test_there_is_no_merge_no_not_in_and_nothing_is_removed(dialect: str) -> None:
    for statement in statements(dialect):
        text = str(statement).upper()
        assert text.startswith(("INSERT INTO ", "UPDATE "))
        assert not re.search(r"\b(MERGE|NOT\s+IN|DELETE|TRUNCATE|DROP)\b", text)


def test_no_statement_for_sql_server_compares_a_flag_with_a_parameter() -> None:
    # A filtered index serves only a literal predicate; see the file for all of them.
    for title, found in tsql.sections():
        for text in found:
            assert not re.search(r"(UdmActiveFlag|_cdc_is_current|IsPrimaryKey)\]?\s*(=|!=|<>)\s*[:?@]", text), title
            # Rows are removed from nothing but a batch's own staging table, and by retention.
            kept = re.sub(r"^DELETE\s+FROM \[UDM_STAGE\]\.\[DNA\]\.\[_STAGING_", "", text.upper())
            refused = "MERGE|NOT\\s+IN|TRUNCATE" + ("" if title.startswith("Retention") else "|DELETE")
            assert not re.search(rf"\b({refused})\b", kept), title
            assert not re.search(r"\b(N?TEXT|DATETIME)\b(?!2|OFFSET)", text.upper()), f"{title}: a type of old"


def test_the_indexes_are_filtered_by_the_literal_that_the_statements_use() -> None:
    texts = [text for title, found in tsql.sections() if title.startswith("Indexes") for text in found]
    bronze, stage = (text[text.index("CREATE") :] for text in texts if "CREATE UNIQUE" in text)
    assert bronze == (
        "CREATE UNIQUE INDEX [ux_ACCT_scd2_python_one_active] ON [UDM_Bronze].[DNA].[ACCT_scd2_python] ([_key_hash]) "
        "WHERE [UdmActiveFlag] = 1"
    )
    assert stage == (
        "CREATE UNIQUE INDEX [ux_ACCT_cdc_current] ON [UDM_Stage].[DNA].[ACCT_cdc] ([_key_hash]) "
        "INCLUDE ([_row_hash], [_hash_layout]) WHERE [_cdc_is_current] = 1"
    )


@dialects
def test_the_expire_statement_excludes_the_batchs_own_versions(dialect: str) -> None:
    expiring = updates(dialect, "UdmEndDateTime")
    assert len(expiring) == 2
    for _, values, condition in expiring:
        assert "UdmActiveFlag=" in values
        assert re.search(r"\b_batch_id != ", condition)
        assert re.search(r"UdmActiveFlag = (true|1)", condition)
        assert "_key_hash = _key_hash" in condition


@dialects
def test_activation_is_by_batch_id_and_never_by_an_instant(dialect: str) -> None:
    activating = [found for found in updates(dialect, "UdmActiveFlag") if "UdmEndDateTime=" not in found[1]]
    assert len(activating) == 2
    for statement, _, condition in activating:
        assert re.search(r"\b_batch_id = ", condition)
        assert "UdmEndDateTime IS NULL" in condition
        assert "UdmEffectiveDateTime" not in str(statement)
        assert not any(isinstance(value, datetime) for value in statement.params.values())


@dialects
def test_no_statement_compares_instants(dialect: str) -> None:
    for statement in statements(dialect):
        assert not re.search(r"(DateTime|_valid_from|_valid_to|_extracted_at) (=|!=|<|>|IN)", str(statement).split(" WHERE ")[-1])


@dialects
def test_new_versions_go_in_first_then_the_old_are_closed_then_the_new_activated(dialect: str) -> None:
    insert, close, activate = (plain(statement) for statement in statements(dialect, "SCD2 promotion: staging"))
    assert insert.startswith("INSERT INTO ACCT_scd2_python")
    assert "UdmEndDateTime=" in close
    assert re.search(r"SET UdmActiveFlag=(true|1) WHERE", activate)


@dialects
@pytest.mark.parametrize(
    ("changed", "cdc", "scd2"),
    [
        ((5, 0, 0), ["INSERT"], ["INSERT"]),
        ((0, 5, 0), ["UPDATE", "INSERT"], ["INSERT", "UPDATE", "UPDATE"]),
        ((0, 0, 5), ["INSERT", "UPDATE"], ["UPDATE"]),
        ((5, 0, 5), ["INSERT", "UPDATE", "INSERT"], ["INSERT", "UPDATE"]),
        ((0, 0, 0), [], []),
    ],
)
def test_statements_that_can_change_nothing_are_left_out(
    dialect: str, changed: tuple[int, int, int], cdc: list[str], scd2: list[str]
) -> None:
    inserted, updated, deleted = changed
    promotion = replace(EVERYTHING, inserted=inserted, updated=updated, deleted=deleted)
    assert [str(found).split()[0] for found in statements(dialect, "CDC", promotion)] == cdc
    assert [str(found).split()[0] for found in statements(dialect, "SCD2 promotion: staging", promotion)] == scd2


@dialects
def test_source_columns_may_be_named_like_anything_but_ours(dialect: str) -> None:
    names = ("change_operation", "changes", "before", "anon_1", "param_1", "select", "a b", 'quote"d', "per%cent", "col:on", "]")
    tables = replace(TABLES, columns=tuple(Column(name=name, type=TEXT) for name in names), stored=names)
    for _, found in promotions(dialect, tables):
        assert found
    [(_, cdc), (_, scd2), *_] = promotions(dialect, tables)
    assert [str(statement).count("select") for statement in (cdc[-1], scd2[0])] == [2, 4]
