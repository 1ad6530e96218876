-- Every session begins with (wherever a parameter is NULL the literal is sent)

SET XACT_ABORT ON;

SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON;

SET NUMERIC_ROUNDABORT OFF;

SET DATEFORMAT ymd;

SET LOCK_TIMEOUT 300000;

-- At the start: the server and its databases

SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), CAST(SERVERPROPERTY('EngineEdition') AS int);

SELECT DB_ID(?);

CREATE DATABASE [UDM_Stage]; -- only with --create-databases;

-- At the start: warnings

SELECT name
 FROM sys.databases
 WHERE is_read_committed_snapshot_on = 0
 AND name IN (:stage, :bronze) ORDER BY name;

EXEC [UDM_Stage].sys.sp_executesql N'SELECT used_log_space_in_percent
 FROM sys.dm_db_log_space_usage';

EXEC [UDM_Bronze].sys.sp_executesql N'SELECT used_log_space_in_percent
 FROM sys.dm_db_log_space_usage';

EXEC [General].sys.sp_executesql N'SELECT used_log_space_in_percent
 FROM sys.dm_db_log_space_usage';

-- The catalogue

SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION
 FROM [UDM_Stage].INFORMATION_SCHEMA.COLUMNS
 WHERE TABLE_SCHEMA = :schema
 AND TABLE_NAME = :table ORDER BY ORDINAL_POSITION;

SELECT TABLE_NAME
 FROM [UDM_Stage].INFORMATION_SCHEMA.TABLES
 WHERE TABLE_SCHEMA = :schema
 AND TABLE_TYPE = 'BASE TABLE';

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
 FROM [General].INFORMATION_SCHEMA.COLUMNS;

-- The first run: what General, Stage and Bronze lack

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
 FROM [General].INFORMATION_SCHEMA.COLUMNS;

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
 FROM [General].INFORMATION_SCHEMA.COLUMNS;

USE [General];

IF SCHEMA_ID(N'dbo') IS NULL EXEC (N'CREATE SCHEMA [dbo]');

USE [General];

IF SCHEMA_ID(N'ops') IS NULL EXEC (N'CREATE SCHEMA [ops]');

USE [General];

IF OBJECT_ID(N'[ops].[PipelineBatchSequence_BatchId]', N'SO') IS NULL EXEC (N'CREATE SEQUENCE ops.[PipelineBatchSequence_BatchId] AS BIGINT START WITH 1');

USE [General];

IF OBJECT_ID(N'[ops].[HashLayout_LayoutId]', N'SO') IS NULL EXEC (N'CREATE SEQUENCE ops.[HashLayout_LayoutId] AS BIGINT START WITH 1');

USE [General];

IF OBJECT_ID(N'[General].dbo.[UdmTablesColumnsList]', N'U') IS NULL CREATE TABLE [General].dbo.[UdmTablesColumnsList] ( [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [ColumnName] NVARCHAR(128) NOT NULL, [OrdinalPosition] INTEGER NULL, [IsPrimaryKey] BIT NULL, [Layer] NVARCHAR(50) NULL, [IsIndex] BIT NULL, [IndexName] NVARCHAR(128) NULL, [IndexType] NVARCHAR(50) NULL, [IsExcludedFromHash] BIT NULL, [MaskWith] NVARCHAR(50) NULL );

USE [General];

IF OBJECT_ID(N'[General].dbo.[UdmTablesList]', N'U') IS NULL CREATE TABLE [General].dbo.[UdmTablesList] ( [SourceName] NVARCHAR(128) NOT NULL, [SourceObjectName] NVARCHAR(128) NOT NULL, [SourceServer] NVARCHAR(256) NULL, [SourceDatabase] NVARCHAR(128) NULL, [SourceSchemaName] NVARCHAR(128) NULL, [StageTableName] NVARCHAR(128) NULL, [BronzeTableName] NVARCHAR(128) NULL, [SourceAggregateColumnName] NVARCHAR(128) NULL, [SourceAggregateColumnType] NVARCHAR(128) NULL, [SourceIndexHint] NVARCHAR(256) NULL, [PartitionOn] NVARCHAR(128) NULL, [FirstLoadDate] DATE NULL, [LookbackDays] INTEGER NULL, [StageLoadTool] NVARCHAR(50) NULL, [AllowedAgeMinutes] INTEGER NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[HashLayout]', N'U') IS NULL CREATE TABLE [General].ops.[HashLayout] ( [LayoutId] BIGINT NOT NULL, [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [Definition] NVARCHAR(max) NOT NULL, [CatalogueKey] NVARCHAR(max) NULL, [CreatedBatchId] BIGINT NOT NULL, [CreatedAt] DATETIME2(6) NOT NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[PipelineBatchSequence]', N'U') IS NULL CREATE TABLE [General].ops.[PipelineBatchSequence] ( [BatchId] BIGINT NOT NULL, [RunBatchId] BIGINT NULL, [StartedAt] DATETIME2(6) NOT NULL, [HostName] NVARCHAR(256) NOT NULL, [ProcessId] BIGINT NOT NULL, [Command] NVARCHAR(max) NOT NULL, [EndedAt] DATETIME2(6) NULL, [ExitStatus] INTEGER NULL, PRIMARY KEY ([BatchId]) );

USE [General];

IF OBJECT_ID(N'[General].ops.[PipelineEventLog]', N'U') IS NULL CREATE TABLE [General].ops.[PipelineEventLog] ( [BatchId] BIGINT NOT NULL, [EventNumber] BIGINT NOT NULL, [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [EventType] NVARCHAR(20) NOT NULL, [Status] NVARCHAR(10) NOT NULL, [StartedAt] DATETIME2(6) NOT NULL, [EndedAt] DATETIME2(6) NOT NULL, [DurationMs] BIGINT NOT NULL, [RowsExtracted] BIGINT NULL, [RowsInserted] BIGINT NULL, [RowsUpdated] BIGINT NULL, [RowsDeleted] BIGINT NULL, [RowsUnchanged] BIGINT NULL, [RowsQuarantined] BIGINT NULL, [RowsDuplicate] BIGINT NULL, [IsForced] BIT NOT NULL, [ErrorType] NVARCHAR(128) NULL, [Message] NVARCHAR(max) NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[PipelineExtractionState]', N'U') IS NULL CREATE TABLE [General].ops.[PipelineExtractionState] ( [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [WindowKind] NVARCHAR(10) NOT NULL, [ExtractDate] DATE NULL, [AttemptNumber] BIGINT NOT NULL, [BatchId] BIGINT NOT NULL, [State] NVARCHAR(10) NOT NULL, [BeganAt] DATETIME2(6) NOT NULL, [EndedAt] DATETIME2(6) NULL, [RowsExtracted] BIGINT NULL, [RowsChanged] BIGINT NULL, [IsForced] BIT NULL, [ErrorMessage] NVARCHAR(max) NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[PipelineLog]', N'U') IS NULL CREATE TABLE [General].ops.[PipelineLog] ( [BatchId] BIGINT NOT NULL, [LogNumber] BIGINT NOT NULL, [LoggedAt] DATETIME2(6) NOT NULL, [LogLevel] NVARCHAR(10) NOT NULL, [LoggerName] NVARCHAR(256) NOT NULL, [SourceName] NVARCHAR(128) NULL, [TableName] NVARCHAR(128) NULL, [EventType] NVARCHAR(20) NULL, [Message] NVARCHAR(max) NOT NULL, [ExceptionText] NVARCHAR(max) NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[Quarantine]', N'U') IS NULL CREATE TABLE [General].ops.[Quarantine] ( [BatchId] BIGINT NOT NULL, [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [Reason] NVARCHAR(30) NOT NULL, [KeyDigest] NVARCHAR(64) NULL, [RowJson] NVARCHAR(max) NULL, [QuarantinedAt] DATETIME2(6) NOT NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[ReconciliationDifference]', N'U') IS NULL CREATE TABLE [General].ops.[ReconciliationDifference] ( [BatchId] BIGINT NOT NULL, [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [Layer] NVARCHAR(10) NOT NULL, [Difference] NVARCHAR(10) NOT NULL, [KeyDigest] NVARCHAR(64) NOT NULL, [KeyText] NVARCHAR(max) NULL, [ColumnName] NVARCHAR(128) NULL, [SourceValue] NVARCHAR(max) NULL, [LayerValue] NVARCHAR(max) NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[ReconciliationLog]', N'U') IS NULL CREATE TABLE [General].ops.[ReconciliationLog] ( [BatchId] BIGINT NOT NULL, [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [CheckName] NVARCHAR(50) NOT NULL, [Status] NVARCHAR(10) NOT NULL, [RowsCompared] BIGINT NULL, [RowsDifferent] BIGINT NULL, [ColumnsDifferent] NVARCHAR(max) NULL, [DurationMs] BIGINT NULL, [LoggedAt] DATETIME2(6) NOT NULL, [Details] NVARCHAR(max) NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[ReconciliationSeal]', N'U') IS NULL CREATE TABLE [General].ops.[ReconciliationSeal] ( [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [EndMonth] DATE NOT NULL, [SealedUpTo] DATETIME2(6) NOT NULL, [Versions] BIGINT NOT NULL, [Checksum] NVARCHAR(32) NOT NULL, [Columns] NVARCHAR(max) NOT NULL, [BatchId] BIGINT NOT NULL, [SealedAt] DATETIME2(6) NOT NULL );

USE [General];

IF OBJECT_ID(N'[General].ops.[TablePublished]', N'U') IS NULL CREATE TABLE [General].ops.[TablePublished] ( [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [BatchId] BIGINT NOT NULL, [Instant] DATETIME2(6) NOT NULL, [PublishedAt] DATETIME2(6) NOT NULL );

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
 FROM [UDM_Stage].INFORMATION_SCHEMA.COLUMNS;

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
 FROM [UDM_Stage].INFORMATION_SCHEMA.COLUMNS;

USE [UDM_Stage];

IF SCHEMA_ID(N'ops') IS NULL EXEC (N'CREATE SCHEMA [ops]');

USE [UDM_Stage];

IF OBJECT_ID(N'[UDM_Stage].ops.[PromotionMarker]', N'U') IS NULL CREATE TABLE [UDM_Stage].ops.[PromotionMarker] ( [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [BatchId] BIGINT NOT NULL, [Instant] DATETIME2(6) NOT NULL, [RowsInserted] BIGINT NOT NULL, [RowsUpdated] BIGINT NOT NULL, [RowsDeleted] BIGINT NOT NULL, [Chunks] BIGINT NULL, [ChunksDone] BIGINT NULL );

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
 FROM [UDM_Bronze].INFORMATION_SCHEMA.COLUMNS;

SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME
 FROM [UDM_Bronze].INFORMATION_SCHEMA.COLUMNS;

USE [UDM_Bronze];

IF SCHEMA_ID(N'ops') IS NULL EXEC (N'CREATE SCHEMA [ops]');

USE [UDM_Bronze];

IF OBJECT_ID(N'[UDM_Bronze].ops.[PromotionMarker]', N'U') IS NULL CREATE TABLE [UDM_Bronze].ops.[PromotionMarker] ( [SourceName] NVARCHAR(128) NOT NULL, [TableName] NVARCHAR(128) NOT NULL, [BatchId] BIGINT NOT NULL, [Instant] DATETIME2(6) NOT NULL, [RowsInserted] BIGINT NOT NULL, [RowsUpdated] BIGINT NOT NULL, [RowsDeleted] BIGINT NOT NULL, [Chunks] BIGINT NULL, [ChunksDone] BIGINT NULL );

-- The table's lock, on the session that the promotions run on

USE [General];

SET NOCOUNT ON; DECLARE @result int; EXEC @result = sp_getapplock @Resource = ?, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = ?;
 SELECT @result;

SELECT TOP 1 s.host_name, s.program_name, s.login_name, s.host_process_id
 FROM sys.dm_tran_locks AS l
 JOIN sys.dm_exec_sessions AS s
 ON s.session_id = l.request_session_id
 WHERE l.resource_type = 'APPLICATION'
 AND l.request_status = 'GRANT'
 AND l.request_session_id <> @@SPID
 AND CHARINDEX(:shown, l.resource_description) > 0;

EXEC sp_releaseapplock @Resource = ?, @LockOwner = 'Session';

-- Clocks, numbers and keys

SELECT NEXT VALUE FOR [General].ops.[PipelineBatchSequence_BatchId] AS next_value_1;

SELECT [General].dbo.[UdmTablesColumnsList].[ColumnName], [General].dbo.[UdmTablesColumnsList].[IsPrimaryKey], [General].dbo.[UdmTablesColumnsList].[IsExcludedFromHash], [General].dbo.[UdmTablesColumnsList].[IsIndex], [General].dbo.[UdmTablesColumnsList].[MaskWith], [General].dbo.[UdmTablesColumnsList].[Layer], [General].dbo.[UdmTablesColumnsList].[IndexName], [General].dbo.[UdmTablesColumnsList].[IndexType]
 FROM [General].dbo.[UdmTablesColumnsList]
 WHERE lower([General].dbo.[UdmTablesColumnsList].[SourceName]) = lower(:param_1)
 AND lower([General].dbo.[UdmTablesColumnsList].[TableName]) = lower(:param_2) ORDER BY [General].dbo.[UdmTablesColumnsList].[OrdinalPosition], [General].dbo.[UdmTablesColumnsList].[ColumnName];

SELECT CAST(SYSUTCDATETIME() AS datetime2(6));

SELECT max([UDM_Stage].ops.[PromotionMarker].[Instant]) AS max_1
 FROM [UDM_Stage].ops.[PromotionMarker]
 WHERE [UDM_Stage].ops.[PromotionMarker].[SourceName] = :SourceName_1
 AND [UDM_Stage].ops.[PromotionMarker].[TableName] = :TableName_1;

SELECT max([General].ops.[TablePublished].[Instant]) AS max_1
 FROM [General].ops.[TablePublished]
 WHERE [General].ops.[TablePublished].[SourceName] = :SourceName_1
 AND [General].ops.[TablePublished].[TableName] = :TableName_1;

-- A table's first load: Stage, Bronze and the batch's staging table

USE [UDM_Stage];

IF OBJECT_ID(N'[UDM_Stage].[DNA].[ACCT_cdc]', N'U') IS NULL CREATE TABLE [UDM_Stage].[DNA].[ACCT_cdc] ( [ACCTNBR] bigint NULL, [NOTEBAL] decimal(22,3) NULL, [Order] nvarchar(max) NULL, [OPENED] time(6) NULL, [SENT] datetimeoffset(6) NULL, [GUID] uniqueidentifier NULL, _key_hash binary(16) NOT NULL, _row_hash binary(16) NOT NULL, _hash_layout BIGINT NOT NULL, _extracted_at DATETIME2(6) NOT NULL, _cdc_operation NVARCHAR(1) NOT NULL, _cdc_valid_from DATETIME2(6) NOT NULL, _cdc_valid_to DATETIME2(6) NULL, _cdc_is_current BIT NOT NULL, _cdc_batch_id BIGINT NOT NULL );

USE [UDM_Bronze];

IF OBJECT_ID(N'[UDM_Bronze].[DNA].[ACCT_scd2_python]', N'U') IS NULL CREATE TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ( _scd2_key BIGINT NOT NULL IDENTITY, [ACCTNBR] bigint NULL, [NOTEBAL] decimal(22,3) NULL, [Order] nvarchar(max) NULL, [OPENED] time(6) NULL, [SENT] datetimeoffset(6) NULL, [GUID] uniqueidentifier NULL, _key_hash binary(16) NOT NULL, [UdmHash] binary(16) NOT NULL, _hash_layout BIGINT NOT NULL, [UdmEffectiveDateTime] DATETIME2(6) NOT NULL, [UdmEndDateTime] DATETIME2(6) NULL, [UdmActiveFlag] BIT NOT NULL, [UdmScd2Operation] NVARCHAR(1) NOT NULL, _batch_id BIGINT NOT NULL, _end_batch_id BIGINT NULL, PRIMARY KEY (_scd2_key) );

USE [UDM_Stage];

IF OBJECT_ID(N'[UDM_Stage].[DNA].[_staging_ACCT_7]', N'U') IS NULL CREATE TABLE [UDM_Stage].[DNA].[_staging_ACCT_7] ( [ACCTNBR] bigint NULL, [NOTEBAL] decimal(22,3) NULL, [Order] nvarchar(max) NULL, [OPENED] time(6) NULL, [SENT] datetimeoffset(6) NULL, [GUID] uniqueidentifier NULL, _key_hash varbinary(16) NULL, _row_hash varbinary(16) NULL, _hash_layout bigint NULL, _cdc_operation nvarchar(2) NULL );

-- Where another worker was quicker to create a schema

SELECT SCHEMA_ID(:schema);

-- A column that came to the source

USE [UDM_Bronze];

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ADD [SINCE] nvarchar(max) NULL;

-- A column that became wider; what stands in the way of a rewriting one, and how long it waits

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ALTER COLUMN [NOTEBAL] decimal(24,3) NULL;

SELECT i.name, i.is_unique, i.filter_definition, c.name, k.is_included_column, k.is_descending_key
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(:table, N'U')
 AND i.type = 2
 AND i.is_primary_key = 0
 AND i.is_unique_constraint = 0
 AND EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS o
 JOIN [UDM_Bronze].sys.columns AS w
 ON w.object_id = o.object_id
 AND w.column_id = o.column_id
 WHERE o.object_id = i.object_id
 AND o.index_id = i.index_id
 AND w.name = :column) ORDER BY i.index_id, k.is_included_column, k.key_ordinal, k.index_column_id;

SET LOCK_TIMEOUT 5000;

-- A history that gets another key (--rekey): Stage's current rows, and Bronze's closed ones

UPDATE [UDM_Stage].[DNA].[ACCT_cdc]
 SET _key_hash=[UDM_Stage].[DNA].[_staging_ACCT_7]._new_key_hash, _row_hash=[UDM_Stage].[DNA].[_staging_ACCT_7]._new_row_hash, _hash_layout=:_hash_layout
 FROM [UDM_Stage].[DNA].[ACCT_cdc], [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash
 AND [UDM_Stage].[DNA].[ACCT_cdc]._cdc_operation = [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation
 AND [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id = [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_batch_id;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET _key_hash=[UDM_Stage].[DNA].[_staging_ACCT_7]._new_key_hash
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key = [UDM_Stage].[DNA].[_staging_ACCT_7]._scd2_key;

-- A predecessor's tables that are taken over (--adopt): columns, numbers, hashes in batches, the end

USE [UDM_Stage];

ALTER TABLE [UDM_Stage].[DNA].[ACCT_cdc] ADD [_adopting] bigint IDENTITY NOT NULL;

SELECT [NOTEBAL]
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[NOTEBAL] IS NOT NULL;

SELECT TOP __[POSTCOMPILE_param_1] [UDM_Bronze].[DNA].[ACCT_scd2_python].[POSTED]
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE CAST([UDM_Bronze].[DNA].[ACCT_scd2_python].[POSTED] AS datetime2(6)) != [UDM_Bronze].[DNA].[ACCT_scd2_python].[POSTED];

USE [UDM_Bronze];

EXEC sp_rename N'[DNA].[ACCT_scd2_python].[UdmHash]', N'UdmHash_before', N'COLUMN';

SELECT i.name, i.is_unique, i.filter_definition, c.name, k.is_included_column, k.is_descending_key
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(:table, N'U')
 AND i.type = 2
 AND i.is_primary_key = 0
 AND i.is_unique_constraint = 0
 AND EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS o
 JOIN [UDM_Bronze].sys.columns AS w
 ON w.object_id = o.object_id
 AND w.column_id = o.column_id
 WHERE o.object_id = i.object_id
 AND o.index_id = i.index_id
 AND w.name = :column) ORDER BY i.index_id, k.is_included_column, k.key_ordinal, k.index_column_id;

SELECT i.name, i.is_unique, i.filter_definition, c.name, k.is_included_column, k.is_descending_key
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(:table, N'U')
 AND i.type = 2
 AND i.is_primary_key = 0
 AND i.is_unique_constraint = 0
 AND EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS o
 JOIN [UDM_Bronze].sys.columns AS w
 ON w.object_id = o.object_id
 AND w.column_id = o.column_id
 WHERE o.object_id = i.object_id
 AND o.index_id = i.index_id
 AND w.name = :column) ORDER BY i.index_id, k.is_included_column, k.key_ordinal, k.index_column_id;

USE [UDM_Bronze];

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ALTER COLUMN [UdmHash_before] varchar(64) NULL;

USE [UDM_Bronze];

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ALTER COLUMN [NOTEBAL] decimal(38,10) NULL;

USE [UDM_Bronze];

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ADD [UdmHash] binary(16) NULL;

USE [UDM_Bronze];

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ADD _key_hash binary(16) NULL;

SELECT i.name, i.is_unique, i.filter_definition, c.name, k.is_included_column, k.is_descending_key
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(:table, N'U')
 AND i.type = 2
 AND i.is_primary_key = 0
 AND i.is_unique_constraint = 0
 AND EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS o
 JOIN [UDM_Bronze].sys.columns AS w
 ON w.object_id = o.object_id
 AND w.column_id = o.column_id
 WHERE o.object_id = i.object_id
 AND o.index_id = i.index_id
 AND w.name = :column) ORDER BY i.index_id, k.is_included_column, k.key_ordinal, k.index_column_id;

USE [UDM_Bronze];

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ALTER COLUMN [NOTEBAL] decimal(22,3) NULL;

SELECT max([UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) AS max_1
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python];

SELECT 1
 FROM [UDM_Bronze].sys.columns
 WHERE object_id = OBJECT_ID(:table, N'U')
 AND name = :column
 AND (is_identity = 1 OR default_object_id <> 0);

USE [UDM_Bronze];

IF OBJECT_ID(N'[DNA].[ACCT_scd2_python_scd2_key]', N'SO') IS NULL EXEC (N'CREATE SEQUENCE [DNA].[ACCT_scd2_python_scd2_key] AS bigint START WITH 1 INCREMENT BY 1');

USE [UDM_Bronze];

ALTER TABLE [UDM_Bronze].[DNA].[ACCT_scd2_python] ADD DEFAULT NEXT VALUE FOR [DNA].[ACCT_scd2_python_scd2_key] FOR [_scd2_key];

SELECT TOP 1000 [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key, [ACCTNBR], [NOTEBAL], [Order]
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE _key_hash IS NULL
 AND [UdmActiveFlag] = 1;

UPDATE [UDM_Stage].[DNA].[ACCT_cdc]
 SET _key_hash=[UDM_Stage].[DNA].[_staging_ACCT_7]._new_key_hash, _row_hash=[UDM_Stage].[DNA].[_staging_ACCT_7]._new_row_hash, _hash_layout=:_hash_layout, _cdc_batch_id=coalesce(_cdc_batch_id, 0)
 FROM [UDM_Stage].[DNA].[ACCT_cdc], [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._adopting = [UDM_Stage].[DNA].[_staging_ACCT_7]._adopting;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET _key_hash=[UDM_Stage].[DNA].[_staging_ACCT_7]._new_key_hash, _hash_layout=:_hash_layout, _batch_id=coalesce(_batch_id, 0)
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key = [UDM_Stage].[DNA].[_staging_ACCT_7]._scd2_key;

USE [General];

ALTER SEQUENCE [ops].[PipelineBatchSequence_BatchId] RESTART WITH 4001;

SELECT i.name, i.is_unique, i.filter_definition, c.name, k.is_included_column, k.is_descending_key
 FROM [UDM_Stage].sys.indexes AS i
 JOIN [UDM_Stage].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 JOIN [UDM_Stage].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(:table, N'U')
 AND i.type = 2
 AND i.is_primary_key = 0
 AND i.is_unique_constraint = 0
 AND EXISTS (SELECT 1
 FROM [UDM_Stage].sys.index_columns AS o
 JOIN [UDM_Stage].sys.columns AS w
 ON w.object_id = o.object_id
 AND w.column_id = o.column_id
 WHERE o.object_id = i.object_id
 AND o.index_id = i.index_id
 AND w.name = :column) ORDER BY i.index_id, k.is_included_column, k.key_ordinal, k.index_column_id;

USE [UDM_Stage];

ALTER TABLE [UDM_Stage].[DNA].[ACCT_cdc] DROP COLUMN [_adopting];

-- What is shown with it, and run by nobody: doubled and orphaned rows

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=0, [UdmEndDateTime]=(SELECT min(newer.[UdmEffectiveDateTime]) AS min_1
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS newer
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[ACCTNBR] = newer.[ACCTNBR]
 AND newer.[UdmActiveFlag] = 1
 AND newer.[UdmEffectiveDateTime] > [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime])
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND (EXISTS (SELECT newer.[UdmEffectiveDateTime]
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS newer
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[ACCTNBR] = newer.[ACCTNBR]
 AND newer.[UdmActiveFlag] = 1
 AND newer.[UdmEffectiveDateTime] > [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime]));

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=0, [UdmEndDateTime]='2026-03-29 01:30:00.123456', [UdmScd2Operation]='D'
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND NOT (EXISTS (SELECT there._cdc_is_current
 FROM [UDM_Stage].[DNA].[ACCT_cdc] AS there
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[ACCTNBR] = there.[ACCTNBR]
 AND there._cdc_is_current = 1));

-- Few rows to staging

INSERT INTO [UDM_Stage].[DNA].[_staging_ACCT_7] ([ACCTNBR], [NOTEBAL], [Order], [OPENED], [SENT], [GUID], [_key_hash], [_row_hash], [_hash_layout], [_cdc_operation]) VALUES (CAST(? AS bigint), CAST(? AS decimal(22,3)), CAST(? AS nvarchar(max)), CAST(? AS time(6)), CAST(? AS datetimeoffset(6)), CAST(? AS uniqueidentifier), CAST(? AS varbinary(16)), CAST(? AS varbinary(16)), CAST(? AS bigint), CAST(? AS nvarchar(2)));

-- A bulk load that hangs: its own session, by host and process

SELECT s.session_id, r.wait_type, r.blocking_session_id
 FROM sys.dm_exec_sessions AS s LEFT
 JOIN sys.dm_exec_requests AS r
 ON r.session_id = s.session_id
 WHERE s.host_process_id = :process
 AND s.host_name = :host
 AND s.session_id <> @@SPID;

-- Read back: the hashes of the current rows, a sample of staging, rows whose layout has gone

SELECT [UDM_Stage].[DNA].[ACCT_cdc]._key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1;

SELECT [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash, [ACCTNBR], [NOTEBAL], [Order], CASE WHEN (datepart(microsecond, [OPENED]) = 0) THEN left(CAST([OPENED] AS varchar(15)), 8) ELSE replace(rtrim(replace(CAST([OPENED] AS varchar(15)), '0', ' ')), ' ', '0') END AS [OPENED], CAST([SENT] AS datetime2(6)) AS [SENT], lower(CAST([GUID] AS char(36))) AS [GUID]
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash IN (0x01010101010101010101010101010101);

SELECT [UDM_Stage].[DNA].[ACCT_cdc]._key_hash, [ACCTNBR], [NOTEBAL]
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout IN (3);

-- In each promotion: what it did, and its marker

SELECT count(*) AS count_1
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id = :param_1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1;

SELECT count(*) AS count_1
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._end_batch_id = :param_1;

INSERT INTO [UDM_Bronze].ops.[PromotionMarker] ([SourceName], [TableName], [BatchId], [Instant], [RowsInserted], [RowsUpdated], [RowsDeleted], [Chunks], [ChunksDone]) VALUES (:SourceName, :TableName, :BatchId, :Instant, :RowsInserted, :RowsUpdated, :RowsDeleted, :Chunks, :ChunksDone);

-- Healing and publishing

SELECT max([UDM_Stage].ops.[PromotionMarker].[Instant]) AS max_1
 FROM [UDM_Stage].ops.[PromotionMarker]
 WHERE [UDM_Stage].ops.[PromotionMarker].[SourceName] = :SourceName_1
 AND [UDM_Stage].ops.[PromotionMarker].[TableName] = :TableName_1;

SELECT [UDM_Bronze].ops.[PromotionMarker].[BatchId], [UDM_Bronze].ops.[PromotionMarker].[Chunks], [UDM_Bronze].ops.[PromotionMarker].[ChunksDone]
 FROM [UDM_Bronze].ops.[PromotionMarker]
 WHERE [UDM_Bronze].ops.[PromotionMarker].[SourceName] = :SourceName_1
 AND [UDM_Bronze].ops.[PromotionMarker].[TableName] = :TableName_1;

SELECT [UDM_Stage].ops.[PromotionMarker].[SourceName], [UDM_Stage].ops.[PromotionMarker].[TableName], [UDM_Stage].ops.[PromotionMarker].[BatchId], [UDM_Stage].ops.[PromotionMarker].[Instant], [UDM_Stage].ops.[PromotionMarker].[RowsInserted], [UDM_Stage].ops.[PromotionMarker].[RowsUpdated], [UDM_Stage].ops.[PromotionMarker].[RowsDeleted], [UDM_Stage].ops.[PromotionMarker].[Chunks], [UDM_Stage].ops.[PromotionMarker].[ChunksDone]
 FROM [UDM_Stage].ops.[PromotionMarker]
 WHERE [UDM_Stage].ops.[PromotionMarker].[SourceName] = :SourceName_1
 AND [UDM_Stage].ops.[PromotionMarker].[TableName] = :TableName_1 ORDER BY [UDM_Stage].ops.[PromotionMarker].[Instant];

SELECT CAST(SYSUTCDATETIME() AS datetime2(6));

INSERT INTO [General].ops.[TablePublished] ([SourceName], [TableName], [BatchId], [Instant], [PublishedAt]) VALUES (:SourceName, :TableName, :BatchId, :Instant, :PublishedAt);

-- Indexes, after a first load and wherever one is missing or disabled

SELECT name
 FROM [UDM_Bronze].sys.indexes
 WHERE object_id = OBJECT_ID(:table, N'U')
 AND is_disabled = 1 ORDER BY index_id;

USE [UDM_Bronze];

IF NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 AND k.key_ordinal = 1
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(N'[UDM_Bronze].[DNA].[ACCT_scd2_python]', N'U')
 AND i.is_unique = 1
 AND c.name = N'_key_hash') CREATE UNIQUE INDEX [ux_ACCT_scd2_python_one_active]
 ON [UDM_Bronze].[DNA].[ACCT_scd2_python] ([_key_hash])
 WHERE [UdmActiveFlag] = 1;

USE [UDM_Bronze];

IF NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 AND k.key_ordinal = 1
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(N'[UDM_Bronze].[DNA].[ACCT_scd2_python]', N'U')
 AND i.is_unique = 0
 AND c.name = N'_key_hash'
 AND NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS s
 JOIN [UDM_Bronze].sys.columns AS d
 ON d.object_id = s.object_id
 AND d.column_id = s.column_id
 WHERE s.object_id = i.object_id
 AND s.index_id = i.index_id
 AND s.key_ordinal = 2)) CREATE INDEX [ix_ACCT_scd2_python_deleted]
 ON [UDM_Bronze].[DNA].[ACCT_scd2_python] ([_key_hash])
 WHERE [UdmScd2Operation] = N'D';

USE [UDM_Bronze];

IF NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 AND k.key_ordinal = 1
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(N'[UDM_Bronze].[DNA].[ACCT_scd2_python]', N'U')
 AND i.is_unique = 0
 AND c.name = N'_batch_id'
 AND NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS s
 JOIN [UDM_Bronze].sys.columns AS d
 ON d.object_id = s.object_id
 AND d.column_id = s.column_id
 WHERE s.object_id = i.object_id
 AND s.index_id = i.index_id
 AND s.key_ordinal = 2)) CREATE INDEX [ix_ACCT_scd2_python_batch]
 ON [UDM_Bronze].[DNA].[ACCT_scd2_python] ([_batch_id]);

USE [UDM_Bronze];

IF NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 AND k.key_ordinal = 1
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(N'[UDM_Bronze].[DNA].[ACCT_scd2_python]', N'U')
 AND i.is_unique = 0
 AND c.name = N'_end_batch_id'
 AND NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS s
 JOIN [UDM_Bronze].sys.columns AS d
 ON d.object_id = s.object_id
 AND d.column_id = s.column_id
 WHERE s.object_id = i.object_id
 AND s.index_id = i.index_id
 AND s.key_ordinal = 2)) CREATE INDEX [ix_ACCT_scd2_python_end_batch]
 ON [UDM_Bronze].[DNA].[ACCT_scd2_python] ([_end_batch_id])
 WHERE [_end_batch_id] IS NOT NULL;

USE [UDM_Bronze];

IF NOT EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.indexes AS i
 JOIN [UDM_Bronze].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 AND k.key_ordinal = 1
 JOIN [UDM_Bronze].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(N'[UDM_Bronze].[DNA].[ACCT_scd2_python]', N'U')
 AND i.is_unique = 0
 AND c.name = N'_key_hash'
 AND EXISTS (SELECT 1
 FROM [UDM_Bronze].sys.index_columns AS s
 JOIN [UDM_Bronze].sys.columns AS d
 ON d.object_id = s.object_id
 AND d.column_id = s.column_id
 WHERE s.object_id = i.object_id
 AND s.index_id = i.index_id
 AND s.key_ordinal = 2
 AND d.name = N'UdmEffectiveDateTime')) CREATE INDEX [ix_ACCT_scd2_python_versions]
 ON [UDM_Bronze].[DNA].[ACCT_scd2_python] ([_key_hash], [UdmEffectiveDateTime]);

SELECT name
 FROM [UDM_Stage].sys.indexes
 WHERE object_id = OBJECT_ID(:table, N'U')
 AND is_disabled = 1 ORDER BY index_id;

USE [UDM_Stage];

IF NOT EXISTS (SELECT 1
 FROM [UDM_Stage].sys.indexes AS i
 JOIN [UDM_Stage].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 AND k.key_ordinal = 1
 JOIN [UDM_Stage].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(N'[UDM_Stage].[DNA].[ACCT_cdc]', N'U')
 AND i.is_unique = 1
 AND c.name = N'_key_hash') CREATE UNIQUE INDEX [ux_ACCT_cdc_current]
 ON [UDM_Stage].[DNA].[ACCT_cdc] ([_key_hash]) INCLUDE ([_row_hash], [_hash_layout])
 WHERE [_cdc_is_current] = 1;

ALTER INDEX [ux_ACCT_scd2_python_one_active]
 ON UDM_Bronze.[DNA].[ACCT_scd2_python] REBUILD;

-- Large tables: a window read back, its keys in other windows, what is missing from all, and the days' attempts

USE [UDM_Stage];

IF NOT EXISTS (SELECT 1
 FROM [UDM_Stage].sys.indexes AS i
 JOIN [UDM_Stage].sys.index_columns AS k
 ON k.object_id = i.object_id
 AND k.index_id = i.index_id
 AND k.key_ordinal = 1
 JOIN [UDM_Stage].sys.columns AS c
 ON c.object_id = k.object_id
 AND c.column_id = k.column_id
 WHERE i.object_id = OBJECT_ID(N'[UDM_Stage].[DNA].[RTXN_cdc]', N'U')
 AND i.is_unique = 0
 AND c.name = N'POSTDATE') CREATE INDEX [ix_RTXN_cdc_window]
 ON [UDM_Stage].[DNA].[RTXN_cdc] ([POSTDATE]) INCLUDE ([_key_hash], [_row_hash], [_hash_layout])
 WHERE [_cdc_is_current] = 1;

SELECT [UDM_Stage].[DNA].[RTXN_cdc]._key_hash, [UDM_Stage].[DNA].[RTXN_cdc]._row_hash, [UDM_Stage].[DNA].[RTXN_cdc]._hash_layout
 FROM [UDM_Stage].[DNA].[RTXN_cdc]
 WHERE [UDM_Stage].[DNA].[RTXN_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[RTXN_cdc].[POSTDATE] >= '2026-03-29'
 AND [UDM_Stage].[DNA].[RTXN_cdc].[POSTDATE] < '2026-03-30';

SELECT [UDM_Stage].[DNA].[RTXN_cdc]._key_hash, [UDM_Stage].[DNA].[RTXN_cdc]._row_hash, [UDM_Stage].[DNA].[RTXN_cdc]._hash_layout
 FROM [UDM_Stage].[DNA].[RTXN_cdc]
 WHERE [UDM_Stage].[DNA].[RTXN_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[RTXN_cdc].[POSTDATE] >= '2026-03-30';

SELECT [UDM_Stage].[DNA].[RTXN_cdc]._key_hash, [UDM_Stage].[DNA].[RTXN_cdc]._row_hash, [UDM_Stage].[DNA].[RTXN_cdc]._hash_layout
 FROM [UDM_Stage].[DNA].[RTXN_cdc]
 WHERE [UDM_Stage].[DNA].[RTXN_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[RTXN_cdc].[POSTDATE] IS NULL;

SELECT [UDM_Stage].[DNA].[RTXN_cdc]._key_hash, [POSTDATE] AS date
 FROM [UDM_Stage].[DNA].[RTXN_cdc]
 WHERE [UDM_Stage].[DNA].[RTXN_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[RTXN_cdc]._key_hash IN (SELECT [UDM_Stage].[DNA].[_staging_RTXN_7]._key_hash
 FROM [UDM_Stage].[DNA].[_staging_RTXN_7]
 WHERE [UDM_Stage].[DNA].[_staging_RTXN_7]._cdc_operation = 'I');

DELETE
 FROM [UDM_Stage].[DNA].[_staging_RTXN_7]
 WHERE [UDM_Stage].[DNA].[_staging_RTXN_7]._key_hash IN (0x01010101010101010101010101010101);

UPDATE [UDM_Stage].[DNA].[_staging_RTXN_7]
 SET _cdc_operation='U'
 WHERE [UDM_Stage].[DNA].[_staging_RTXN_7]._cdc_operation = 'I'
 AND (EXISTS (SELECT *
 FROM [UDM_Stage].[DNA].[RTXN_cdc]
 WHERE [UDM_Stage].[DNA].[RTXN_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_RTXN_7]._key_hash
 AND [UDM_Stage].[DNA].[RTXN_cdc]._cdc_is_current = 1));

SELECT [UDM_Stage].[DNA].[RTXN_cdc]._key_hash, [UDM_Stage].[DNA].[RTXN_cdc]._row_hash, [UDM_Stage].[DNA].[RTXN_cdc]._hash_layout, [UDM_Stage].[DNA].[RTXN_cdc]._cdc_batch_id, [ID], [POSTDATE]
 FROM [UDM_Stage].[DNA].[RTXN_cdc]
 WHERE [UDM_Stage].[DNA].[RTXN_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[RTXN_cdc]._key_hash IN (SELECT [UDM_Stage].[DNA].[_staging_RTXN_7]._key_hash
 FROM [UDM_Stage].[DNA].[_staging_RTXN_7]);

SELECT [General].ops.[PipelineExtractionState].[ExtractDate], max(CASE WHEN ([General].ops.[PipelineExtractionState].[State] = :State_1) THEN [General].ops.[PipelineExtractionState].[BeganAt] END) AS max_1, coalesce(max(CASE WHEN ([General].ops.[PipelineExtractionState].[State] = :State_2) THEN [General].ops.[PipelineExtractionState].[AttemptNumber] END), :coalesce_2) AS coalesce_1
 FROM [General].ops.[PipelineExtractionState]
 WHERE [General].ops.[PipelineExtractionState].[SourceName] = :SourceName_1
 AND [General].ops.[PipelineExtractionState].[TableName] = :TableName_1
 AND [General].ops.[PipelineExtractionState].[WindowKind] = :WindowKind_1 GROUP BY [General].ops.[PipelineExtractionState].[ExtractDate];

SELECT [General].ops.[PipelineExtractionState].[ExtractDate], [General].ops.[PipelineExtractionState].[AttemptNumber]
 FROM [General].ops.[PipelineExtractionState]
 WHERE [General].ops.[PipelineExtractionState].[SourceName] = :SourceName_1
 AND [General].ops.[PipelineExtractionState].[TableName] = :TableName_1
 AND [General].ops.[PipelineExtractionState].[WindowKind] = :WindowKind_1
 AND [General].ops.[PipelineExtractionState].[State] = :State_1;

SELECT [General].ops.[PipelineExtractionState].[ExtractDate], [General].ops.[PipelineExtractionState].[RowsExtracted], [General].ops.[PipelineExtractionState].[BeganAt], [General].ops.[PipelineExtractionState].[IsForced]
 FROM [General].ops.[PipelineExtractionState]
 WHERE [General].ops.[PipelineExtractionState].[SourceName] = :SourceName_1
 AND [General].ops.[PipelineExtractionState].[TableName] = :TableName_1
 AND [General].ops.[PipelineExtractionState].[WindowKind] = :WindowKind_1
 AND [General].ops.[PipelineExtractionState].[State] IN (__[POSTCOMPILE_State_1])
 AND [General].ops.[PipelineExtractionState].[ExtractDate] >= :ExtractDate_1 ORDER BY [General].ops.[PipelineExtractionState].[ExtractDate], [General].ops.[PipelineExtractionState].[AttemptNumber];

SELECT CAST(SYSUTCDATETIME() AS datetime2(6));

SELECT max([General].ops.[PipelineExtractionState].[AttemptNumber]) AS max_1
 FROM [General].ops.[PipelineExtractionState]
 WHERE [General].ops.[PipelineExtractionState].[SourceName] = :SourceName_1
 AND [General].ops.[PipelineExtractionState].[TableName] = :TableName_1
 AND [General].ops.[PipelineExtractionState].[WindowKind] = :WindowKind_1
 AND [General].ops.[PipelineExtractionState].[ExtractDate] = :ExtractDate_1;

INSERT INTO [General].ops.[PipelineExtractionState] ([SourceName], [TableName], [WindowKind], [ExtractDate], [AttemptNumber], [BatchId], [State], [BeganAt], [EndedAt], [RowsExtracted], [RowsChanged], [IsForced], [ErrorMessage]) VALUES (:SourceName, :TableName, :WindowKind, :ExtractDate, :AttemptNumber, :BatchId, :State, :BeganAt, :EndedAt, :RowsExtracted, :RowsChanged, :IsForced, :ErrorMessage);

SELECT CAST(SYSUTCDATETIME() AS datetime2(6));

UPDATE [General].ops.[PipelineExtractionState]
 SET [BatchId]=:BatchId, [State]=:State, [EndedAt]=:EndedAt, [RowsExtracted]=:RowsExtracted, [RowsChanged]=:RowsChanged, [ErrorMessage]=:ErrorMessage
 WHERE [General].ops.[PipelineExtractionState].[SourceName] = :SourceName_1
 AND [General].ops.[PipelineExtractionState].[TableName] = :TableName_1
 AND [General].ops.[PipelineExtractionState].[WindowKind] = :WindowKind_1
 AND [General].ops.[PipelineExtractionState].[ExtractDate] = :ExtractDate_1
 AND [General].ops.[PipelineExtractionState].[AttemptNumber] = :AttemptNumber_1;

UPDATE [General].ops.[PipelineBatchSequence]
 SET [EndedAt]=:EndedAt, [ExitStatus]=:ExitStatus
 WHERE [General].ops.[PipelineBatchSequence].[BatchId] = :BatchId_1;

UPDATE [General].ops.[PipelineExtractionState]
 SET [State]=:State
 WHERE [General].ops.[PipelineExtractionState].[SourceName] = :SourceName_1
 AND [General].ops.[PipelineExtractionState].[TableName] = :TableName_1
 AND [General].ops.[PipelineExtractionState].[State] = :State_1
 AND [General].ops.[PipelineExtractionState].[BatchId] IN (__[POSTCOMPILE_BatchId_1]);

-- Retention, in batches

DELETE TOP (10000)
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 0
 AND [UDM_Stage].[DNA].[ACCT_cdc]._cdc_valid_to < :param_1;

-- A reconciliation: rows by ranges of the key hash, the history, the two layers

SELECT [UDM_Stage].[DNA].[ACCT_cdc]._key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS _row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout, [ACCTNBR], [NOTEBAL], [Order], CASE WHEN (datepart(microsecond, [OPENED]) = 0) THEN left(CAST([OPENED] AS varchar(15)), 8) ELSE replace(rtrim(replace(CAST([OPENED] AS varchar(15)), '0', ' ')), ' ', '0') END AS [OPENED], CAST([SENT] AS datetime2(6)) AS [SENT], lower(CAST([GUID] AS char(36))) AS [GUID]
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND ([UDM_Stage].[DNA].[ACCT_cdc]._key_hash >= 0x00300000000000000000000000000000
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash < 0x00500000000000000000000000000000 OR [UDM_Stage].[DNA].[ACCT_cdc]._key_hash >= 0x00900000000000000000000000000000
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash < 0x00a00000000000000000000000000000);

SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmHash] AS _row_hash, [UDM_Bronze].[DNA].[ACCT_scd2_python]._hash_layout, [ACCTNBR], [NOTEBAL], [Order], CASE WHEN (datepart(microsecond, [OPENED]) = 0) THEN left(CAST([OPENED] AS varchar(15)), 8) ELSE replace(rtrim(replace(CAST([OPENED] AS varchar(15)), '0', ' ')), ' ', '0') END AS [OPENED], CAST([SENT] AS datetime2(6)) AS [SENT], lower(CAST([GUID] AS char(36))) AS [GUID]
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND ([UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash >= 0x00300000000000000000000000000000
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash < 0x00500000000000000000000000000000 OR [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash >= 0x00900000000000000000000000000000
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash < 0x00a00000000000000000000000000000);

SELECT count(*) AS count_1
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python];

SELECT judged.defect, count(*) AS count_1
 FROM (SELECT pairs._scd2_key AS _scd2_key, pairs.[UdmEffectiveDateTime] AS [UdmEffectiveDateTime], pairs.[UdmEndDateTime] AS [UdmEndDateTime], pairs.[UdmActiveFlag] AS [UdmActiveFlag], pairs.[UdmScd2Operation] AS [UdmScd2Operation], pairs.next_start AS next_start, pairs.next_active AS next_active, pairs.next_version AS next_version, CASE WHEN (pairs.[UdmActiveFlag] = 1
 AND pairs.next_active = 1) THEN 'TWO_ACTIVE' WHEN (pairs.[UdmActiveFlag] = 1
 AND pairs.[UdmEndDateTime] IS NOT NULL OR pairs.[UdmActiveFlag] = 0
 AND pairs.[UdmEndDateTime] IS NULL) THEN 'FLAG' WHEN (pairs.[UdmEndDateTime] <= pairs.[UdmEffectiveDateTime]) THEN 'INTERVAL' WHEN (pairs.[UdmEndDateTime] IS NULL
 AND pairs.next_start IS NOT NULL OR pairs.next_start < pairs.[UdmEndDateTime]) THEN 'OVERLAP' WHEN (pairs.[UdmScd2Operation] != 'D'
 AND pairs.[UdmEndDateTime] IS NOT NULL
 AND (pairs.next_start > pairs.[UdmEndDateTime] OR pairs.next_start IS NULL)) THEN 'GAP' END AS defect
 FROM (SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key AS _scd2_key, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime] AS [UdmEffectiveDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] AS [UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] AS [UdmActiveFlag], [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] AS [UdmScd2Operation], lead([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime]) OVER (PARTITION BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash ORDER BY [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime], CASE WHEN ([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL) THEN :param_1 ELSE :param_2 END, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) AS next_start, lead([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag]) OVER (PARTITION BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash ORDER BY [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime], CASE WHEN ([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL) THEN :param_1 ELSE :param_2 END, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) AS next_active, lead([UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) OVER (PARTITION BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash ORDER BY [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime], CASE WHEN ([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL) THEN :param_1 ELSE :param_2 END, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) AS next_version
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash IN (SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0 OR [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NOT NULL UNION ALL
 SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1 GROUP BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash HAVING count(*) > :count_2)) AS pairs) AS judged
 WHERE judged.defect IS NOT NULL GROUP BY judged.defect;

SELECT TOP __[POSTCOMPILE_param_1] judged.defect, judged._scd2_key, judged.[UdmEffectiveDateTime], judged.[UdmEndDateTime], judged.next_version, judged.next_start
 FROM (SELECT pairs._scd2_key AS _scd2_key, pairs.[UdmEffectiveDateTime] AS [UdmEffectiveDateTime], pairs.[UdmEndDateTime] AS [UdmEndDateTime], pairs.[UdmActiveFlag] AS [UdmActiveFlag], pairs.[UdmScd2Operation] AS [UdmScd2Operation], pairs.next_start AS next_start, pairs.next_active AS next_active, pairs.next_version AS next_version, CASE WHEN (pairs.[UdmActiveFlag] = 1
 AND pairs.next_active = 1) THEN 'TWO_ACTIVE' WHEN (pairs.[UdmActiveFlag] = 1
 AND pairs.[UdmEndDateTime] IS NOT NULL OR pairs.[UdmActiveFlag] = 0
 AND pairs.[UdmEndDateTime] IS NULL) THEN 'FLAG' WHEN (pairs.[UdmEndDateTime] <= pairs.[UdmEffectiveDateTime]) THEN 'INTERVAL' WHEN (pairs.[UdmEndDateTime] IS NULL
 AND pairs.next_start IS NOT NULL OR pairs.next_start < pairs.[UdmEndDateTime]) THEN 'OVERLAP' WHEN (pairs.[UdmScd2Operation] != 'D'
 AND pairs.[UdmEndDateTime] IS NOT NULL
 AND (pairs.next_start > pairs.[UdmEndDateTime] OR pairs.next_start IS NULL)) THEN 'GAP' END AS defect
 FROM (SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key AS _scd2_key, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime] AS [UdmEffectiveDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] AS [UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] AS [UdmActiveFlag], [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] AS [UdmScd2Operation], lead([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime]) OVER (PARTITION BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash ORDER BY [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime], CASE WHEN ([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL) THEN :param_2 ELSE :param_3 END, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) AS next_start, lead([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag]) OVER (PARTITION BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash ORDER BY [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime], CASE WHEN ([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL) THEN :param_2 ELSE :param_3 END, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) AS next_active, lead([UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) OVER (PARTITION BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash ORDER BY [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEffectiveDateTime], CASE WHEN ([UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL) THEN :param_2 ELSE :param_3 END, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime], [UDM_Bronze].[DNA].[ACCT_scd2_python]._scd2_key) AS next_version
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash IN (SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0 OR [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NOT NULL UNION ALL
 SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1 GROUP BY [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash HAVING count(*) > :count_1)) AS pairs) AS judged
 WHERE judged.defect IS NOT NULL ORDER BY judged._scd2_key;

SELECT count(*) AS count_1, coalesce(sum(CASE WHEN (b.key_hash IS NULL) THEN :param_1 ELSE :param_2 END), :coalesce_2) AS coalesce_1, coalesce(sum(CASE WHEN (s.row_hash != b.row_hash) THEN :param_3 ELSE :param_4 END), :coalesce_4) AS coalesce_3
 FROM (SELECT [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS row_hash
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1) AS s LEFT OUTER
 JOIN (SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash AS key_hash, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmHash] AS row_hash
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1) AS b
 ON s.key_hash = b.key_hash;

SELECT count(*) AS count_1
 FROM (SELECT [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash AS key_hash, [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmHash] AS row_hash
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1) AS b
 WHERE NOT (EXISTS (SELECT 1
 FROM (SELECT [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS row_hash
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1) AS s
 WHERE s.key_hash = b.key_hash));

SELECT DISTINCT [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id IS NOT NULL;

SELECT DISTINCT [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id IS NOT NULL;

SELECT DISTINCT [UDM_Bronze].[DNA].[ACCT_scd2_python]._end_batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python]
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._end_batch_id IS NOT NULL;

-- At the end

USE [UDM_Stage];

DROP TABLE IF EXISTS [UDM_Stage].[DNA].[_staging_ACCT_7];

-- CDC promotion: staging to Stage

INSERT INTO [UDM_Stage].[DNA].[ACCT_cdc] ([ACCTNBR], [Order], [VANISHED], _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout, :param_1 AS anon_1, 'D', :param_1 AS anon__1, :param_1 AS anon__2, 0 AS anon_2, :param_2 AS anon_3
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 JOIN [UDM_Stage].[DNA].[_staging_ACCT_7]
 ON [UDM_Stage].[DNA].[ACCT_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation = 'D';

UPDATE [UDM_Stage].[DNA].[ACCT_cdc]
 SET _cdc_valid_to=:_cdc_valid_to, _cdc_is_current=0
 FROM [UDM_Stage].[DNA].[ACCT_cdc], [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation != 'I';

INSERT INTO [UDM_Stage].[DNA].[ACCT_cdc] ([ACCTNBR], [Order], _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout, :param_1 AS anon_1, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation, :param_1 AS anon__1, NULL AS anon_2, 1 AS anon_3, :param_2 AS anon_4
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation IN ('I', 'U');

-- SCD2 promotion: staging to Bronze

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN 0 ELSE 1 END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS before
 WHERE before._key_hash = changes._key_hash
 AND before.[UdmScd2Operation] = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2 AS anon_4
 FROM (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmEndDateTime]=:UdmEndDateTime, [UdmActiveFlag]=0, [UdmScd2Operation]=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] END, _end_batch_id=:_end_batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]) AS changes
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash = changes._key_hash
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id != :_end_batch_id;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=1
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id = :param_1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL;

-- SCD2 promotion of a first load

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, 1 AS anon_2, 'I', :param_2 AS anon_3
 FROM (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]) AS changes
 WHERE changes._cdc_operation != 'D';

-- SCD2 promotion when healing: Stage to Bronze

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], [VANISHED], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes.[VANISHED], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN 0 ELSE 1 END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS before
 WHERE before._key_hash = changes._key_hash
 AND before.[UdmScd2Operation] = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2 AS anon_4
 FROM (SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order] AS [Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED] AS [VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS _key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS _row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[ACCT_cdc]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id = :param_3) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmEndDateTime]=:UdmEndDateTime, [UdmActiveFlag]=0, [UdmScd2Operation]=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] END, _end_batch_id=:_end_batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], (SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order] AS [Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED] AS [VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS _key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS _row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[ACCT_cdc]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id = :param_1) AS changes
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash = changes._key_hash
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id != :_end_batch_id;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=1
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id = :param_1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL;

-- Chunk 2 of 3, CDC promotion

INSERT INTO [UDM_Stage].[DNA].[ACCT_cdc] ([ACCTNBR], [Order], [VANISHED], _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout, :param_1 AS anon_1, 'D', :param_1 AS anon__1, :param_1 AS anon__2, 0 AS anon_2, :param_2 AS anon_3
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 JOIN [UDM_Stage].[DNA].[_staging_ACCT_7]
 ON [UDM_Stage].[DNA].[ACCT_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation = 'D'
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash >= 0x55555555555555555555555555555555
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash < 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;

UPDATE [UDM_Stage].[DNA].[ACCT_cdc]
 SET _cdc_valid_to=:_cdc_valid_to, _cdc_is_current=0
 FROM [UDM_Stage].[DNA].[ACCT_cdc], [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation != 'I'
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash >= 0x55555555555555555555555555555555
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash < 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;

INSERT INTO [UDM_Stage].[DNA].[ACCT_cdc] ([ACCTNBR], [Order], _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout, :param_1 AS anon_1, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation, :param_1 AS anon__1, NULL AS anon_2, 1 AS anon_3, :param_2 AS anon_4
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation IN ('I', 'U')
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash >= 0x55555555555555555555555555555555
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash < 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;

-- Chunk 2 of 3, SCD2 promotion

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN 0 ELSE 1 END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS before
 WHERE before._key_hash = changes._key_hash
 AND before.[UdmScd2Operation] = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2 AS anon_4
 FROM (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash >= 0x55555555555555555555555555555555
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash < 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmEndDateTime]=:UdmEndDateTime, [UdmActiveFlag]=0, [UdmScd2Operation]=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] END, _end_batch_id=:_end_batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash >= 0x55555555555555555555555555555555
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash < 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) AS changes
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash = changes._key_hash
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id != :_end_batch_id;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=1
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id = :param_1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL;

-- Chunk 2 of 3, SCD2 promotion when healing

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], [VANISHED], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes.[VANISHED], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN 0 ELSE 1 END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS before
 WHERE before._key_hash = changes._key_hash
 AND before.[UdmScd2Operation] = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2 AS anon_4
 FROM (SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order] AS [Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED] AS [VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS _key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS _row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[ACCT_cdc]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id = :param_3
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash >= 0x55555555555555555555555555555555
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash < 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmEndDateTime]=:UdmEndDateTime, [UdmActiveFlag]=0, [UdmScd2Operation]=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] END, _end_batch_id=:_end_batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], (SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order] AS [Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED] AS [VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS _key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS _row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[ACCT_cdc]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id = :param_1
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash >= 0x55555555555555555555555555555555
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash < 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) AS changes
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash = changes._key_hash
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id != :_end_batch_id;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=1
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id = :param_1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL;
