"""Every value arrives exact, in Stage and in Bronze, or the table is refused by its column (DESIGN.md sections 4 and 6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.backends import Backend
from tests.contract.pipeline import Pipeline, opened_pipeline

# Type of the source: (type stored, or None where it is the same; the values as SQL).
TORTURE: dict[str, tuple[str | None, list[str]]] = {
    "BOOLEAN": (None, ["true", "false"]),
    "TINYINT": (None, ["-128", "127"]),
    "SMALLINT": (None, ["-32768", "32767"]),
    "INTEGER": (None, ["-2147483648", "2147483647"]),
    "BIGINT": (None, ["-9223372036854775808", "9223372036854775807"]),
    "UTINYINT": (None, ["0", "255"]),
    "USMALLINT": (None, ["0", "65535"]),
    "UINTEGER": (None, ["0", "4294967295"]),
    "UBIGINT": (None, ["0", "18446744073709551615"]),
    "HUGEINT": ("VARCHAR", ["170141183460469231731687303715884105727", "-170141183460469231731687303715884105728", "0"]),
    "UHUGEINT": ("VARCHAR", ["340282366920938463463374607431768211455", "0"]),
    "BIGNUM": ("VARCHAR", ["'-" + "9" * 60 + "'", "0"]),
    "DECIMAL(38,0)": (None, ["9" * 38, "-" + "9" * 38, "0"]),
    "DECIMAL(38,37)": (None, ["'9." + "9" * 37 + "'", "'-0." + "0" * 36 + "1'"]),
    "DECIMAL(19,4)": (None, ["-922337203685477.5808", "922337203685477.5807", "0.0001"]),
    "DECIMAL(18,3)": (None, ["0.001", "-999999999999999.999"]),
    "DECIMAL(9,2)": (None, ["1234567.89", "0.10"]),
    "DECIMAL(4,1)": (None, ["999.9", "-0.1"]),
    "FLOAT": (None, ["'NaN'", "'inf'", "'-inf'", "'-0.0'", "'1e-45'", "'3.4028235e38'", "0.1"]),
    "DOUBLE": (None, ["'NaN'", "'inf'", "'-inf'", "'-0.0'", "'5e-324'", "'1.7976931348623157e308'", "0.1"]),
    "DATE": (None, ["'0001-01-01'", "'9999-12-31'", "'infinity'", "'-infinity'", "'5877642-06-25 (BC)'", "'2024-02-29'"]),
    "TIME": (None, ["'24:00:00'", "'00:00:00'", "'23:59:59.999999'", "'12:00:00.5'"]),
    "TIME_NS": ("VARCHAR", ["'23:59:59.999999999'", "'00:00:00.000000001'"]),
    "TIME WITH TIME ZONE": ("VARCHAR", ["'24:00:00+15:59:59'", "'00:00:00-15:59:59'", "'12:00:00+02'", "'10:00:00+00'"]),
    "TIMESTAMP": (
        None,
        ["'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'infinity'", "'-infinity'", "'290309-12-22 (BC) 00:00:00'"],
    ),
    "TIMESTAMP_S": ("TIMESTAMP", ["'0001-01-01 00:00:01'", "'9999-12-31 23:59:59'", "'infinity'"]),
    "TIMESTAMP_MS": ("TIMESTAMP", ["'0001-01-01 00:00:00.001'", "'9999-12-31 23:59:59.999'", "'-infinity'"]),
    "TIMESTAMP_NS": ("VARCHAR", ["'2262-04-11 23:47:16.854775806'", "'1970-01-01 00:00:00.000000001'", "'infinity'"]),
    "TIMESTAMP WITH TIME ZONE": (
        None,
        ["'0001-01-01 00:00:00+00'", "'9999-12-31 23:59:59.999999+00'", "'infinity'", "'2024-03-31 02:30:00+05:45'"],
    ),
    "INTERVAL": ("VARCHAR", ["'1 month 3 days 00:00:01.000001'", "'-1 year'", "'0 days'"]),
    "UUID": (None, ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"]),
    "BIT": ("VARCHAR", ["'0'", "'0101010101'", "'1" + "0" * 70 + "'"]),
    "BLOB": (None, ["'\\x00'::BLOB", "''::BLOB", "'\\x00\\xFF\\x00a\\x0A'::BLOB", "repeat('\\x00\\xFF'::VARCHAR, 100000)::BLOB"]),
    "JSON": ("VARCHAR", ["""'{"b": 1,  "a": [1e2, null]}'""", "'null'"]),
    "ENUM('a','b''c',' ','')": ("VARCHAR", ["'a'", "'b''c'", "' '", "''"]),
    "VARCHAR": (
        None,
        [
            "''", "' '", "'  '", "'a '", "' a'", "chr(9)", "chr(10)", "chr(13) || chr(10)", "chr(13)",
            "chr(10) || '\\.' || chr(10)", "'\\.'", "'\\x41'", "'a' || chr(0) || 'b'", "chr(0)",
            "''''", "'\"'", "'\\N'", "'\\'", "'NULL'", "'null'", "'a,b;c|d'", "chr(128512)", "'e' || chr(769)", "chr(233)",
            "chr(65279)", "chr(8203)", "chr(1114111)", "chr(55295)", "repeat('x', 2000000)", "repeat(chr(128169), 500000)",
        ],
    ),
}  # fmt: skip


def held_values(backend: Backend, kind: str) -> list[str]:
    """The values of a type that the target holds."""
    left_out = (*backend.refused_values.get(kind, ()), *backend.lacking_values(kind))
    return [value for value in TORTURE[kind][1] if value not in left_out]


@pytest.fixture(scope="module")
def loaded(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Torture values, a column a type and a row a value, NULL elsewhere; loaded, updated by the rows' rotation, loaded again."""
    with opened_pipeline(backend, tmp_path_factory.mktemp("exactness")) as pipeline:
        rows = max(len(held_values(backend, kind)) for kind in TORTURE)
        columns = ", ".join(f'"{kind}" {kind}' for kind in TORTURE)
        pipeline.source.execute(f"CREATE TABLE TORTURE (ID INTEGER PRIMARY KEY, {columns})")
        for turn in range(2):
            lists = [["NULL"] * turn + held_values(backend, kind) for kind in TORTURE]
            cells = [[values[row] if row < len(values) else "NULL" for values in lists] for row in range(rows + turn)]
            inserts = [f"INSERT INTO TORTURE VALUES ({row}, {', '.join(cells[row])})" for row in range(rows + turn)]
            pipeline.source.execute("DELETE FROM TORTURE", *inserts)
            result = pipeline.load("TORTURE", batch_rows=10)
            assert result.extracted == rows + turn
        assert result.updated == rows
        yield pipeline


@pytest.mark.parametrize("layer", ["stage", "bronze"])
@pytest.mark.parametrize("kind", TORTURE)
def test_every_value_of_a_type_arrives_equal(loaded: Pipeline, kind: str, layer: str) -> None:
    """Never again: NUMBER through float64; tabs, newlines, trailing spaces and `''` altered to suit a CSV."""
    current = {"stage": "_cdc_is_current", "bronze": "UdmActiveFlag"}[layer]
    stored = loaded.name(layer, "TORTURE")
    assert loaded.backend.differing(loaded.target, loaded.source.path, "TORTURE", stored, kind, current) == []


@pytest.mark.parametrize("layer", ["stage", "bronze"])
def test_a_column_has_its_sources_type_or_is_text_where_arrow_cannot_hold_it(loaded: Pipeline, layer: str) -> None:
    types = loaded.columns(layer, "TORTURE")
    stored_types = loaded.backend.stored_types
    text = stored_types and loaded.backend.text_type
    expected = {kind: stored_types.get(kind) or text or stored or kind for kind, (stored, _) in TORTURE.items()}
    assert {kind: types[kind] for kind in TORTURE} == expected


def test_every_value_that_the_target_cannot_hold_fails_its_table_with_column_and_remedy(pipeline: Pipeline) -> None:
    """Refused before anything is stored, and told without the value."""
    refused = [(kind, value) for kind, values in pipeline.backend.refused_values.items() for value in values]
    for number, (kind, value) in enumerate(refused):
        table = f"REFUSED{number}"
        pipeline.source.execute(
            f'CREATE TABLE {table} (ID INTEGER PRIMARY KEY, "The Column" {kind})', f"INSERT INTO {table} VALUES (1, {value})"
        )
        message = pipeline.fail(table)
        assert "'The Column'" in message
        assert "view" in message
        assert "infinity" not in message
        assert pipeline.dumps(table) == ([], [])
    assert len(refused) == len(set(refused))
    everything = [(kind, value) for kind, (_, values) in TORTURE.items() for value in values]
    assert set(refused) <= set(everything)


def test_a_rerun_over_all_of_it_changes_nothing(loaded: Pipeline) -> None:
    assert loaded.load("TORTURE").changed == 0


REFUSED = {
    "STRUCT(a INTEGER)": "{'a': 1}",
    "INTEGER[]": "[1]",
    "INTEGER[2]": "[1, 2]",
    "MAP(INTEGER, INTEGER)": "MAP {1: 2}",
    "UNION(a INTEGER, b VARCHAR)": "1",
    "GEOMETRY": "'POINT(1 2)'",
    "VARIANT": "1",
}


def test_a_type_that_no_exact_route_carries_fails_its_table_with_column_and_remedy(pipeline: Pipeline) -> None:
    """The process lives on, and so do the tables beside it: hashing an extension type would abort it."""
    tables = {f"REFUSED{number}": kind for number, kind in enumerate(REFUSED)}
    for table, kind in tables.items():
        pipeline.source.execute(
            f'CREATE TABLE {table} (ID INTEGER PRIMARY KEY, "The Column" {kind})',
            f"INSERT INTO {table} VALUES (1, {REFUSED[kind]})",
        )
    pipeline.source.table("FINE", "ID INTEGER PRIMARY KEY", [(1,)])
    *refused, fine = pipeline.run_tables(*tables, "FINE")
    assert fine.status == "SUCCESS"
    for result, kind in zip(refused, tables.values(), strict=True):
        assert result.status == "FAILED"
        assert "'The Column'" in result.message
        assert kind in result.message
        assert "view" in result.message
        assert pipeline.columns("stage", result.table) == {}


def test_a_key_that_is_not_a_number_may_be_as_long_as_it_likes(pipeline: Pipeline) -> None:
    """Never again: NVARCHAR(MAX) keys that cannot be indexed."""
    long, longer = "k" * 1_000_000, "k" * 1_000_001
    pipeline.source.table("LONGKEYS", "CODE VARCHAR PRIMARY KEY, V INTEGER", [(long, 1), (longer, 2)])
    if pipeline.backend.longest_key:
        assert f"'CODE' holds text longer than {pipeline.backend.longest_key}" in pipeline.fail("LONGKEYS")
        return
    pipeline.load("LONGKEYS")
    pipeline.source.table("LONGKEYS", "CODE VARCHAR PRIMARY KEY, V INTEGER", [(long, 1), (longer, 3)])
    result = pipeline.load("LONGKEYS")
    assert (result.updated, result.unchanged) == (1, 1)
