"""A batch: one run of one command, or one window of a large table, as ops has it from its beginning to its end."""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from connections.target import Target
from model.ops import BATCH_SEQUENCE, PIPELINE_BATCH
from observability.log_handler import SqlServerLogHandler
from orchestration.arguments import COUNTS, Arguments
from orchestration.retry import Retry


def begin_batch(retry: Retry, target: Target, command: str, run_batch: int | None = None) -> int:
    """Draw a batch and record it, once, however often that is tried; `run_batch` is the run's own where this is a window's."""
    batches = target.own(PIPELINE_BATCH)
    drawn: list[int] = []

    def begin() -> int:
        with target.recorder.begin() as connection:
            # Where the answer to a COMMIT was lost the batch may be there already.
            there = sa.select(batches.c.BatchId).where(batches.c.BatchId.in_(drawn))
            if drawn and (found := connection.execute(there).scalars().all()):
                return int(found[0])
            batch = target.draw(connection, BATCH_SEQUENCE)
            drawn.append(batch)
            connection.execute(sa.insert(batches).values(_batch_row(batch, run_batch, target.now(connection), command)))
        return batch

    return retry.ops("beginning the batch", begin)


def _batch_row(batch: int, run_batch: int | None, now: datetime, command: str) -> dict[str, object]:
    return {
        "BatchId": batch,
        "RunBatchId": run_batch,
        "StartedAt": now,
        "HostName": platform.node(),
        "ProcessId": os.getpid(),
        "Command": command,
    }


def command_of(arguments: Arguments) -> str:
    """What was asked for, as ops has it."""
    reconcile = " --reconcile" * bool(arguments.reconcile) + " counts" * (arguments.reconcile == COUNTS)
    asked = f"{reconcile}{' --repair' if arguments.repair else ''}"
    return f"{Path(sys.argv[0]).name} --source {arguments.source or '*'} --table {arguments.table or '*'}{asked}"


def end_batch(target: Target, batch: int, status: int) -> None:
    """Record when and how the batch ended."""
    with target.recorder.begin() as connection:
        ended = {"EndedAt": target.now(connection), "ExitStatus": status}
        batches = target.own(PIPELINE_BATCH)
        connection.execute(sa.update(batches).values(ended).where(batches.c.BatchId == batch))


@contextmanager
def logging_to_ops(retry: Retry, target: Target, batch: int) -> Iterator[None]:
    """Write the log of the block to ops; batch 0 is a dry run, which writes none."""
    if not batch:
        yield
        return
    handler = SqlServerLogHandler(target, batch)
    logger = logging.getLogger("udm")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        retry.ops("writing the log to ops", handler.flush)
