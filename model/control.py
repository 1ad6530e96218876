"""The control tables in General.dbo: which tables to load and what is known of their columns.

Both may already exist and belong to the users: the pipeline adds what is missing and never drops or narrows anything.
"""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA = "dbo"
CONTROL = sa.MetaData(schema=SCHEMA)

_NAME = sa.Unicode(128)

TABLES_LIST = sa.Table(
    "UdmTablesList",
    CONTROL,
    sa.Column("SourceName", _NAME, nullable=False),
    sa.Column("SourceObjectName", _NAME, nullable=False),
    sa.Column("SourceServer", sa.Unicode(256)),
    sa.Column("SourceDatabase", _NAME),
    sa.Column("SourceSchemaName", _NAME),
    sa.Column("StageTableName", _NAME),
    sa.Column("BronzeTableName", _NAME),
    sa.Column("SourceAggregateColumnName", _NAME),
    sa.Column("SourceAggregateColumnType", sa.Unicode(128)),
    sa.Column("SourceIndexHint", sa.Unicode(256)),
    sa.Column("PartitionOn", _NAME),
    sa.Column("FirstLoadDate", sa.Date),
    sa.Column("LookbackDays", sa.Integer),
    sa.Column("StageLoadTool", sa.Unicode(50)),
    sa.Column("AllowedAgeMinutes", sa.Integer),
)

COLUMNS_LIST = sa.Table(
    "UdmTablesColumnsList",
    CONTROL,
    sa.Column("SourceName", _NAME, nullable=False),
    sa.Column("TableName", _NAME, nullable=False),
    sa.Column("ColumnName", _NAME, nullable=False),
    sa.Column("OrdinalPosition", sa.Integer),
    sa.Column("IsPrimaryKey", sa.Boolean),
    sa.Column("Layer", sa.Unicode(50)),
    sa.Column("IsIndex", sa.Boolean),
    sa.Column("IndexName", _NAME),
    sa.Column("IndexType", sa.Unicode(50)),
    sa.Column("IsExcludedFromHash", sa.Boolean),
    sa.Column("MaskWith", sa.Unicode(50)),
)
