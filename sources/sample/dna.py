"""DNA: a bank's core system (Oracle in real life), schema OSIBANK: accounts and their transactions."""

from __future__ import annotations

from sources.sample.dna_codes import ACCTTYP, ACCTUSERFIELD
from sources.sample.dna_people import ACCTACCTROLEPERS, ORG, PERS
from sources.sample.dna_types import EDGEVALUE
from sources.sample.recipe import SourceRecipe, TableRecipe

ACCT = TableRecipe(
    name="ACCT",
    columns="""
        ACCTNBR BIGINT, MJACCTTYPCD VARCHAR, MINACCTTYPCD VARCHAR, BRANCHORGNBR INTEGER, OWNPERSNBR BIGINT,
        TAXRPTFORPERSNBR BIGINT, CURRACCTSTATCD VARCHAR, CONTRACTDATE DATE, DATEMAT DATE, CLOSEDATE DATE,
        NOTEBAL DECIMAL(18,2), NOTEOPENAMT DECIMAL(18,2), NOTEINTRATE DECIMAL(9,6), ACCTDESC VARCHAR,
        NEXTRTXNNBR INTEGER, STMTYN VARCHAR, LASTMAINTDATE TIMESTAMP""",
    key=("ACCTNBR",),
    rows="""
        SELECT 4000000001 + n AS ACCTNBR,
            cycle(['CK', 'SAV', 'TD', 'CML', 'CNS', 'MTG'], n) AS MJACCTTYPCD,
            cycle(['PER', 'per', 'BUS', 'STUD', 'PER '], n) AS MINACCTTYPCD,
            (1 + pick(n, 1, 300))::INTEGER AS BRANCHORGNBR,
            1001 + pick(n, 2, 8000) AS OWNPERSNBR,
            CASE WHEN n % 3 <> 0 THEN 1001 + pick(n, 2, 8000) END AS TAXRPTFORPERSNBR,
            cycle(['ACT', 'ACT', 'ACT', 'DORM', 'ACT', 'CLS', 'ACT', 'IACT'], n + v) AS CURRACCTSTATCD,
            born - pick(n, 3, 9000)::INTEGER AS CONTRACTDATE,
            CASE WHEN n % 6 >= 2 THEN born + (30 + pick(n, 4, 10800))::INTEGER END AS DATEMAT,
            CASE WHEN (n + v) % 8 = 5 THEN written END AS CLOSEDATE,
            ((pick(n + v * 131, 5, 60000000) - 5000000)::DECIMAL(18,0) / 100)::DECIMAL(18,2) AS NOTEBAL,
            CASE WHEN n % 6 >= 2 THEN (pick(n, 6, 500000) * 100)::DECIMAL(18,2) END AS NOTEOPENAMT,
            (pick(n + v, 7, 250000) * 0.000100)::DECIMAL(9,6) AS NOTEINTRATE,
            CASE WHEN n % 11 <> 0
                THEN cycle(['Everyday', 'Premier', 'Student''s', 'Épargne', '定期預金'], n) || ' ' || n % 9
                END AS ACCTDESC,
            (2 + v)::INTEGER AS NEXTRTXNNBR,
            cycle(['Y', 'N', NULL], n) AS STMTYN,
            written::TIMESTAMP + clock(n, 8) AS LASTMAINTDATE
        FROM seed""",
    initial_rows=60_000,
    inserts_per_day=120,
    delete_every=997,
    update_every=83,
)

# A row's number is its place in time, 1,000 a day, so that a day's changes stay within the last few days: a
# windowed load looks back a week, and bookings that are older do not change. One row in 40 has no date, one
# in 199 a later one than the day's, some arrive a day late; an update moves some by a day, or fills the
# missing date.
RTXN = TableRecipe(
    name="RTXN",
    columns="""
        ACCTNBR BIGINT, RTXNNBR INTEGER, RTXNTYPCD VARCHAR, TRANAMT DECIMAL(18,2), POSTDATE DATE,
        EFFDATE DATE, ACTDATETIME TIMESTAMP, CASHBOXNBR INTEGER, ORIGPERSNBR BIGINT, CURRRTXNSTATCD VARCHAR,
        EXTRTXNDESCTEXT VARCHAR, LASTMAINTDATE TIMESTAMP""",
    key=("ACCTNBR", "RTXNNBR"),
    rows="""
        WITH dated AS (
            SELECT *, CASE WHEN n < 90000 THEN born - (89 - n // 1000)::INTEGER
                           WHEN n % 50 = 7 THEN born - 1 ELSE born END AS booked
            FROM seed)
        SELECT 4000000001 + n * 7919 % 60000 AS ACCTNBR,
            (1 + n // 60000)::INTEGER AS RTXNNBR,
            cycle(['DEP', 'WTH', 'XFR', 'ACHD', 'ACHC', 'FEE', 'INT'], n) AS RTXNTYPCD,
            ((pick(n + v * 131, 11, 2000000) - 1000000)::DECIMAL(18,0) / 100)::DECIMAL(18,2) AS TRANAMT,
            CASE WHEN n % 40 = 0 AND v <= b THEN NULL
                 WHEN n % 199 = 3 THEN born + (1 + pick(n, 12, 20))::INTEGER
                 ELSE booked - (CASE WHEN v > b AND n % 5 = 2 THEN 1 ELSE 0 END)::INTEGER END AS POSTDATE,
            booked AS EFFDATE,
            booked::TIMESTAMP + clock(n, 13) AS ACTDATETIME,
            CASE WHEN n % 4 = 0 THEN pick(n, 14, 40)::INTEGER END AS CASHBOXNBR,
            CASE WHEN n % 9 <> 0 THEN 1001 + pick(n, 15, 8000) END AS ORIGPERSNBR,
            cycle(['C', 'C', 'P', 'C', 'R'], n + v) AS CURRRTXNSTATCD,
            CASE WHEN n % 13 <> 0 THEN 'Ref ' || n || cycle(['', ' ', chr(9) || 'TAB', ' "q"', ' é'], n) END
                AS EXTRTXNDESCTEXT,
            written::TIMESTAMP + clock(n, 16) AS LASTMAINTDATE
        FROM dated""",
    initial_rows=90_000,
    inserts_per_day=1_000,
    delete_every=101,
    update_every=37,
    newest_rows=2_000,
    date_column="POSTDATE",
    initial_days=90,
)

# Empty at first: the first day's extract has columns but no rows.
ACCTLOCK = TableRecipe(
    name="ACCTLOCK",
    columns="""
        ACCTNBR BIGINT, ACCTLOCKCD VARCHAR, LOCKDATE DATE, EXPIREDATE DATE, LOCKAMT DECIMAL(18,2),
        REASON VARCHAR""",
    key=("ACCTNBR", "ACCTLOCKCD"),
    rows="""
        SELECT 4000000001 + n * 17 AS ACCTNBR,
            cycle(['LEGAL', 'FRAUD', 'DECEASED'], n) AS ACCTLOCKCD,
            born AS LOCKDATE,
            CASE WHEN n % 2 = 0 THEN written + 30 END AS EXPIREDATE,
            (100 * (n + 1) + v)::DECIMAL(18,2) AS LOCKAMT,
            cycle([NULL, '', 'court order'], n) AS REASON
        FROM seed""",
    initial_rows=0,
    inserts_per_day=24,
    delete_every=5,
    update_every=4,
)

DNA = SourceRecipe(
    name="DNA",
    schema_name="OSIBANK",
    tables=(ACCT, ACCTTYP, ACCTACCTROLEPERS, ACCTLOCK, ACCTUSERFIELD, EDGEVALUE, ORG, PERS, RTXN),
)
