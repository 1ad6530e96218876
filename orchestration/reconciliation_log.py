"""Where the results of a reconciliation go: ops.ReconciliationLog, the differing rows in ops and, on request, in a file.

Keys appear as keyed digests unless `--show-keys` asks for them; what is masked is compared, and so shown, in its masked form.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

import polars as pl
import sqlalchemy as sa

from cdc.diff import as_bytes
from cdc.reconciliation.rows import COLUMN, KIND, LAYER, LAYER_VALUE, SOURCE_VALUE, Layer
from config import Settings
from connections.target import Target
from extract.spool import Spool
from model.errors import ConfigurationError
from model.ops import RECONCILIATION_DIFFERENCE, RECONCILIATION_LOG
from model.system_columns import KEY_HASH
from orchestration.quarantine import digest
from orchestration.reconciliation_results import Check
from orchestration.reconciliation_values import Group

MOST_ROWS = 10_000
"""Differences of one table that ops holds; a file holds all of them."""
_NAMES = ("SourceName", "TableName", "Layer", "Difference", "KeyDigest", "KeyText", "ColumnName", "SourceValue", "LayerValue")
_SUFFIXES = (".csv", ".parquet")


def record_checks(target: Target, batch: int, source: str, table: str, checks: Sequence[Check]) -> None:
    """One row a check. Written in one transaction; a second attempt of the batch replaces the first one's."""
    log = target.own(RECONCILIATION_LOG)
    with target.recorder.begin() as connection:
        now = target.now(connection)
        mine = (log.c.BatchId == batch, log.c.SourceName == source, log.c.TableName == table)
        connection.execute(sa.delete(log).where(*mine, log.c.CheckName.in_([check.name for check in checks])))
        rows = [
            {
                "BatchId": batch,
                "SourceName": source,
                "TableName": table,
                "CheckName": check.name,
                "Status": str(check.status),
                "RowsCompared": check.compared,
                "RowsDifferent": check.different,
                "ColumnsDifferent": json.dumps(check.columns, ensure_ascii=False) if check.columns else None,
                "DurationMs": round(check.seconds * 1000),
                "LoggedAt": now,
                "Details": json.dumps({**check.details, "advice": check.advice}, ensure_ascii=False),
            }
            for check in checks
        ]
        connection.execute(sa.insert(log), rows)


class DifferenceLog:
    """Takes the differing rows of every table; a context manager that writes the file at its end. Safe between threads."""

    def __init__(self, settings: Settings, file: Path | None, *, show_keys: bool) -> None:
        """`start` comes before the first table.

        Raises:
            ConfigurationError: the file's name does not say what it is to be, or the file cannot be written.
        """
        if file is not None:
            _create(file)
        self._settings, self._file, self._show_keys = settings, file, show_keys
        self._target: Target | None = None
        self._batch = 0
        self._mutex = threading.Lock()
        self._stack = ExitStack()
        self._spool: Spool | None = None
        self._written: dict[tuple[str, str], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool = None
        self._stack.close()

    def start(self, target: Target, batch: int, spool: Callable[[], Spool]) -> None:
        """Say where the rows go; `spool` makes one for those of the file."""
        self._target, self._batch = target, batch
        if self._file is not None:
            self._spool = self._stack.enter_context(spool())

    def forget(self, source: str, table: str) -> None:
        """Remove what an earlier attempt of this batch wrote to ops of a table."""
        self._written.pop((source, table), None)
        if self._target is None:
            return
        written = self._target.own(RECONCILIATION_DIFFERENCE)
        with self._target.recorder.begin() as connection:
            mine = (written.c.BatchId == self._batch, written.c.SourceName == source, written.c.TableName == table)
            connection.execute(sa.delete(written).where(*mine))

    def take(self, source: str, table: str, keys: Sequence[str], group: Group) -> None:
        """The differences of a group of segments."""
        if group.differences.is_empty():
            return
        frame = self._named(source, table, keys, group)
        with self._mutex:
            if self._spool is not None:
                self._spool.append(frame)
            room = MOST_ROWS - self._written.get((source, table), 0)
            self._written[source, table] = MOST_ROWS - room + min(room, frame.height)
        if self._target is not None and room > 0:
            rows = [{"BatchId": self._batch, **row} for row in frame.head(room).iter_rows(named=True)]
            with self._target.recorder.begin() as connection:
                connection.execute(sa.insert(self._target.own(RECONCILIATION_DIFFERENCE)), rows)

    def _named(self, source: str, table: str, keys: Sequence[str], group: Group) -> pl.DataFrame:
        digested = [digest(key, self._settings) for key in as_bytes(group.differences.get_column(KEY_HASH)).to_list()]
        frame = group.differences.with_columns(pl.Series("KeyDigest", digested, dtype=pl.String))
        if self._show_keys:
            frame = frame.join(_key_texts(keys, group.source.rows, group.layers), on=KEY_HASH, how="left")
        else:
            frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("KeyText"))
        names = {LAYER: "Layer", KIND: "Difference", COLUMN: "ColumnName", SOURCE_VALUE: "SourceValue", LAYER_VALUE: "LayerValue"}
        about = (pl.lit(source).alias("SourceName"), pl.lit(table).alias("TableName"))
        return frame.rename(names).with_columns(about).select(_NAMES)

    def write_file(self) -> None:
        """Write the file, with its header alone where nothing differs."""
        if self._file is None or self._spool is None:
            return
        empty = pl.DataFrame(schema=dict.fromkeys(_NAMES, pl.String))
        write = _write_csv if self._file.suffix.lower() == ".csv" else _write_parquet
        write(self._file, [empty], self._spool)


def _key_texts(keys: Sequence[str], source: pl.DataFrame, layers: Mapping[Layer, pl.DataFrame]) -> pl.DataFrame:
    """The keys of all sides as JSON, by their hash."""
    sides = [frame.select(KEY_HASH, *keys) for frame in (source, *layers.values())]
    whole = pl.concat(sides).unique(KEY_HASH)
    texts = [json.dumps(row, ensure_ascii=False, default=_spelled) for row in whole.select(keys).iter_rows(named=True)]
    return whole.select(KEY_HASH, pl.Series("KeyText", texts, dtype=pl.String))


def _spelled(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _create(file: Path) -> None:
    if file.suffix.lower() not in _SUFFIXES:
        raise ConfigurationError(
            f"--differences {file}: the file is to be CSV or Parquet.", remedy=f"Let its name end in {' or '.join(_SUFFIXES)}."
        )
    try:
        # It will hold values of customers: nobody else is to read it.
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"--differences {file} cannot be written: {error.strerror}.", remedy="Name one in a folder that is there and yours."
        ) from error


def _write_csv(file: Path, first: Sequence[pl.DataFrame], spool: Spool) -> None:
    with file.open("wb") as output:
        for number, frame in enumerate((*first, *spool.frames())):
            frame.write_csv(output, include_header=number == 0)


def _write_parquet(file: Path, first: Sequence[pl.DataFrame], spool: Spool) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - only for this file

    to_arrow = partial(pl.DataFrame.to_arrow, compat_level=pl.CompatLevel.oldest())
    with pq.ParquetWriter(file, to_arrow(first[0]).schema) as writer:
        for frame in spool.frames():
            writer.write_table(to_arrow(frame))
