"""EPICOR: a manufacturer's ERP (SQL Server in real life), schema Erp: keys per company, mixed-case names."""

from __future__ import annotations

from sources.sample.recipe import SourceRecipe, TableRecipe

# Part numbers that differ only in case or in a trailing blank are different parts here.
PART = TableRecipe(
    name="Part",
    columns="""
        Company VARCHAR, PartNum VARCHAR, PartDescription VARCHAR, ClassID VARCHAR, IUM VARCHAR,
        TypeCode VARCHAR, UnitPrice DECIMAL(17,5), NetWeight DOUBLE, InActive BOOLEAN, CreatedOn DATE,
        ChangedOn TIMESTAMP, SysRevID BIGINT""",
    key=("Company", "PartNum"),
    rows="""
        SELECT cycle(['EPIC06', 'EPIC07'], n) AS Company,
            cycle(['ab-', 'AB-'], n // 2) || n // 8 || cycle(['', ' '], n // 4) AS PartNum,
            cycle(['Bolt, M8 x 20 ½', 'Gasket "A"', 'Hülse', 'Spring 5''', '', NULL, '3/4" elbow'], n)
                AS PartDescription,
            cycle(['RAW', 'FG', 'WIP'], n) AS ClassID,
            cycle(['EA', 'KG', 'M', 'ea'], n) AS IUM,
            cycle(['M', 'P', 'K'], n) AS TypeCode,
            (pick(n + v, 1, 60000000) * 0.00001)::DECIMAL(17,5) AS UnitPrice,
            CASE WHEN n % 6 <> 0 THEN pick(n, 2, 100000) / 7.0 END::DOUBLE AS NetWeight,
            (n + v) % 10 = 0 AS InActive,
            born - pick(n, 3, 3000)::INTEGER AS CreatedOn,
            written::TIMESTAMP + to_milliseconds(pick(n, 4, 60000000)) AS ChangedOn,
            n * 1000 + v AS SysRevID
        FROM seed""",
    initial_rows=5_000,
    inserts_per_day=15,
    delete_every=409,
    update_every=61,
)

CUSTOMER = TableRecipe(
    name="Customer",
    columns="""
        Company VARCHAR, CustNum INTEGER, CustID VARCHAR, Name VARCHAR, Address1 VARCHAR, City VARCHAR,
        Country VARCHAR, CreditLimit DECIMAL(18,3), CreditHold BOOLEAN, EstDate DATE, SysRevID BIGINT""",
    key=("Company", "CustNum"),
    rows="""
        SELECT cycle(['EPIC06', 'EPIC07'], n) AS Company,
            (1 + n // 2)::INTEGER AS CustNum,
            'C' || lpad((n // 2)::VARCHAR, 6, '0') AS CustID,
            cycle(['Dalton Mfg', 'Añejo S.A.', 'Grünfeld & Söhne', 'ЖД Сталь', 'O''Hara''s'], n) AS Name,
            CASE WHEN n % 8 <> 0 THEN (1 + n % 200) || ' Main St.' || chr(10) || 'Suite ' || n % 40 END
                AS Address1,
            cycle(['Łódź', 'Leeds', 'Córdoba', NULL], n) AS City,
            cycle(['PL', 'GB', 'AR'], n) AS Country,
            (1000 * pick(n + v, 11, 500))::DECIMAL(18,3) AS CreditLimit,
            cycle([FALSE, FALSE, TRUE], n + v) AS CreditHold,
            born - pick(n, 12, 5000)::INTEGER AS EstDate,
            n * 1000 + v AS SysRevID
        FROM seed""",
    initial_rows=1_200,
    inserts_per_day=6,
    delete_every=113,
    update_every=41,
)

ORDER_DTL = TableRecipe(
    name="OrderDtl",
    columns="""
        Company VARCHAR, OrderNum INTEGER, OrderLine INTEGER, PartNum VARCHAR, LineDesc VARCHAR,
        OrderQty DECIMAL(22,8), UnitPrice DECIMAL(17,5), DiscountPercent DECIMAL(8,3), NeedByDate DATE,
        OpenLine BOOLEAN, ChangedOn TIMESTAMP""",
    key=("Company", "OrderNum", "OrderLine"),
    rows="""
        SELECT cycle(['EPIC06', 'EPIC07'], n // 3) AS Company,
            (5001 + n // 6)::INTEGER AS OrderNum,
            (1 + n % 3)::INTEGER AS OrderLine,
            'AB-' || pick(n, 21, 625) AS PartNum,
            CASE WHEN n % 5 <> 0 THEN 'Line ' || n || cycle(['', ' ', chr(9), ' "x"'], n) END AS LineDesc,
            (pick(n, 22, 1000000) * 0.00390625)::DECIMAL(22,8) AS OrderQty,
            (pick(n + v, 23, 60000000) * 0.00001)::DECIMAL(17,5) AS UnitPrice,
            CASE WHEN n % 4 = 0 THEN (pick(n, 24, 400) * 0.125)::DECIMAL(8,3) END AS DiscountPercent,
            born + pick(n, 25, 90)::INTEGER AS NeedByDate,
            cycle([TRUE, TRUE, FALSE], n + v) AS OpenLine,
            written::TIMESTAMP + to_milliseconds(pick(n, 26, 60000000)) AS ChangedOn
        FROM seed""",
    initial_rows=4_000,
    inserts_per_day=30,
    delete_every=307,
    update_every=37,
)

EPICOR = SourceRecipe(name="EPICOR", schema_name="Erp", tables=(CUSTOMER, ORDER_DTL, PART))
