"""The ops tables in General.ops (what happened), and the promotion marker that Stage and Bronze hold themselves.

`BatchId + SourceName + TableName` joins them; TableName is the source's own name of the table (SourceObjectName).
A batch is one run of one command, or of a large table one window of it. Instants are naive UTC to the microsecond, counts BIGINT.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

SCHEMA = "ops"
OPS = sa.MetaData(schema=SCHEMA)
MARKERS = sa.MetaData()



class _Instant(TypeDecorator[datetime]):
    """To the microsecond: SQL Server's DATETIME has 3 milliseconds, so DATETIME2(6) there. Its dialect is imported only then."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[datetime]:
        """The type that stores it on a dialect."""
        if dialect.name != "mssql":
            return dialect.type_descriptor(sa.DateTime())
        from sqlalchemy.dialects.mssql import DATETIME2  # noqa: PLC0415

        return dialect.type_descriptor(DATETIME2(precision=6))  # type: ignore[no-untyped-call]


INSTANT = _Instant()
_NAME = sa.Unicode(128)
_TEXT = sa.UnicodeText()


class EventType(StrEnum):
    """The steps of a table's run, one row of PipelineEventLog each."""

    EXTRACT = "EXTRACT"
    BCP_LOAD = "BCP_LOAD"
    CDC_PROMOTION = "CDC_PROMOTION"
    SCD2_PROMOTION = "SCD2_PROMOTION"
    CLEANUP = "CLEANUP"
    RECONCILIATION = "RECONCILIATION"
    REPAIR = "REPAIR"
    TABLE_TOTAL = "TABLE_TOTAL"


class Status(StrEnum):
    """How a step ended."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


BATCH_SEQUENCE = sa.Sequence("PipelineBatchSequence_BatchId", metadata=OPS, schema=SCHEMA)
LAYOUT_SEQUENCE = sa.Sequence("HashLayout_LayoutId", metadata=OPS, schema=SCHEMA)

PIPELINE_BATCH = sa.Table(
    "PipelineBatchSequence",
    OPS,
    sa.Column("BatchId", sa.BigInteger, primary_key=True, autoincrement=False),
    # Of a window of a large table: the run's own batch, whose events have the table's totals.
    sa.Column("RunBatchId", sa.BigInteger),
    sa.Column("StartedAt", INSTANT, nullable=False),
    sa.Column("HostName", sa.Unicode(256), nullable=False),
    sa.Column("ProcessId", sa.BigInteger, nullable=False),
    sa.Column("Command", _TEXT, nullable=False),
    sa.Column("EndedAt", INSTANT),
    sa.Column("ExitStatus", sa.Integer),
)


def _table_key() -> list[sa.Column[str]]:
    return [sa.Column("SourceName", _NAME, nullable=False), sa.Column("TableName", _NAME, nullable=False)]


EVENT_COUNTS = (
    "RowsExtracted",
    "RowsInserted",
    "RowsUpdated",
    "RowsDeleted",
    "RowsUnchanged",
    "RowsQuarantined",
    "RowsDuplicate",
)

PIPELINE_EVENT_LOG = sa.Table(
    "PipelineEventLog",
    OPS,
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    sa.Column("EventNumber", sa.BigInteger, nullable=False),
    *_table_key(),
    sa.Column("EventType", sa.Unicode(20), nullable=False),
    sa.Column("Status", sa.Unicode(10), nullable=False),
    sa.Column("StartedAt", INSTANT, nullable=False),
    sa.Column("EndedAt", INSTANT, nullable=False),
    sa.Column("DurationMs", sa.BigInteger, nullable=False),
    *(sa.Column(name, sa.BigInteger) for name in EVENT_COUNTS),
    sa.Column("IsForced", sa.Boolean, nullable=False),
    sa.Column("ErrorType", sa.Unicode(128)),
    sa.Column("Message", _TEXT),
)

PIPELINE_LOG = sa.Table(
    "PipelineLog",
    OPS,
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    sa.Column("LogNumber", sa.BigInteger, nullable=False),
    sa.Column("LoggedAt", INSTANT, nullable=False),
    sa.Column("LogLevel", sa.Unicode(10), nullable=False),
    sa.Column("LoggerName", sa.Unicode(256), nullable=False),
    sa.Column("SourceName", _NAME),
    sa.Column("TableName", _NAME),
    sa.Column("EventType", sa.Unicode(20)),
    sa.Column("Message", _TEXT, nullable=False),
    sa.Column("ExceptionText", _TEXT),
)

PIPELINE_EXTRACTION_STATE = sa.Table(
    "PipelineExtractionState",
    OPS,
    *_table_key(),
    # What is read (`model.windows.WindowKind`): ExtractDate is the window's day, NULL for the rows without a date.
    sa.Column("WindowKind", sa.Unicode(10), nullable=False),
    sa.Column("ExtractDate", sa.Date),
    sa.Column("AttemptNumber", sa.BigInteger, nullable=False),
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    sa.Column("State", sa.Unicode(10), nullable=False),
    sa.Column("BeganAt", INSTANT, nullable=False),
    sa.Column("EndedAt", INSTANT),
    sa.Column("RowsExtracted", sa.BigInteger),
    sa.Column("RowsChanged", sa.BigInteger),
    sa.Column("IsForced", sa.Boolean),
    sa.Column("ErrorMessage", _TEXT),
)

TABLE_PUBLISHED = sa.Table(
    "TablePublished",
    OPS,
    *_table_key(),
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    sa.Column("Instant", INSTANT, nullable=False),
    sa.Column("PublishedAt", INSTANT, nullable=False),
)

HASH_LAYOUT = sa.Table(
    "HashLayout",
    OPS,
    sa.Column("LayoutId", sa.BigInteger, nullable=False),
    *_table_key(),
    sa.Column("Definition", _TEXT, nullable=False),
    # The key that the source's catalogue gave then, as JSON: by it a key that changes there is told from one that people set.
    sa.Column("CatalogueKey", _TEXT),
    sa.Column("CreatedBatchId", sa.BigInteger, nullable=False),
    sa.Column("CreatedAt", INSTANT, nullable=False),
)

QUARANTINE = sa.Table(
    "Quarantine",
    OPS,
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    *_table_key(),
    sa.Column("Reason", sa.Unicode(30), nullable=False),
    sa.Column("KeyDigest", sa.Unicode(64)),
    sa.Column("RowJson", _TEXT),
    sa.Column("QuarantinedAt", INSTANT, nullable=False),
)

RECONCILIATION_LOG = sa.Table(
    "ReconciliationLog",
    OPS,
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    *_table_key(),
    sa.Column("CheckName", sa.Unicode(50), nullable=False),
    sa.Column("Status", sa.Unicode(10), nullable=False),
    sa.Column("RowsCompared", sa.BigInteger),
    sa.Column("RowsDifferent", sa.BigInteger),
    sa.Column("ColumnsDifferent", _TEXT),
    sa.Column("DurationMs", sa.BigInteger),
    sa.Column("LoggedAt", INSTANT, nullable=False),
    # JSON: keys by kind of difference, what was counted apart, the SQL that would mend what a person has to decide.
    sa.Column("Details", _TEXT),
)

RECONCILIATION_DIFFERENCE = sa.Table(
    "ReconciliationDifference",
    OPS,
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    *_table_key(),
    sa.Column("Layer", sa.Unicode(10), nullable=False),
    sa.Column("Difference", sa.Unicode(10), nullable=False),
    sa.Column("KeyDigest", sa.Unicode(64), nullable=False),
    sa.Column("KeyText", _TEXT),
    sa.Column("ColumnName", _NAME),
    sa.Column("SourceValue", _TEXT),
    sa.Column("LayerValue", _TEXT),
)

RECONCILIATION_SEAL = sa.Table(
    "ReconciliationSeal",
    OPS,
    *_table_key(),
    sa.Column("EndMonth", sa.Date, nullable=False),
    sa.Column("SealedUpTo", INSTANT, nullable=False),
    sa.Column("Versions", sa.BigInteger, nullable=False),
    sa.Column("Checksum", sa.Unicode(32), nullable=False),
    sa.Column("Columns", _TEXT, nullable=False),
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    sa.Column("SealedAt", INSTANT, nullable=False),
)

PROMOTION_MARKER = sa.Table(
    "PromotionMarker",
    MARKERS,
    *_table_key(),
    sa.Column("BatchId", sa.BigInteger, nullable=False),
    sa.Column("Instant", INSTANT, nullable=False),
    sa.Column("RowsInserted", sa.BigInteger, nullable=False),
    sa.Column("RowsUpdated", sa.BigInteger, nullable=False),
    sa.Column("RowsDeleted", sa.BigInteger, nullable=False),
    # The promotion is complete when all of its chunks are done; NULL in markers older than chunks, which are complete.
    sa.Column("Chunks", sa.BigInteger),
    sa.Column("ChunksDone", sa.BigInteger),
    schema=SCHEMA,
)
