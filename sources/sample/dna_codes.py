"""DNA's awkward text: keys that differ only in case or blanks, and text in a column named like a date."""

from __future__ import annotations

from sources.sample.recipe import TableRecipe

# Six by eight pairs of codes at first. Comparing them without case or trailing blanks would merge some.
ACCTTYP = TableRecipe(
    name="ACCTTYP",
    columns="""
        MJACCTTYPCD VARCHAR, MIACCTTYPCD VARCHAR, MIACCTTYPDESC VARCHAR, MINBAL DECIMAL(12,2),
        ACTIVEYN VARCHAR, EFFDATE DATE, LASTMAINTDATE TIMESTAMP""",
    key=("MJACCTTYPCD", "MIACCTTYPCD"),
    rows="""
        SELECT cycle(['CK', 'SAV', 'TD', 'CML', 'ck', 'CK '], n) AS MJACCTTYPCD,
            CASE WHEN n < 48 THEN cycle(['PER', 'per', 'PER ', ' PER', 'BUS', 'Bus', 'ÉTUD', ''], n // 6)
                 ELSE 'M' || n END AS MIACCTTYPCD,
            cycle(['Personal', 'personal', '', 'Business checking', NULL], n) AS MIACCTTYPDESC,
            (25 * pick(n + v, 51, 400))::DECIMAL(12,2) AS MINBAL,
            cycle(['Y', 'N'], n + v) AS ACTIVEYN,
            born - pick(n, 52, 5000)::INTEGER AS EFFDATE,
            written::TIMESTAMP + clock(n, 53) AS LASTMAINTDATE
        FROM seed""",
    initial_rows=48,
    inserts_per_day=1,
    delete_every=11,
    update_every=7,
)

# A loader that guesses types from names would take UPDATEDATE for a date and lose what is written there.
ACCTUSERFIELD = TableRecipe(
    name="ACCTUSERFIELD",
    columns="ACCTNBR BIGINT, USERFIELDCD VARCHAR, VALUE VARCHAR, UPDATEDATE VARCHAR, UPDATEDBY VARCHAR",
    key=("ACCTNBR", "USERFIELDCD"),
    rows="""
        SELECT 4000000001 + n // 2 * 3 AS ACCTNBR,
            cycle(['RISK', 'NEXTREVIEWDATE'], n) AS USERFIELDCD,
            'value ' || pick(n + v, 61, 500) || '.' || v AS VALUE,
            cycle(['not a date', 'n/a', '31/02/2024', '', ' ', NULL, '2024-13-45', 'yesterday', '2026-06-30',
                   '0'], n + v) AS UPDATEDATE,
            cycle(['batch', NULL, 'J.Doé'], n) AS UPDATEDBY
        FROM seed""",
    initial_rows=2_000,
    inserts_per_day=10,
    delete_every=199,
    update_every=43,
)
