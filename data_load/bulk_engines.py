"""Which way rows are sent to a target that loads by BCP, and the sending.

A few rows go as a parameterised INSERT; many by `bcp` where the utility is found, else by `arrow`. In all of them the rows go to
the batch's staging table alone.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from itertools import count
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from connections.bulk_copy import BulkCopy
from connections.target import Target
from data_load.bcp_arrow import load_arrow, unsendable
from data_load.bcp_csv import NotInCharacters, write_characters
from data_load.bcp_process import Order, Utility, find_utility, run
from model.errors import TerminalError
from model.names import TableName
from model.types import Column, Kind

FEW_ROWS = 1_000
Scratch = Callable[[], Path]


class Engine(StrEnum):
    """The ways."""

    INSERT = "insert"
    BCP = "bcp"
    ARROW = "arrow"


def load(
    target: Target, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame], rows: int, scratch: Scratch
) -> None:
    """Append frames of `columns`, `rows` rows in all, to a table. `scratch` gives a private folder for files.

    Raises:
        ValueNotExact: a value that the target, or the engine that the settings insist on, cannot hold.
        LoadVerificationError: an engine says that rows were refused.
    """
    frames = target.check_values(name, columns, frames)
    copy = target.bulk_copy()
    utility = find_utility(copy.settings.path) if copy is not None and rows > FEW_ROWS else None
    engine = Engine.INSERT if copy is None else choose_engine(copy.settings.engine, utility, columns, rows)
    if copy is None or engine is Engine.INSERT:
        _insert(target, name, columns, frames)
    elif engine is Engine.ARROW:
        load_arrow(copy, name, columns, frames)
    elif utility is not None:
        _load_files(target, copy, utility, name, columns, frames, scratch())
    with target.engine.begin() as connection:
        target.analyze(connection, name)


def choose_engine(setting: str, utility: Utility | None, columns: Sequence[Column], rows: int) -> Engine:
    """What the setting, the utility that was found, the columns and the number of rows make of it.

    Raises:
        TerminalError: the setting insists on an engine that is missing or does not carry a column exactly.
    """
    if rows <= FEW_ROWS:
        return Engine.INSERT
    if setting == "bcp" and utility is None:
        raise TerminalError(
            "BCP_ENGINE is bcp, and there is no bcp utility.",
            remedy="Install mssql-tools18, name it with BCP_PATH, or set BCP_ENGINE=auto.",
        )
    wanted = Engine.BCP if setting == "bcp" or (setting == "auto" and utility is not None) else Engine.ARROW
    refused = _offsets(utility, columns) if wanted is Engine.BCP else unsendable(columns)
    if refused and setting != "auto":
        raise TerminalError(
            f"BCP_ENGINE is {setting}, which does not carry the columns {', '.join(refused)} exactly.",
            remedy="Set BCP_ENGINE=auto: it sends such tables in another way.",
        )
    return Engine.INSERT if refused else wanted


def _offsets(utility: Utility | None, columns: Sequence[Column]) -> list[str]:
    # freebcp refuses every DATETIMEOFFSET.
    freetds = utility is not None and utility.freetds
    return [column.name for column in columns if freetds and column.type.kind is Kind.TIMESTAMPTZ]


def _insert(target: Target, name: TableName, columns: Sequence[Column], frames: Iterable[pl.DataFrame]) -> None:
    with target.engine.begin() as connection:
        target.bulk_load(connection, name, columns, frames)


def _load_files(
    target: Target,
    copy: BulkCopy,
    utility: Utility,
    name: TableName,
    columns: Sequence[Column],
    frames: Iterable[pl.DataFrame],
    folder: Path,
) -> None:
    for number, frame in zip(count(), frames, strict=False):
        if frame.is_empty():
            continue
        file = folder / f"{number:06}.bcp"
        try:
            terminators = write_characters(frame, columns, file, freetds=utility.freetds)
        except NotInCharacters:
            if copy.settings.engine != "auto":
                raise
            _insert(target, name, columns, [frame])
            continue
        order = Order(
            utility=utility,
            login=copy.login,
            name=name,
            file=file,
            terminators=terminators,
            rows=frame.height,
            timeout=copy.settings.timeout,
            diagnose=lambda process: _diagnosis(target, process),
            watched=copy.watched,
        )
        try:
            run(order)
        finally:
            file.unlink(missing_ok=True)
            order.error_file.unlink(missing_ok=True)


SESSION = (
    "SELECT s.session_id, r.wait_type, r.blocking_session_id FROM sys.dm_exec_sessions AS s "
    "LEFT JOIN sys.dm_exec_requests AS r ON r.session_id = s.session_id "
    "WHERE s.host_process_id = :process AND s.host_name = :host AND s.session_id <> @@SPID"
)


def _diagnosis(target: Target, process: int) -> str:
    """What the load's own session waits for, found by its host and process; '' where the login may not see it."""
    with suppress(sa.exc.DBAPIError), target.recorder.connect() as connection:
        row = connection.execute(sa.text(SESSION), {"process": process, "host": platform.node()}).first()
        if row is not None:
            session, wait, blocker = row
            return f"; its session {session} waited for {wait or 'nothing'}{f', held by session {blocker}' if blocker else ''}"
    return ""
