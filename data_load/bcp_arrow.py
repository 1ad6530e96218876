"""Bulk copy through the package mssql-python: Arrow buffers straight into the bulk-copy protocol, without a file.

Below 1.17 it may lose digits of a second; what it is not known to carry exactly is not sent through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import polars as pl

from connections.bulk_copy import BulkCopy
from connections.mssql_catalogue import in_full
from model.errors import PipelineError, TerminalError
from model.names import TableName
from model.types import Column, Kind

_FIRST_WITH_SECONDS = (1, 17)
_SUB_SECOND = frozenset({Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
_NEVER = frozenset({Kind.UUID, Kind.TIME})  # they travel as text, which is not the column's type
_STORED: dict[pl.DataType, pl.DataType] = {
    pl.Int8(): pl.Int16(),
    pl.UInt16(): pl.Int32(),
    pl.UInt32(): pl.Int64(),
    pl.UInt64(): pl.Decimal(20, 0),
}


def unsendable(columns: Sequence[Column]) -> list[str]:
    """The columns that this engine does not carry exactly, or is not known to; all of them where it is not installed."""
    try:
        installed = tuple(int(part) for part in version("mssql-python").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return [column.name for column in columns]
    refused = _NEVER if installed >= _FIRST_WITH_SECONDS else _NEVER | _SUB_SECOND
    return [column.name for column in columns if column.type.kind in refused]


def load_arrow(copy: BulkCopy, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> None:
    """Send the frames to a table.

    Raises:
        TerminalError: the engine failed or panicked; names the other one. Its own message may quote values and is left out.
    """
    import pyarrow as pa  # noqa: PLC0415 - loaded where it is used, like the driver

    from connections.mssql_arrow import connect  # noqa: PLC0415

    stored = [pl.col(column.name).cast(_STORED.get(column.type.dtype, column.type.dtype)) for column in columns]
    schema = pl.DataFrame(schema={c.name: c.type.dtype for c in columns}).select(stored).to_arrow(compat_level=_OLDEST).schema
    table = in_full(name)
    stopped = _Stop()
    connection = connect(copy.login, name.database)
    try:
        with copy.watched(stopped.request):
            source = pa.RecordBatchReader.from_batches(schema, _batches(stopped.until(frames), stored))
            connection.cursor().bulkcopy_arrow(
                table, source, timeout=copy.settings.timeout, table_lock=True, keep_nulls=True, use_internal_transaction=True
            )
    except PipelineError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001
        # A panic of the Rust core is a BaseException that nobody expects.
        if stopped.cause is not None:
            raise stopped.cause from None
        raise TerminalError(
            f"{name}: the arrow engine failed ({type(error).__name__}).",
            remedy="Nothing was promoted. Set BCP_ENGINE=bcp and install mssql-tools18 (or set BCP_PATH).",
        ) from None
    finally:
        connection.close()


class _Stop:
    """Ends the stream of frames, for the bulk copy itself cannot be cancelled. Keeps an error of it that Rust would hide."""

    def __init__(self) -> None:
        self._requested = False
        self.cause: BaseException | None = None

    def request(self) -> None:
        self._requested = True

    def until(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        try:
            for frame in frames:
                if self._requested:
                    raise TerminalError("The bulk load was stopped.")  # noqa: TRY301 - kept like every other error of the stream
                yield frame
        except BaseException as error:
            self.cause = error
            raise


def _batches(frames: Iterable[pl.DataFrame], stored: Sequence[pl.Expr]) -> Iterator[object]:
    for frame in frames:
        yield from frame.select(stored).to_arrow(compat_level=_OLDEST).to_batches()


_OLDEST = pl.CompatLevel.oldest()
