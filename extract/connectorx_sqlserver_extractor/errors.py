"""What SQL Server's errors mean for a source: named by table and setting, never with a value or a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from connections.mssql_errors import code_of, is_transient, numbers_of, state_of
from extract.connectorx_sqlserver_extractor.catalogue import missing
from extract.connectorx_sqlserver_extractor.stops import Stops
from extract.extractor import SourceTable
from model.errors import Interrupted, PipelineError, SourceRefused, SourceUnavailable

# No such object, no right on it or on one of its columns; no such schema.
_NOT_READABLE = frozenset({208, 229, 230, 2760})
_NO_OBJECT = frozenset({"42S02"})
# Snapshot isolation is not allowed in a database that a view reads, or the table is memory-optimised.
NO_SNAPSHOT = frozenset({3952, 41332})


@contextmanager
def translated(table: SourceTable, stops: Stops) -> Iterator[None]:
    """The driver's errors as the pipeline's own."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if stops.interrupted:
            raise interrupted(table) from None
        raise _meaning(table, error) from None


def interrupted(table: SourceTable) -> Interrupted:
    """The error of a read that was asked to stop."""
    return Interrupted(f"{table}: the read was interrupted.", remedy="Run it again.")


def _meaning(table: SourceTable, error: sa.exc.DBAPIError) -> PipelineError:
    if numbers_of(error) & _NOT_READABLE or state_of(error) in _NO_OBJECT:
        return missing(table, f"the source has no such table, or its login may not read all of its columns ({code_of(error)})")
    if is_transient(error):
        return SourceUnavailable(
            f"{table}: the source could not answer now ({code_of(error)}).",
            remedy=f"It may pass. Else check that the server of UDM_SOURCE_{table.source} is up and who holds locks there.",
        )
    return SourceRefused(
        f"{table}: the source cannot be read ({code_of(error)}).",
        remedy=f"Read the table with the login of UDM_SOURCE_{table.source} to see the server's own message.",
    )
