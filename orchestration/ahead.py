"""What goes on in threads while Python imports: where DuckDB will be used, its instances are made."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestration.process import leave, signals

_DUCKDB = "duckdb:"


@contextmanager
def importing() -> Iterator[None]:
    """Within this a run's modules are imported: signals wait for its end, and what DuckDB needs, if it is used, starts meanwhile.

    A KeyboardInterrupt in the midst of an import may leave the import lock held, for which another thread then waits for ever.
    """
    with signals(lambda: None) as received:
        dialect = _start()
        yield
        if dialect is not None:
            dialect.join()
    if received:
        sys.stderr.write("Interrupted before anything was loaded.\n")
        leave(128 + received[0])


def _start() -> threading.Thread | None:
    """Begin with what a DuckDB target or source will need, if there is one; the thread that imports is returned."""
    if not names_duckdb(os.environ, Path()):
        return None
    from connections.duckdb_instances import make_ahead  # noqa: PLC0415 - servers do without

    make_ahead(2)  # the target's, and one for the first source
    import sqlalchemy as sa  # noqa: PLC0415 - the instances are made meanwhile

    def load_dialect() -> None:
        """It makes two instances of its own, when it is imported and when it is first used. What fails here fails there too."""
        with suppress(Exception):
            sa.create_engine("duckdb://")

    dialect = threading.Thread(target=load_dialect, name="dialect")
    dialect.start()
    return dialect


def names_duckdb(environment: Mapping[str, str], folder: Path) -> bool:
    """Whether the settings seem to name DuckDB. They are read later, by `config`: to be wrong here costs time alone."""
    urls = [value for name, value in environment.items() if name == "UDM_TARGET" or name.startswith("UDM_SOURCE_")]
    if any(url.startswith(_DUCKDB) for url in urls):
        return True
    if environment.get("UDM_TARGET"):
        return False
    try:
        file = Path(environment.get("UDM_ENV_FILE") or folder / ".env")
        text = file.read_text(encoding="utf-8") if file.is_file() else ""  # what is no file may be read once only
    except (OSError, UnicodeDecodeError):
        return False
    return _DUCKDB in text or "UDM_TARGET" not in text
