-- Which database
SELECT DB_NAME();

-- The table, or what a synonym stands for
SELECT s.name, o.name, o.type, PARSENAME(y.base_object_name, 4), PARSENAME(y.base_object_name, 3), PARSENAME(y.base_object_name, 2), PARSENAME(y.base_object_name, 1) FROM [CCM].sys.objects AS o JOIN [CCM].sys.schemas AS s ON s.schema_id = o.schema_id LEFT JOIN [CCM].sys.synonyms AS y ON y.object_id = o.object_id WHERE o.object_id = OBJECT_ID(:name) AND o.type IN ('U', 'V', 'SN');

-- Its columns
SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION FROM [CCM].INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = :schema AND TABLE_NAME = :table ORDER BY ORDINAL_POSITION;

-- Its keys
SELECT i.index_id, i.is_primary_key, c.name FROM [CCM].sys.indexes AS i JOIN [CCM].sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id JOIN [CCM].sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id WHERE i.object_id = OBJECT_ID(:name) AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 AND i.is_hypothetical = 0 AND k.is_included_column = 0 AND k.key_ordinal > 0 ORDER BY i.index_id, k.key_ordinal;

-- Of a large table: whether an index leads with its date column
SELECT CASE WHEN EXISTS (SELECT 1 FROM [CCM].sys.indexes AS i JOIN [CCM].sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id JOIN [CCM].sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id WHERE i.object_id = o.object_id AND i.has_filter = 0 AND i.is_disabled = 0 AND i.is_hypothetical = 0 AND c.name = :column AND (k.key_ordinal = 1 OR k.partition_ordinal = 1 OR i.type IN (5, 6))) THEN 1 ELSE 0 END FROM [CCM].sys.objects AS o WHERE o.object_id = OBJECT_ID(:name) AND o.type = 'U';

-- Whether the database keeps row versions
SELECT snapshot_isolation_state, is_read_committed_snapshot_on, CAST(DATABASEPROPERTYEX(name, 'Updateability') AS nvarchar(60)) FROM sys.databases WHERE name = :database;

-- May it be read
SELECT TOP (0) CAST(NULL AS varchar(20)) AS control, [ID] AS c0, [select] AS c1, CAST([a]]b] AS nvarchar(200)) AS c2, CAST([Notes] AS nvarchar(max)) AS c3, CAST([Amount] AS decimal(19,4)) AS c4, [Rate] AS c5, CAST([At] AS datetime2(3)) AS c6, CAST([Exactly] AS varchar(27)) AS c7, CAST([Here] AS varchar(34)) AS c8, CAST([From] AS varchar(16)) AS c9, CAST([Row] AS binary(8)) AS c10, CAST([Doc] AS nvarchar(max)) AS c11, CAST([Photo] AS varbinary(max)) AS c12, [Guid] AS c13 FROM [CCM].[dbo].[Contract]]s];

-- The read, by mssql-python
SET XACT_ABORT ON;
SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON;
SET NUMERIC_ROUNDABORT OFF;
SET DATEFORMAT ymd;
SET LOCK_TIMEOUT 300000;
SET TEXTSIZE 2147483647;
SET TRANSACTION ISOLATION LEVEL SNAPSHOT;
SET CONTEXT_INFO 0x75646d2d706970656c696e652043434d2e436f6e7472616374;
SELECT CAST(COUNT_BIG(*) AS varchar(20)) AS control, CAST(NULL AS int) AS c0, CAST(NULL AS nvarchar(40)) AS c1, CAST(NULL AS nvarchar(200)) AS c2, CAST(NULL AS nvarchar(max)) AS c3, CAST(NULL AS decimal(19,4)) AS c4, CAST(NULL AS decimal(38,10)) AS c5, CAST(NULL AS datetime2(3)) AS c6, CAST(NULL AS varchar(27)) AS c7, CAST(NULL AS varchar(34)) AS c8, CAST(NULL AS varchar(16)) AS c9, CAST(NULL AS binary(8)) AS c10, CAST(NULL AS nvarchar(max)) AS c11, CAST(NULL AS varbinary(max)) AS c12, CAST(NULL AS uniqueidentifier) AS c13 FROM [CCM].[dbo].[Contract]]s] UNION ALL SELECT NULL, [ID], [select], CAST([a]]b] AS nvarchar(200)), CAST([Notes] AS nvarchar(max)), CAST([Amount] AS decimal(19,4)), [Rate], CAST([At] AS datetime2(3)), CAST([Exactly] AS varchar(27)), CAST([Here] AS varchar(34)), CAST([From] AS varchar(16)), CAST([Row] AS binary(8)), CAST([Doc] AS nvarchar(max)), CAST([Photo] AS varbinary(max)), [Guid] FROM [CCM].[dbo].[Contract]]s];

-- The read, by ConnectorX
SET XACT_ABORT ON; SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON; SET NUMERIC_ROUNDABORT OFF; SET DATEFORMAT ymd; SET LOCK_TIMEOUT 300000; SET TEXTSIZE 2147483647; SET TRANSACTION ISOLATION LEVEL SNAPSHOT; IF SUBSTRING(CONTEXT_INFO(), 1, 25) = 0x75646d2d706970656c696e652043434d2e436f6e7472616374 BEGIN SELECT CAST(COUNT_BIG(*) AS varchar(20)) AS control, CAST(NULL AS int) AS c0, CAST(NULL AS nvarchar(40)) AS c1, CAST(NULL AS nvarchar(200)) AS c2, CAST(NULL AS nvarchar(max)) AS c3, CAST(NULL AS decimal(19,4)) AS c4, CAST(NULL AS decimal(38,10)) AS c5, CAST(NULL AS datetime2(3)) AS c6, CAST(NULL AS varchar(27)) AS c7, CAST(NULL AS varchar(34)) AS c8, CAST(NULL AS varchar(16)) AS c9, CAST(NULL AS binary(8)) AS c10, CAST(NULL AS nvarchar(max)) AS c11, CAST(NULL AS varbinary(max)) AS c12, CAST(NULL AS uniqueidentifier) AS c13 FROM [CCM].[dbo].[Contract]]s] UNION ALL SELECT NULL, [ID], [select], CAST([a]]b] AS nvarchar(200)), CAST([Notes] AS nvarchar(max)), CAST([Amount] AS decimal(19,4)), [Rate], CAST([At] AS datetime2(3)), CAST([Exactly] AS varchar(27)), CAST([Here] AS varchar(34)), CAST([From] AS varchar(16)), CAST([Row] AS binary(8)), CAST([Doc] AS nvarchar(max)), CAST([Photo] AS varbinary(max)), [Guid] FROM [CCM].[dbo].[Contract]]s] END ELSE BEGIN SET CONTEXT_INFO 0x75646d2d706970656c696e652043434d2e436f6e7472616374; SELECT TOP (0) CAST(NULL AS varchar(20)) AS control, [ID] AS c0, [select] AS c1, CAST([a]]b] AS nvarchar(200)) AS c2, CAST([Notes] AS nvarchar(max)) AS c3, CAST([Amount] AS decimal(19,4)) AS c4, [Rate] AS c5, CAST([At] AS datetime2(3)) AS c6, CAST([Exactly] AS varchar(27)) AS c7, CAST([Here] AS varchar(34)) AS c8, CAST([From] AS varchar(16)) AS c9, CAST([Row] AS binary(8)) AS c10, CAST([Doc] AS nvarchar(max)) AS c11, CAST([Photo] AS varbinary(max)) AS c12, [Guid] AS c13 FROM [CCM].[dbo].[Contract]]s] END;

-- Whether a U+FFFD that arrived is the source's own
SELECT SUM(CAST(LEN(CAST([select] AS nvarchar(max)) + N'.') - LEN(REPLACE(CAST([select] AS nvarchar(max)) COLLATE Latin1_General_BIN2, NCHAR(65533), N'') + N'.') AS bigint)) FROM [CCM].[dbo].[Contract]]s];

-- Instead, where the database keeps no row versions
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
