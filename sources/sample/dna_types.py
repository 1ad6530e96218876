"""DNA's table of extremes: what every type can hold that some driver, file format or target cannot."""

from __future__ import annotations

from sources.sample.recipe import TableRecipe

# Per column: name, type, and SQL literals to be cast to the type. The lists have different, mostly prime
# lengths, so that the extremes meet in many combinations.
_EDGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "EXACT",
        "DECIMAL(38,10)",
        (
            "'9999999999999999999999999999.9999999999'",
            "'-9999999999999999999999999999.9999999999'",
            "'0.0000000001'",
            "'-0.0000000001'",
            "'12345678901234567.8901234567'",
            "'0'",
            "NULL",
        ),
    ),
    ("WHOLE", "DECIMAL(38,0)", (f"'{'9' * 38}'", f"'-{'9' * 38}'", "'1'", "'0'", "NULL")),
    ("SMALLDEC", "DECIMAL(4,4)", ("'0.9999'", "'-0.9999'", "'0.0001'")),
    (
        "APPROX",
        "DOUBLE",
        (
            *("'nan'", "'inf'", "'-inf'", "'-0.0'", "'0.0'", "'0.1'", "NULL"),
            *("'5e-324'", "'-2.2250738585072014e-308'", "'1.7976931348623157e308'", "'9007199254740992'"),
        ),
    ),
    ("APPROXREAL", "REAL", ("'nan'", "'3.4028235e38'", "'1e-45'", "'0.1'", "NULL")),
    (
        "RAW",
        "BLOB",
        (
            *("''", r"'\x00'", r"'\x00\x00\xFF'", r"'\x0D\x0A\x09\x2C\x22'", "'text'"),
            *(r"repeat('\xDE\xAD', 5000)", "NULL"),
        ),
    ),
    ("FLAG", "BOOLEAN", ("TRUE", "FALSE", "NULL")),
    (
        "DAY",
        "DATE",
        (
            *("'0001-01-01'", "'9999-12-31'", "'1582-10-10'", "'1900-02-28'", "'2024-02-29'", "'1969-12-31'"),
            "NULL",
        ),
    ),
    (
        "INSTANT",
        "TIMESTAMP",
        (
            *("'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.999999'"),
            *("'2026-03-29 02:30:00.000001'", "NULL"),
        ),
    ),
    (
        "INSTANTNS",
        "TIMESTAMP_NS",
        (
            *("'1677-09-22 00:00:00.000000001'", "'2262-04-11 23:47:16.854775806'"),
            *("'2026-06-30 12:34:56.123456789'", "NULL"),
        ),
    ),
    # Every literal has an offset: without one the cast would read it in the session's time zone.
    (
        "INSTANTTZ",
        "TIMESTAMPTZ",
        (
            *("'0001-01-01 00:00:00+00'", "'9999-12-31 23:59:59.999999+00'"),
            *("'2026-06-30 12:00:00.000001+05:30'", "'2026-10-25 01:30:00-04'", "NULL"),
        ),
    ),
    ("CLOCK", "TIME", ("'00:00:00'", "'24:00:00'", "'23:59:59.999999'", "'12:00:00.000001'", "NULL")),
    ("HUGE", "HUGEINT", (f"'{2**127 - 1}'", f"'{-(2**127)}'", "'-1'", "'0'", "NULL")),
    ("UHUGE", "UHUGEINT", (f"'{2**128 - 1}'", f"'{2**127}'", "'0'", "NULL")),
    ("UBIG", "UBIGINT", (f"'{2**64 - 1}'", f"'{2**63}'", "'0'", "NULL")),
    ("BIG", "BIGINT", (f"'{2**63 - 1}'", f"'{-(2**63)}'", "'0'", "NULL")),
    ("TINY", "TINYINT", ("'127'", "'-128'", "'0'", "NULL")),
    ("UTINY", "UTINYINT", ("'255'", "'0'", "NULL")),
    (
        "TXT",
        "VARCHAR",
        (
            *("''", "' '", "NULL", "'NULL'", "'trailing '", "chr(9)", "chr(10)", "chr(1)"),
            *("'\"'", "''''", r"'\'", "chr(128169)", "'é'", "'e' || chr(769)"),
        ),
    ),
)

_EDGE_COLUMNS = ", ".join(f"{name} {type_}" for name, type_, _ in _EDGES)
_EDGE_VALUES = ", ".join(f"cycle([{', '.join(literals)}]::{type_}[], n + v) AS {name}" for name, type_, literals in _EDGES)

# The key starts at 2**53, where a key carried as a float would merge with its neighbour.
EDGEVALUE = TableRecipe(
    name="EDGEVALUE",
    columns=f"""
        EDGENBR BIGINT, {_EDGE_COLUMNS}, GUID UUID,
        "ORDER" INTEGER, "SELECT" VARCHAR, "Interest Rate" DECIMAL(9,6), "mixedCase" VARCHAR,
        LASTMAINTDATE TIMESTAMP""",
    key=("EDGENBR",),
    rows=f"""
        SELECT {2**53} + n AS EDGENBR,
            {_EDGE_VALUES},
            CASE n % 5 WHEN 0 THEN '00000000-0000-0000-0000-000000000000'::UUID
                       WHEN 1 THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID
                       WHEN 2 THEN md5('edge' || n)::UUID END AS GUID,
            CASE WHEN n % 4 <> 0 THEN (n - 100)::INTEGER END AS "ORDER",
            cycle(['SELECT', 'drop table', NULL], n) AS "SELECT",
            (pick(n + v, 71, 9999) * 0.000001)::DECIMAL(9,6) AS "Interest Rate",
            cycle(['Aa', 'aA', NULL], n) AS "mixedCase",
            written::TIMESTAMP + clock(n, 72) AS LASTMAINTDATE
        FROM seed""",
    initial_rows=240,
    inserts_per_day=6,
    delete_every=23,
    update_every=13,
)
