"""The program of the process that reads: one order on standard input, frames on standard output, each behind its length.

Length 0 says that all frames were sent; a negative one that an error's text follows. It imports nothing of the pipeline, so
that it starts in a fifth of a second.
"""

from __future__ import annotations

import json
import struct
import sys

import connectorx
import pyarrow as pa


def _send(payload: bytes | memoryview, size: int) -> None:
    sys.stdout.buffer.write(struct.pack("<q", size))
    sys.stdout.buffer.write(payload)
    sys.stdout.buffer.flush()


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
        words = str(error).encode(errors="replace")
        _send(words, -len(words))


if __name__ == "__main__":
    main()
