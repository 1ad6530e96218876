"""Where an Oracle name leads, what its columns and its key are: from rows as ALL_TAB_COLUMNS and its like give them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from extract.extractor import SourceTable
from extract.oracle_extractor import catalogue
from extract.oracle_extractor.catalogue import Row, find_table, read_description
from extract.oracle_extractor.statement import OracleTable
from model.errors import SourceTableMissing, UnsupportedName, UnsupportedType

ID = ("ID", "NUMBER", None, 22, 10, 0, 0, "N")
NAME = ("Name", "VARCHAR2", None, 40, None, None, 40, "Y")
CODE = ("CODE", "CHAR", None, 4, None, None, 4, "N")


class Dictionary:
    """Answers the catalogue's queries as a database would that logs in to schema UDM."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], list[Row]] = {}
        self.synonyms: dict[tuple[str, str], Row] = {}
        self.constraints: list[Row] = []
        self.indexes: list[Row] = []

    def __call__(self, query: str, **binds: str) -> Sequence[Row]:
        at = (binds.get("owner", ""), binds.get("name", ""))
        match query:
            case catalogue.CURRENT_SCHEMA:
                return [("UDM",)]
            case catalogue.COLUMNS:
                return self.tables.get(at, [])
            case catalogue.SYNONYM:
                return [self.synonyms[at]] if at in self.synonyms else []
            case catalogue.CONSTRAINTS:
                return self.constraints
            case catalogue.UNIQUE_INDEXES:
                return self.indexes
        raise AssertionError(query)


def table(name: str, schema: str | None = None) -> SourceTable:
    return SourceTable(source="DNA", table=name, schema=schema)


def placed(owner: str, name: str) -> OracleTable:
    return OracleTable(owner=owner, name=name)


@pytest.mark.parametrize(
    ("name", "schema", "owner", "found"),
    [
        ("ACCT", "OSIBANK", "OSIBANK", "ACCT"),
        ("acct", "osibank", "OSIBANK", "ACCT"),
        ("acct", "OSIBANK", "OSIBANK", "ACCT"),
        ("Mixed Case", "OSIBANK", "OSIBANK", "Mixed Case"),
        ("OWN", None, "UDM", "OWN"),
    ],
)
def test_a_name_is_taken_as_spelled_and_else_in_capitals(name: str, schema: str | None, owner: str, found: str) -> None:
    rows = Dictionary()
    rows.tables = {("OSIBANK", "ACCT"): [ID], ("OSIBANK", "Mixed Case"): [ID], ("UDM", "OWN"): [ID]}
    assert find_table(rows, table(name, schema)) == placed(owner, found)


def test_the_spelling_that_is_there_wins_over_the_capitals() -> None:
    rows = Dictionary()
    rows.tables = {("UDM", "acct"): [ID], ("UDM", "ACCT"): [ID]}
    assert find_table(rows, table("acct")) == placed("UDM", "acct")


def test_synonyms_are_followed_and_public_ones_only_where_no_schema_is_named() -> None:
    rows = Dictionary()
    rows.tables = {("OSIBANK", "ACCT"): [ID]}
    rows.synonyms = {
        ("UDM", "A"): ("MID", "B", None),
        ("MID", "B"): ("OSIBANK", "ACCT", None),
        ("PUBLIC", "P"): ("UDM", "A", None),
    }
    assert find_table(rows, table("A")) == placed("OSIBANK", "ACCT")
    assert find_table(rows, table("P")) == placed("OSIBANK", "ACCT")
    with pytest.raises(SourceTableMissing):
        find_table(rows, table("P", "UDM"))


def test_a_private_synonym_hides_a_public_one() -> None:
    rows = Dictionary()
    rows.tables = {("OSIBANK", "ACCT"): [ID], ("OTHER", "ACCT"): [ID]}
    rows.synonyms = {("UDM", "A"): ("OSIBANK", "ACCT", None), ("PUBLIC", "A"): ("OTHER", "ACCT", None)}
    assert find_table(rows, table("A")) == placed("OSIBANK", "ACCT")


def test_a_synonym_over_a_database_link_is_refused_and_a_ring_of_them_ends() -> None:
    rows = Dictionary()
    rows.synonyms = {
        ("UDM", "FAR"): ("X", "Y", "LINK.BANK"),
        ("UDM", "RING"): ("UDM", "GNIR", None),
        ("UDM", "GNIR"): ("UDM", "RING", None),
    }
    with pytest.raises(UnsupportedName, match=r"UDM\.FAR leads to another database"):
        find_table(rows, table("FAR"))
    with pytest.raises(SourceTableMissing):
        find_table(rows, table("RING"))


def test_a_missing_table_says_where_it_was_looked_for_and_what_to_set() -> None:
    with pytest.raises(SourceTableMissing, match=r"DNA\.ACCT: the source has no table.* OSIBANK\.ACCT.*UDM_SOURCE_DNA"):
        find_table(Dictionary(), table("ACCT", "OSIBANK"))


def described(rows: Dictionary, *columns: Row) -> tuple[str, ...]:
    rows.tables = {("UDM", "T"): list(columns)}
    return read_description(rows, table("T"), placed("UDM", "T")).key


def test_columns_come_in_their_order_with_their_exact_types() -> None:
    rows = Dictionary()
    rows.tables = {("UDM", "T"): [ID, NAME, CODE]}
    columns = read_description(rows, table("T"), placed("UDM", "T")).columns
    assert [(column.name, str(column.type), column.nullable, column.source_type) for column in columns] == [
        ("ID", "decimal(10,0)", False, "NUMBER(10,0)"),
        ("Name", "text(40)", True, "VARCHAR2(40)"),
        ("CODE", "text(4)", False, "CHAR(4)"),
    ]


def test_a_column_without_an_exact_route_is_refused_by_name() -> None:
    rows = Dictionary()
    with pytest.raises(UnsupportedType, match=r"DNA\.T: column 'SHAPE' has the type MDSYS\.SDO_GEOMETRY"):
        described(rows, ID, ("SHAPE", "SDO_GEOMETRY", "MDSYS", 1, None, None, 0, "Y"))


def test_the_primary_key_is_the_key_in_its_own_order() -> None:
    rows = Dictionary()
    rows.constraints = [("U", "A_UK", "ID"), ("P", "T_PK", "CODE"), ("P", "T_PK", "ID")]
    assert described(rows, ID, CODE) == ("CODE", "ID")


def test_else_the_narrowest_unique_key_without_nulls() -> None:
    rows = Dictionary()
    rows.constraints = [("U", "U1", "ID"), ("U", "U1", "CODE")]
    rows.indexes = [("I", "UDM.I1", "Name"), ("I", "UDM.I2", "CODE"), ("I", "UDM.I3", "SYS_NC00004$")]
    assert described(rows, ID, NAME, CODE) == ("CODE",)
    rows.indexes = []
    assert described(rows, ID, NAME, CODE) == ("ID", "CODE")
    rows.constraints = []
    assert described(rows, ID, NAME, CODE) == ()
