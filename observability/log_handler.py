"""Logging: the narrative goes to General.ops.PipelineLog and to the terminal or, as JSON lines, to a collector."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from connections.target import Target
from model.ops import PIPELINE_LOG
from observability.context import current_context
from observability.ops_rows import OpsRows

_BATCHED = 200


class SqlServerLogHandler(logging.Handler):
    """Writes log records to PipelineLog, batched, each batch in a transaction of its own. Works on every target."""

    def __init__(self, target: Target, batch: int, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._rows = OpsRows(target, PIPELINE_LOG, "LogNumber", batch)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; every 200th writes them all."""
        if self._rows.add(_row(record)) >= _BATCHED:
            try:
                self.flush()
            except Exception:  # noqa: BLE001 - logging must not stop the work; the standard way of saying so
                self.handleError(record)

    def flush(self) -> None:
        """Write what is kept; rows that could not be written are kept for the next flush."""
        self._rows.flush()


def _row(record: logging.LogRecord) -> dict[str, object]:
    context = current_context()
    return {
        "LoggedAt": datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None),
        "LogLevel": record.levelname,
        "LoggerName": record.name,
        "SourceName": context.source,
        "TableName": context.table,
        "EventType": context.step,
        "Message": record.getMessage(),
        "ExceptionText": _traceback(record),
    }


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the table and step in context."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        context = current_context()
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {
            key: value
            for key, value in (("source", context.source), ("table", context.table), ("step", context.step))
            if value is not None
        }
        extra = getattr(record, "udm", None)
        if isinstance(extra, dict):
            line |= extra
        if text := _traceback(record):
            line["exception"] = text
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """A plain line for cron: time, level, table, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line; the traceback only at DEBUG level."""
        context = current_context()
        about = f"{context.source}.{context.table}: " if context.table else ""
        message = record.getMessage()
        stamp = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        return f"{stamp} {record.levelname:<7} {'' if message.startswith(about) else about}{message}"


def configure_logging(log_format: str, level: str) -> logging.Handler:
    """Send the pipeline's log to standard error, as text or JSON lines; returns the handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger("udm")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    return handler


def _traceback(record: logging.LogRecord) -> str | None:
    if not record.exc_info or record.exc_info[1] is None:
        return None
    return "".join(traceback.format_exception(record.exc_info[1]))
