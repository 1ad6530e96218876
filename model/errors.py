"""Every error the pipeline raises on purpose, in one tree: transient ones may pass by themselves, terminal ones do not.

A message says what happened, to which table or setting, and what to do. It never holds a key or a value of a
customer's row: a keyed digest names a row (`model.quarantine.digest`).
"""

from __future__ import annotations


class PipelineError(Exception):
    """What went wrong and, in `remedy`, what the reader can do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class TransientError(PipelineError):
    """May pass when the same step is tried again: a lost connection, a deadlock, a time-out."""


class TerminalError(PipelineError):
    """Stays until a person changes something."""


class RetriesExhausted(TerminalError):
    """What should have passed by itself did not, however often it was tried; the last error is the cause."""


class ConfigurationError(TerminalError):
    """The command or the configuration is wrong; the run ends with exit status 2 and has changed nothing."""


class TargetUnavailable(ConfigurationError):
    """The target cannot be reached, opened or used (exit status 2)."""


class TargetHeld(PipelineError):
    """Another process holds the whole embedded target; nothing was touched (exit status 3)."""


class TableHeld(PipelineError):
    """Another run holds this table; it is SKIPPED and nothing was touched (exit status 3)."""


class SourceNotConfigured(TerminalError):
    """A selected table names a source that no setting declares; that table fails, the others go on."""


class SourceUnavailable(TransientError):
    """The source does not answer now: down, starting, busy, its connection lost or its file held; the extract is started over."""


class SourceRefused(TerminalError):
    """The source refuses until a person changes something: a login, a right, a missing or corrupt file, a row that fails."""


class SourceTableMissing(TerminalError):
    """The source has no such table, or the login may not see it."""


class MissingKey(TerminalError):
    """No primary key, no unique index on NOT NULL columns, and none set by the users."""


class UnusableColumnRule(TerminalError):
    """UdmTablesColumnsList asks for a mask or an exclusion that cannot be applied; nothing is loaded in clear instead."""


class UnusableDateColumn(TerminalError):
    """The date column of a large table cannot be read by windows; that table fails."""


class MissingMaskKey(TerminalError):
    """A mask needs a key that the settings do not give."""


class UnsupportedType(TerminalError):
    """A column's type can be carried to this target by no exact route."""


class ReservedColumnName(TerminalError):
    """A source column is named like one of the pipeline's own columns."""


class UnsupportedName(TerminalError):
    """A schema, table or column has a name that this target cannot keep as it is."""


class SchemaEvolutionError(TerminalError):
    """Source and target schemas differ in a way that cannot be applied without a decision."""


class ValueNotExact(TerminalError):
    """A value cannot be carried exactly; the column is named."""


class GuardBlocked(TerminalError):
    """A guard stopped the table: the extract's size or the number of deletes is not believable."""


class IncompleteExtract(TransientError):
    """The source delivered fewer or more rows than it said it had; nothing was compared."""


class LoadVerificationError(TerminalError):
    """The staging table does not hold what was sent: wrong count, or a value that changed on the way."""


class IntegrityError(TerminalError):
    """Stage or Bronze break one of their own invariants; reconciliation tells where."""


class Interrupted(PipelineError):
    """The run was asked to stop (SIGINT or SIGTERM); the table's transaction was rolled back."""
