"""Compare two PostgreSQL tables with reladiff, as a process of its own; exit 1 where they differ.

Run by the interpreter that has reladiff, so it imports nothing of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from urllib.parse import parse_qs, urlsplit

from reladiff import connect_to_table, diff_tables  # type: ignore[import-not-found]


def _login(url: str) -> dict[str, object]:
    """The URL's parts by name: reladiff's own reading of it knows no `?host=` of a socket."""
    parts = urlsplit(url)
    found = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password}
    found |= {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {"driver": "postgresql", "database": parts.path.lstrip("/"), **{k: v for k, v in found.items() if v is not None}}


def main() -> int:
    """Compare each pair of tables that the command line names, as JSON: schema and table of either side."""
    parser = argparse.ArgumentParser(prog="peer_reladiff")
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--columns", required=True)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("pairs", nargs="+")
    arguments = parser.parse_args()
    differences = 0
    for pair in arguments.pairs:
        one, other = (
            connect_to_table(_login(arguments.url), tuple(name), arguments.key, thread_count=arguments.threads)
            for name in json.loads(pair)
        )
        columns = tuple(arguments.columns.split(","))
        found = diff_tables(one, other, extra_columns=columns, threaded=True, max_threadpool_size=arguments.threads)
        differences += sum(1 for _ in found)
    print(differences)
    return int(differences > 0)


if __name__ == "__main__":
    sys.exit(main())
