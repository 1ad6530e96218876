"""The program of the process that reads: one order on standard input, frames on standard output, each behind its length.

Length 0 says that all frames were sent; a negative one that an error's text follows. It imports nothing of the pipeline, so
that it starts in a fifth of a second.
"""

from __future__ import annotations

import json
import os
import struct
import sys

import connectorx
import pyarrow as pa

_OUTPUT = 1


def _send(payload: bytes | memoryview, size: int) -> None:
    # Not through sys.stdout, which is raw where PYTHONUNBUFFERED is set: a suspension cuts its writes short.
    for part in (memoryview(struct.pack("<q", size)), memoryview(payload)):
        written = 0
        while written < len(part):
            written += os.write(_OUTPUT, part[written:])


def main() -> None:
    """Read what the order says."""
    order = json.load(sys.stdin)
    try:
        reader = connectorx.read_sql(
            order["url"],
            order["query"],
            return_type="arrow_stream",
            batch_size=order["rows"],
            pre_execution_query=order["session"],
        )
        for batch in reader:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            frame = sink.getvalue()
            _send(memoryview(frame), frame.size)
        _send(b"", 0)
    except BaseException as error:  # noqa: BLE001 - a panic of ConnectorX is one
        words = f"{type(error).__name__}: {error}".encode(errors="replace")
        _send(words, -len(words))


if __name__ == "__main__":
    main()
