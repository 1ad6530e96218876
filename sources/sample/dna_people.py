"""DNA's persons, organisations and their roles on accounts: text as people really write it."""

from __future__ import annotations

from sources.sample.recipe import TableRecipe

PERS = TableRecipe(
    name="PERS",
    columns="""
        PERSNBR BIGINT, FIRSTNAME VARCHAR, MDLNAME VARCHAR, LASTNAME VARCHAR, PREFNAME VARCHAR,
        TAXID VARCHAR, DATEBIRTH DATE, EMAILADDR VARCHAR, EMPLOYEEYN VARCHAR, NOTE VARCHAR, ADDDATE DATE,
        LASTMAINTDATE TIMESTAMP""",
    key=("PERSNBR",),
    rows="""
        SELECT 1001 + n AS PERSNBR,
            cycle(['José', 'Zoë', 'Łukasz', 'Nguyễn', '太郎', '小明', '지우', 'Αλέξης', 'Ольга', 'محمد',
                   'Søren', 'Anne-Marie', 'O''Neil', 'Mary', 'John', 'Z' || chr(128512),
                   chr(127467) || chr(127479)], n) AS FIRSTNAME,
            cycle(['', ' ', NULL, 'J.', '  two  ', 'van der'], n) AS MDLNAME,
            cycle(['Müller', 'García', 'Ångström', '山田', '王', 'D''Arcy', 'Smith', 'smith', 'Smith ',
                   'Jones', 'NULL', 'Cafe' || chr(769), 'Café'], n) AS LASTNAME,
            cycle([NULL, 'the "Duke"', 'back\\slash', 'a,b;c|d', '%_[]', '''; --'], n) AS PREFNAME,
            lpad((pick(n, 21, 60000000) * 16 + n % 16)::VARCHAR, 9, '0') AS TAXID,
            CASE WHEN n % 17 <> 0 THEN DATE '1925-01-01' + pick(n, 22, 30000)::INTEGER END AS DATEBIRTH,
            CASE WHEN n % 5 <> 0 THEN 'p' || n || '.' || v || '@example.com' END AS EMAILADDR,
            cycle(['N', 'N', 'Y'], n) AS EMPLOYEEYN,
            CASE WHEN n % 1000 = 17 THEN repeat('long text, ' || n || ' ✓ ', 2000)
                 ELSE cycle([NULL, '', ' ', 'tab' || chr(9) || 'tab', 'line' || chr(10) || 'line',
                             'crlf' || chr(13) || chr(10), 'quote " and '' quote', ' both ends ',
                             chr(160) || 'nbsp',
                             chr(8203), '100% sure', '\\N', 'nul? no', chr(65279) || 'bom'], n) END AS NOTE,
            born - pick(n, 23, 4000)::INTEGER AS ADDDATE,
            written::TIMESTAMP + clock(n, 24) AS LASTMAINTDATE
        FROM seed""",
    initial_rows=8_000,
    inserts_per_day=25,
    delete_every=499,
    update_every=101,
)

ORG = TableRecipe(
    name="ORG",
    columns="""
        ORGNBR INTEGER, ORGNAME VARCHAR, ORGTYPCD VARCHAR, PARENTORGNBR INTEGER, CITYNAME VARCHAR,
        OPENDATE DATE, HEADCOUNT SMALLINT, LASTMAINTDATE TIMESTAMP""",
    key=("ORGNBR",),
    rows="""
        SELECT (1 + n)::INTEGER AS ORGNBR,
            'Branch ' || (1 + n) AS ORGNAME,
            cycle(['BRCH', 'DEPT', 'REGN'], n) AS ORGTYPCD,
            CASE WHEN n >= 10 THEN (1 + n % 10)::INTEGER END AS PARENTORGNBR,
            cycle(['Zürich', 'São Paulo', 'Kraków', '東京', 'Boston', 'St. John''s'], n) AS CITYNAME,
            born - pick(n, 31, 12000)::INTEGER AS OPENDATE,
            (2 + (pick(n, 32, 90) + v) % 32000)::SMALLINT AS HEADCOUNT,
            written::TIMESTAMP + clock(n, 33) AS LASTMAINTDATE
        FROM seed""",
    initial_rows=300,
    inserts_per_day=2,
    delete_every=53,
    update_every=29,
)

# No primary key: a unique index on NOT NULL columns, as in many an add-on of a bank.
ACCTACCTROLEPERS = TableRecipe(
    name="ACCTACCTROLEPERS",
    columns="""
        ACCTNBR BIGINT NOT NULL, ACCTROLECD VARCHAR NOT NULL, PERSNBR BIGINT NOT NULL, EFFDATE DATE,
        INACTIVEDATE DATE, EMPLOYEEACCTYN VARCHAR, LASTMAINTDATE TIMESTAMP""",
    key=("ACCTNBR", "ACCTROLECD", "PERSNBR"),
    key_is_index=True,
    rows="""
        SELECT 4000000001 + n // 2 AS ACCTNBR,
            cycle(['OWN', 'SIGN'], n) AS ACCTROLECD,
            1001 + pick(n, 41, 8000) AS PERSNBR,
            born - pick(n, 42, 3000)::INTEGER AS EFFDATE,
            CASE WHEN (n + v) % 6 = 0 THEN written END AS INACTIVEDATE,
            cycle(['Y', 'N', NULL], n + v) AS EMPLOYEEACCTYN,
            written::TIMESTAMP + clock(n, 43) AS LASTMAINTDATE
        FROM seed""",
    initial_rows=4_000,
    inserts_per_day=20,
    delete_every=331,
    update_every=67,
)
