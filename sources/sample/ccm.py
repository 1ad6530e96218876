"""CCM: a card management system (SQL Server in real life), schema dbo: UUID keys, money, flags."""

from __future__ import annotations

from sources.sample.recipe import SourceRecipe, TableRecipe

CARD = TableRecipe(
    name="Card",
    columns="""
        CardId UUID, CardholderId INTEGER, MaskedPan VARCHAR, ProductCode VARCHAR, StatusCode TINYINT,
        IsVirtual BOOLEAN, ExpiryDate DATE, CreditLimit DECIMAL(19,4), IssuedAt TIMESTAMP,
        ModifiedAt TIMESTAMP""",
    key=("CardId",),
    rows="""
        SELECT md5('card ' || n)::UUID AS CardId,
            (1 + pick(n, 1, 3000))::INTEGER AS CardholderId,
            '411111******' || lpad((n % 10000)::VARCHAR, 4, '0') AS MaskedPan,
            cycle(['GOLD', 'CLASSIC', 'DEBIT', 'Gold'], n) AS ProductCode,
            ((n + v) % 5)::TINYINT AS StatusCode,
            n % 7 = 0 AS IsVirtual,
            born + (365 + pick(n, 2, 1400))::INTEGER AS ExpiryDate,
            CASE WHEN n % 3 <> 0 THEN (500 * pick(n + v, 3, 60))::DECIMAL(19,4) END AS CreditLimit,
            born::TIMESTAMP - to_seconds(pick(n, 4, 60000000)) AS IssuedAt,
            written::TIMESTAMP + to_milliseconds(pick(n, 5, 60000000)) AS ModifiedAt
        FROM seed""",
    initial_rows=5_000,
    inserts_per_day=20,
    delete_every=401,
    update_every=59,
)

CARDHOLDER = TableRecipe(
    name="Cardholder",
    columns="""
        CardholderId INTEGER, FullName VARCHAR, EmbossedName VARCHAR, CountryCode VARCHAR,
        PhoneNumber VARCHAR, BirthDate DATE, OptIn BOOLEAN, ModifiedAt TIMESTAMP""",
    key=("CardholderId",),
    rows="""
        SELECT (1 + n)::INTEGER AS CardholderId,
            cycle(['Chloé', 'Ming', 'Ivan', 'Siân', 'Ana'], n) || ' '
                || cycle(['Núñez', 'O''Brien', 'Łoś'], n) AS FullName,
            CASE WHEN n % 4 <> 0 THEN 'HOLDER ' || n END AS EmbossedName,
            cycle(['GB', 'US', 'FR', 'JP', NULL], n) AS CountryCode,
            '+' || (10000000000 + pick(n + v, 11, 60000000) * 100) AS PhoneNumber,
            DATE '1930-01-01' + pick(n, 12, 27000)::INTEGER AS BirthDate,
            cycle([TRUE, FALSE, NULL], n + v) AS OptIn,
            written::TIMESTAMP + to_milliseconds(pick(n, 13, 60000000)) AS ModifiedAt
        FROM seed""",
    initial_rows=3_000,
    inserts_per_day=12,
    delete_every=241,
    update_every=47,
)

CARD_AUTHORIZATION = TableRecipe(
    name="CardAuthorization",
    columns="""
        AuthorizationId BIGINT, CardId UUID, Amount DECIMAL(19,4), CurrencyCode VARCHAR,
        MerchantName VARCHAR, AuthorizedAt TIMESTAMP, Approved BOOLEAN, ResponseCode VARCHAR,
        SettledAmount DECIMAL(19,4), ModifiedAt TIMESTAMP""",
    key=("AuthorizationId",),
    rows="""
        SELECT 70000000000 + n AS AuthorizationId,
            md5('card ' || pick(n, 21, 5000))::UUID AS CardId,
            CASE WHEN n % 1000 = 1 THEN '922337203685477.5807'::DECIMAL(19,4)
                 WHEN n % 1000 = 2 THEN '-922337203685477.5808'::DECIMAL(19,4)
                 ELSE (pick(n, 22, 20000000) * 0.0001)::DECIMAL(19,4) END AS Amount,
            cycle(['EUR', 'USD', 'JPY'], n) AS CurrencyCode,
            cycle(['Café "Zoë"', 'ACME, Inc.', '寿司', 'tab' || chr(9) || 'shop', ''], n) AS MerchantName,
            born::TIMESTAMP + to_milliseconds(pick(n, 23, 60000000)) AS AuthorizedAt,
            n % 9 <> 0 AS Approved,
            CASE WHEN n % 9 = 0 THEN '05' ELSE '00' END AS ResponseCode,
            CASE WHEN v > 0 THEN (pick(n + v, 24, 20000000) * 0.0001)::DECIMAL(19,4) END AS SettledAmount,
            written::TIMESTAMP + to_milliseconds(pick(n, 25, 60000000)) AS ModifiedAt
        FROM seed""",
    initial_rows=5_000,
    inserts_per_day=60,
    delete_every=503,
    update_every=31,
)

CCM = SourceRecipe(name="CCM", schema_name="dbo", tables=(CARD, CARD_AUTHORIZATION, CARDHOLDER))
